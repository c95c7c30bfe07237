-- The tables on the search path, and those of schemas that the models name. Those of an extension belong to it.
-- The owner of alembic_version is the role that migrates.
SELECT c.oid::regclass::text AS name, c.relname::text,
  CASE WHEN NOT pg_table_is_visible(c.oid) THEN n.nspname::text END AS schema,
  quote_ident(pg_get_userbyid(c.relowner)) AS owner,
  quote_ident(pg_get_userbyid(migrating.role)) AS migrating_role,
  quote_ident(current_user) AS role,
  obj_description(c.oid, 'pg_class') AS comment,
  array(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid) AS parents,
  has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
    AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS may_write,
  c.relrowsecurity OR c.relforcerowsecurity AS row_security,
  (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies,
  array(SELECT quote_ident(rulename) FROM pg_rewrite WHERE ev_class = c.oid AND is_instead AND ev_enabled <> 'D'
    ORDER BY 1) AS instead_rules,
  array(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled IN ('D', 'R') AND NOT tgisinternal
    ORDER BY 1) AS disabled_triggers,
  array(SELECT DISTINCT conname::text FROM pg_trigger t JOIN pg_constraint f ON f.oid = t.tgconstraint
    WHERE t.tgrelid = c.oid AND t.tgenabled IN ('D', 'R') AND t.tgisinternal ORDER BY 1) AS disabled_foreign_keys
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
    SELECT coalesce((SELECT relowner FROM pg_class WHERE oid = to_regclass('alembic_version')), c.relowner) AS role
  ) migrating
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY 1
