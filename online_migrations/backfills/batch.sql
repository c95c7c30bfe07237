-- Fill the next rows of a backfill. `span` is the part of the key's order that the batch looks at. `free` asks for the
-- condition once more, because a row may have changed before it was locked. The key travels as text, which every type
-- can be read from.

WITH span AS (SELECT {key} AS span_key, ({where}) AS span_wanted FROM {table} {begin} ORDER BY {key} LIMIT :size),
free (free_key) AS (SELECT {key} FROM {table} WHERE {key} IN (SELECT span_key FROM span WHERE span_wanted) AND ({where})
    ORDER BY {key} FOR NO KEY UPDATE SKIP LOCKED),
filled (still) AS (UPDATE {table} SET {set_sql} FROM free WHERE {key} = free_key RETURNING ({where}))
SELECT (SELECT CAST(span_key AS text) FROM span ORDER BY span_key DESC LIMIT 1),
    (SELECT count(*) FROM span), (SELECT count(*) FROM span WHERE span_wanted),
    (SELECT count(*) FROM filled), (SELECT count(*) FROM filled WHERE still)
