-- The statements of locks.py, each after a line with its name.

-- try
SELECT pg_try_advisory_lock(:key)

-- release
SELECT pg_advisory_unlock(:key)

-- terminate
SELECT pg_terminate_backend(:pid)

-- holder: the session that holds the advisory lock :key. pg_locks shows a bigint key in two halves: the upper one as
-- classid, the lower one as objid
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'without a name') AS name,
    extract(epoch FROM clock_timestamp() - a.backend_start)::float AS age,
    CASE WHEN a.state LIKE 'idle%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float END AS idle_for
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- look: who blocks the session :pid, without the query text, which may hold personal data; and who waits for it longer than
-- :longest, only with locks that requests take, on a table or a row: a DDL may wait, as behind an index that is built, but
-- not a request behind that DDL. Who waits for a row has locked its tuple, by which the table is known. Source: PostgreSQL
-- manual, "pg_locks"
WITH waiting AS MATERIALIZED (
    SELECT pid, relation, extract(epoch FROM clock_timestamp() - waitstart)::float AS seconds FROM pg_locks
    WHERE NOT granted AND pid <> :pid AND clock_timestamp() - waitstart > make_interval(secs => :longest)
        AND (locktype IN ('transactionid', 'tuple', 'advisory')
            OR locktype = 'relation' AND mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
)
SELECT true AS blocks, pid, coalesce(nullif(application_name, ''), backend_type) AS name, state,
    extract(epoch FROM now() - coalesce(xact_start, backend_start))::float AS seconds
FROM pg_stat_activity WHERE pid = ANY ((SELECT pg_blocking_pids(:pid))::int[])
UNION ALL
SELECT false, pid,
    coalesce(relation, (
        SELECT tuple.relation FROM pg_locks tuple
        WHERE tuple.pid = waiting.pid AND tuple.locktype = 'tuple' LIMIT 1
    ))::regclass::text, NULL, seconds
FROM waiting, LATERAL (SELECT pg_blocking_pids(pid) AS pids) before
WHERE :pid = ANY (before.pids)
    OR EXISTS (SELECT FROM unnest(before.pids) AS other WHERE :pid = ANY (pg_blocking_pids(other)))
ORDER BY blocks, seconds DESC
