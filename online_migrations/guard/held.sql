-- What this transaction has so far: the locks that make others wait, and the rows that it has written, by tables.
WITH locks AS (
    SELECT relation::bigint, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
)
SELECT
    -- Modes that block writes, or reads too. Source: PostgreSQL manual, "Explicit Locking".
    ARRAY(SELECT relation FROM locks WHERE mode IN (
        'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) AS locked,
    ARRAY(SELECT relation FROM locks WHERE mode = 'AccessExclusiveLock') AS exclusive,
    -- Whoever writes rows of a table holds this lock on it. To ask for every table takes long in a large schema: before the
    -- first statement alone (:is_first), since the server may still count rows of transactions before for this session.
    (SELECT coalesce(jsonb_agg(jsonb_build_array(relation, jsonb_build_object(
        'inserted', pg_stat_get_xact_tuples_inserted(relation::oid),
        'updated', pg_stat_get_xact_tuples_updated(relation::oid),
        'deleted', pg_stat_get_xact_tuples_deleted(relation::oid)))), '[]')
        FROM (SELECT relation FROM locks WHERE mode = 'RowExclusiveLock' UNION SELECT relid::bigint
            FROM pg_stat_xact_user_tables WHERE :is_first AND n_tup_ins + n_tup_upd + n_tup_del > 0) written) AS rows,
    current_setting('lock_timeout') AS lock_timeout, transaction_timestamp() AS began
