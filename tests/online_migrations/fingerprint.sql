-- Everything in the catalog that a migration can change, in the server's own words; see dumps.py.
WITH schemas AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
SELECT 'relation', s.nspname || '.' || c.relname, concat_ws(' ', c.relkind, c.relpersistence, c.relfilenode,
  c.reltablespace, c.relam, c.relowner::regrole, c.relacl::text, c.reloptions::text, c.relrowsecurity,
  c.relforcerowsecurity, c.relreplident, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'),
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
UNION ALL
SELECT 'column', s.nspname || '.' || c.relname || '.' || a.attname, concat_ws(' ', a.attnum,
  format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
  a.attcollation, a.attstorage, a.attcompression, a.attstattarget, a.attacl::text,
  col_description(a.attrelid, a.attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN schemas s ON s.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', k.conrelid::regclass || '.' || k.conname,
  concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated, obj_description(k.oid, 'pg_constraint'))
FROM pg_constraint k JOIN schemas s ON s.oid = k.connamespace
UNION ALL
SELECT 'index', i.indexrelid::regclass::text,
  concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indisclustered, i.indisreplident)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN schemas s ON s.oid = c.relnamespace
UNION ALL
SELECT 'trigger', t.tgrelid::regclass || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.ev_class::regclass || '.' || r.rulename, concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN schemas s ON s.oid = c.relnamespace
UNION ALL
SELECT 'policy', p.schemaname || '.' || p.tablename || '.' || p.policyname, p::text FROM pg_policies p
UNION ALL
SELECT 'function', f.oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(f.oid), f.proowner, f.proacl::text)
FROM pg_proc f JOIN schemas s ON s.oid = f.pronamespace WHERE f.prokind IN ('f', 'p')
UNION ALL
SELECT 'type', s.nspname || '.' || t.typname, concat_ws(' ', t.typtype, t.typnotnull, t.typdefault, t.typowner,
  ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)::text)
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
UNION ALL
SELECT 'sequence', q.seqrelid::regclass::text, concat_ws(' ', q.seqtypid, q.seqstart, q.seqincrement, q.seqmax,
  q.seqmin, q.seqcache, q.seqcycle, (SELECT owner.attrelid::regclass || '.' || owner.attname FROM pg_depend d
    JOIN pg_attribute owner ON owner.attrelid = d.refobjid AND owner.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid AND d.deptype IN ('a', 'i')))
FROM pg_sequence q
UNION ALL
SELECT 'schema', s.nspname, concat_ws(' ', n.nspowner, n.nspacl::text)
FROM schemas s JOIN pg_namespace n ON n.oid = s.oid
UNION ALL
SELECT 'statistics', s.nspname || '.' || e.stxname, pg_get_statisticsobjdef(e.oid)
FROM pg_statistic_ext e JOIN schemas s ON s.oid = e.stxnamespace
UNION ALL
SELECT 'setting', r.setrole::text, r.setconfig::text FROM pg_db_role_setting r
WHERE r.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
