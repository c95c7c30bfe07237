-- The views of one table on the search path, with their columns and those of the table.
WITH found AS (
  SELECT r.ev_class AS view, min(t.oid::int8)::oid AS of FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid AND t.relkind IN ('r', 'p')
  GROUP BY r.ev_class HAVING count(DISTINCT t.oid) = 1
)
SELECT v.oid::regclass::text AS view, v.relname::text AS old, t.relname::text AS renamed,
  pg_get_viewdef(v.oid) AS definition,
  array(SELECT quote_ident(attname) FROM pg_attribute
    WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns
FROM found JOIN pg_class v ON v.oid = found.view JOIN pg_class t ON t.oid = found.of
WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::name = ANY (current_schemas(false)) ORDER BY 1
