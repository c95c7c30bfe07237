-- The statements of long backfills, each after a line with its name. What stands in braces is the caller's.

-- batch: fill the next rows. `span` is the part of the key's order that the batch looks at. `free` asks for the
-- condition once more, because a row may have changed before it was locked. The key travels as text, which every type
-- can be read from; ORDER BY names its table, as a bare name would be the text, of which '99' is the last. UPDATE takes
-- the row lock NO KEY UPDATE, so foreign keys can still refer to such a row. `last` is NULL when no row was left;
-- `wanted` rows met the condition, `filled` ones of them nobody had locked, and `unfilled` ones still meet it
WITH span AS (SELECT {key} AS span_key, ({where}) AS span_wanted FROM {table} {begin} ORDER BY {key} LIMIT {size}),
free (free_key) AS (SELECT {key} FROM {table} WHERE {key} IN (SELECT span_key FROM span WHERE span_wanted) AND ({where})
    ORDER BY {key} FOR NO KEY UPDATE SKIP LOCKED),
filled (still) AS (UPDATE {table} SET {set_sql} FROM free WHERE {key} = free_key RETURNING ({where}))
SELECT (SELECT CAST(span_key AS text) FROM span ORDER BY span.span_key DESC LIMIT 1) AS last,
    (SELECT count(*) FROM span) AS scanned, (SELECT count(*) FROM span WHERE span_wanted) AS wanted,
    (SELECT count(*) FROM filled) AS filled, (SELECT count(*) FROM filled WHERE still) AS unfilled

-- next_key: of the row with which the next batch begins; in the order of the key, and not of its text
SELECT CAST({key} AS text) FROM {table} AS unfilled {begin} ORDER BY unfilled.{key} LIMIT 1

-- script: the whole backfill for psql, outside of a transaction: a loop that commits each batch, of a size that cannot
-- be adapted to the time that it takes
DO $backfill$ BEGIN LOOP
  UPDATE {table} SET {set_sql} WHERE {key} IN (SELECT {key} FROM {table} WHERE {where} ORDER BY {key} LIMIT 1000 FOR NO KEY UPDATE);
  EXIT WHEN NOT FOUND; COMMIT; PERFORM pg_sleep(0.05);
END LOOP; END $backfill$;

-- begin: a new one; in an empty table it is done. If there is one of the name, no row is returned
INSERT INTO schema_backfills (name, table_name, set_sql, where_sql, pk, state, estimated_rows, batch_size, finished_at)
SELECT :name, :table_name, :set_sql, :where_sql, :pk, CASE WHEN is_empty THEN 'done' ELSE 'running' END,
    CAST(greatest(reltuples, 0) AS bigint), :batch_size, CASE WHEN is_empty THEN now() END
FROM pg_class, (SELECT NOT EXISTS (SELECT FROM {table}) AS is_empty) AS found WHERE oid = CAST(:quoted AS regclass)
ON CONFLICT DO NOTHING RETURNING turn

-- required: for psql; the cast fails, with these words, when the script runs before the backfill is done
SELECT CASE WHEN max(state) = 'done' THEN 0
    ELSE CAST('backfill ' || {name} || ' is ' || coalesce(max(state), 'unknown') AS bigint) END
FROM schema_backfills WHERE name = {name};

-- lag: of the followers. A role without the rights of pg_read_all_stats sees that there are some, and nothing of them:
-- state is NULL. replay_lag is NULL for a follower that has caught up
SELECT coalesce(extract(epoch FROM max(replay_lag)), 0)::float AS seconds,
    coalesce(bool_or(state IS NULL), false) AS hidden FROM pg_stat_replication

-- pause: the one of a name, or all
UPDATE schema_backfills SET state = 'paused', waiting_for = NULL, updated_at = clock_timestamp()
WHERE state = 'running' AND name = coalesce(:name, name) RETURNING name

-- resume: the one of a name; one that is done begins a new pass. Without a name, only what was paused goes on
UPDATE schema_backfills SET turn = turn + 1, error = NULL, waiting_for = NULL, finished_at = NULL,
    updated_at = clock_timestamp(), state = 'running'
WHERE (state = 'paused' AND :name IS NULL) OR (state <> 'running' AND name = :name) RETURNING name, turn
