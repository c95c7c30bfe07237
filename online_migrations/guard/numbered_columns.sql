-- The columns that take their numbers from a sequence that counts up: as an identity, a serial, or by a default.
SELECT seqrelid::regclass::text AS sequence, seqincrement AS increment, attrelid::regclass::text AS table_name,
    quote_ident(attname) AS column_name, EXISTS (
        SELECT FROM pg_index WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid AND indpred IS NULL
    ) AS is_indexed
FROM pg_attribute JOIN pg_sequence ON seqrelid = :sequence AND seqincrement > 0
WHERE (attrelid, attnum) IN (
    SELECT refobjid, refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = :sequence
        AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    UNION SELECT adrelid, adnum FROM pg_depend JOIN pg_attrdef d ON d.oid = objid
        WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = :sequence)
