-- The sequences of integer keys with an index that max() reads from its end, so that no table is scanned.
SELECT a.attrelid::regclass::text AS "table", quote_ident(a.attname) AS "column",
  s.seqrelid::regclass::text AS sequence, s.seqincrement AS increment
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))
  AND a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') AND has_sequence_privilege(s.seqrelid, 'SELECT')
  AND EXISTS (
    SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
      AND m.amname = 'btree'
  )
ORDER BY 1, 2
