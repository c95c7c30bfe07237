-- What stands on a column. Parameters: table, quoted; column, shadow and own_trigger, bare names.

-- state
SELECT format_type(a.atttypid, a.atttypmod), NOT ({nullable}), pg_get_expr(adbin, adrelid),
    col_description(a.attrelid, a.attnum),
    CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END, s.seqrelid::regclass::text,
    format('START WITH %s INCREMENT BY %s CACHE %s', seqstart, seqincrement, seqcache)
        || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END
FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = a.attrelid AND adnum = a.attnum
LEFT JOIN (pg_depend o JOIN pg_sequence s ON s.seqrelid = o.objid AND o.classid = 'pg_class'::regclass)
    ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum
WHERE {is_column}

-- indexes: the definition begins after the names, which may hold any word
SELECT c.relname::text, i.indisunique, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
    substr(pg_get_indexdef(c.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, n.nspname, t.relname)))
FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')
WHERE {is_column} AND i.indisvalid AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))
ORDER BY c.relname

-- checks
SELECT conname::text FROM pg_attribute a JOIN pg_constraint ON conrelid = a.attrelid AND contype = 'c'
    AND a.attnum = ANY (conkey)
WHERE {is_column} ORDER BY conname

-- foreign_keys: of the column, with the shadow in its place; the rest is what the server writes after the key
SELECT f.conname::text, own.relname::text, other.relname::text,
    format('FOREIGN KEY (%s)', key.of_shadow)
        || replace(substr(pg_get_constraintdef(f.oid), 1 + length(format('FOREIGN KEY (%s)', key.own))), ' NOT VALID', '')
FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND f.conrelid = a.attrelid AND a.attnum = ANY (f.conkey)
JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own, string_agg(
        quote_ident(CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END), ', ' ORDER BY place) AS of_shadow
    FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.conrelid
) key
WHERE {is_column} ORDER BY f.conname

-- references: foreign keys to the column, likewise
SELECT f.conname::text, own.relname::text, other.relname::text,
    format('FOREIGN KEY (%s) REFERENCES %s(%s)', key.own, f.confrelid::regclass::text, referred.of_shadow)
        || replace(substr(pg_get_constraintdef(f.oid), 1 + length(
            format('FOREIGN KEY (%s) REFERENCES %s(%s)', key.own, f.confrelid::regclass::text, referred.own))),
            ' NOT VALID', '')
FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = a.attrelid AND a.attnum = ANY (f.confkey)
JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own
    FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.conrelid
) key,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own, string_agg(
        quote_ident(CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END), ', ' ORDER BY place) AS of_shadow
    FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.confrelid
) referred
WHERE {is_column} ORDER BY f.conname

-- obstacles: indexes, sequences, the default and all constraints but EXCLUDE are carried over; all else would stay
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_attribute a JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
WHERE {is_column} AND NOT coalesce(c.relkind IN ('i', 'S') OR k.contype <> 'x' OR g.tgname = :own_trigger
    OR (f.adnum = a.attnum AND a.attgenerated = ''), false)
UNION ALL SELECT 'partitioning or inheritance' FROM pg_class WHERE oid = CAST(:table AS regclass)
    AND (relkind <> 'r' OR relhassubclass OR relispartition)
UNION ALL SELECT 'privileges on the column' FROM pg_attribute a WHERE {is_column} AND a.attacl IS NOT NULL

-- trigger_functions
SELECT DISTINCT format('ALTER FUNCTION %s %s', p.oid::regprocedure,
    CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END)
FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang AND lanname = 'plpgsql'
WHERE tgrelid = CAST(:table AS regclass) AND NOT tgisinternal ORDER BY 1
