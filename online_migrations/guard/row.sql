-- The columns of a row of the table :table, of which :values (a JSON object) has some: as SQL; null: left to the default,
-- which is NULL where there is none. The others may hold anything, and so may one that the database or a trigger fills.
SELECT string_agg(CASE
    WHEN CAST(:values AS jsonb) ->> attname IS NOT NULL
        THEN format('CAST(%s AS %s) AS %I', CAST(:values AS jsonb) ->> attname, format_type(atttypid, atttypmod), attname)
    WHEN NOT CAST(:values AS jsonb) ? attname OR attgenerated <> '' OR attidentity <> '' OR {FILLED_BY_TRIGGER}
        THEN quote_ident(attname)
    ELSE format('CAST(%s AS %s) AS %I',
        coalesce(pg_get_expr(adbin, adrelid), pg_get_expr(typdefaultbin, 0), 'NULL'),
        format_type(atttypid, atttypmod), attname)
    END, ', ')
FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
