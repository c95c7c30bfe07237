-- What this transaction has so far: the locks that make others wait, and the rows that it has written, by tables.
SELECT
    -- Modes that block writes, or reads too. Source: PostgreSQL manual, "Explicit Locking".
    (SELECT jsonb_object_agg(relation, mode) FROM (
        SELECT DISTINCT ON (relation) relation, mode FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
            AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        ORDER BY relation, mode) strong) AS locks,
    -- Whoever writes rows of a table holds this lock on it. To ask for every table takes long in a large schema.
    (SELECT jsonb_object_agg(relation, rows) FROM (
        SELECT relation, ARRAY[pg_stat_get_xact_tuples_inserted(relation), pg_stat_get_xact_tuples_updated(relation),
            pg_stat_get_xact_tuples_deleted(relation)] AS rows FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode = 'RowExclusiveLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) written) AS rows,
    current_setting('lock_timeout') AS lock_timeout
