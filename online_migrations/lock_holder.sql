-- The session that holds the advisory lock :key. pg_locks shows a bigint key in two halves: the upper one as classid, the
-- lower one as objid.
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'without a name') AS name,
    extract(epoch FROM clock_timestamp() - a.backend_start)::float AS age,
    CASE WHEN a.state LIKE 'idle%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float END AS idle_for
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
