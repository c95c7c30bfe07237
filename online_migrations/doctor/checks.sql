-- The queries of `flask release doctor`. Each begins with the rule whose faults its rows are; checks.py says what they mean.

-- # tables
-- Before each of the others as `WITH tables`: the tables on the search path, and those of schemas that the models name.
-- Those of an extension belong to it. `model` is the name by which the models' MetaData has a table. The owner of
-- alembic_version is the role that migrates.
SELECT c.oid, c.oid::regclass::text AS name,
  concat_ws('.', CASE WHEN NOT pg_table_is_visible(c.oid) THEN n.nspname END, c.relname) AS model,
  quote_ident(pg_get_userbyid(c.relowner)) AS owner,
  quote_ident(pg_get_userbyid(coalesce(
    (SELECT relowner FROM pg_class WHERE oid = to_regclass('alembic_version')), c.relowner))) AS migrating_role,
  c.relrowsecurity OR c.relforcerowsecurity AS row_security,
  EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid) AS has_policies
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')

-- # long-transaction
SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS name, state,
  extract(epoch FROM clock_timestamp() - xact_start)::int AS age
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND clock_timestamp() - xact_start >= make_interval(secs => :long_transaction)
ORDER BY xact_start

-- # prepared-transaction
SELECT quote_literal(gid) AS gid, owner, extract(epoch FROM clock_timestamp() - prepared)::int AS age
FROM pg_prepared_xacts
WHERE database = current_database() AND clock_timestamp() - prepared >= make_interval(secs => :long_transaction)
ORDER BY prepared

-- # release-not-noted
-- Roles besides the owner, such as that of the web, which may write a table on the search path.
SELECT DISTINCT quote_ident(r.rolname) AS role
FROM pg_class c, aclexplode(c.relacl) g JOIN pg_roles r ON r.oid = g.grantee
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND g.privilege_type = 'INSERT'
  AND NOT (has_table_privilege(r.oid, to_regclass('schema_releases'), 'SELECT')
    AND has_table_privilege(r.oid, to_regclass('schema_releases'), 'INSERT')
    AND has_table_privilege(r.oid, to_regclass('schema_releases'), 'UPDATE'))
ORDER BY 1

-- # read-only-default
SELECT concat_ws(' IN ', 'ROLE ' || quote_ident(rolname), 'DATABASE ' || quote_ident(datname)) AS whose
FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole
WHERE coalesce(datname, current_database()) = current_database() AND coalesce(rolname, current_user) = current_user
  AND EXISTS (SELECT FROM unnest(setconfig) setting
    WHERE setting ~* '^default_transaction_read_only=(on|true|yes|1)$')
ORDER BY 1

-- # not-enforced-constraint
-- PostgreSQL 18 can be told not to check a foreign key. A CHECK that is NOT ENFORCED is so on purpose.
SELECT c.conrelid::regclass::text AS "table", quote_ident(c.conname) AS name
FROM pg_constraint c
WHERE c.contype = 'f' AND NOT coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
  AND pg_table_is_visible(c.conrelid)
ORDER BY 1, 2

-- # not-null-not-valid
SELECT c.conrelid::regclass::text AS "table", quote_ident(c.conname) AS name, a.attname AS "column"
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'n' AND NOT c.convalidated AND pg_table_is_visible(c.conrelid)
ORDER BY 1, 2

-- # not-valid-constraint
SELECT c.conrelid::regclass::text AS "table", quote_ident(c.conname) AS name
FROM pg_constraint c
WHERE c.contype <> 'n' AND NOT c.convalidated AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
  AND c.conrelid <> 0 AND pg_table_is_visible(c.conrelid)
ORDER BY 1, 2

-- # unkept-shadow
-- A dual write (operations/dual_writes.py) names its trigger so, and marks a column that only the trigger writes.
SELECT a.attrelid::regclass::text AS "table", quote_ident(a.attname) AS "column"
FROM pg_attribute a
WHERE col_description(a.attrelid, a.attnum) LIKE 'shadow: %' AND pg_table_is_visible(a.attrelid)
  AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = a.attrelid AND starts_with(tgname, 'zz_dual_write'))
ORDER BY 1, 2

-- # other-owner
SELECT name, owner, migrating_role FROM tables WHERE owner <> migrating_role ORDER BY 1

-- # missing-privilege
SELECT name, quote_ident(current_user) AS role FROM tables
WHERE owner = migrating_role AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
  AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
ORDER BY 1

-- # disabled-trigger
-- PostgreSQL checks a foreign key by triggers of its own, which only a superuser may disable.
SELECT name, string_agg(DISTINCT coalesce(f.conname, t.tgname)::text, ', ') AS disabled,
  CASE WHEN bool_or(t.tgisinternal) THEN 'ALL' ELSE 'USER' END AS which
FROM tables JOIN pg_trigger t ON t.tgrelid = tables.oid LEFT JOIN pg_constraint f ON f.oid = t.tgconstraint
WHERE t.tgenabled IN ('D', 'R')
GROUP BY name ORDER BY 1

-- # instead-rule
SELECT name, quote_ident(rulename) AS rule FROM tables JOIN pg_rewrite ON ev_class = tables.oid
WHERE is_instead AND ev_enabled <> 'D' AND model = ANY (CAST(:models AS text[]))
ORDER BY 1, 2

-- # row-security
SELECT name, CASE WHEN has_policies THEN 'hide rows from' ELSE 'are none, so no row is shown to' END AS policies
FROM tables
WHERE row_security AND model = ANY (CAST(:models AS text[]))
  AND NOT (has_policies AND model = ANY (CAST(:secured AS text[])))
ORDER BY 1

-- # retired-table
-- It, or the table that it is a part of, is a model's.
SELECT name, model FROM tables
WHERE obj_description(oid, 'pg_class') = :retired AND EXISTS (
  SELECT FROM tables whole WHERE model = ANY (CAST(:models AS text[])) AND (whole.oid = tables.oid
    OR whole.oid IN (SELECT inhparent FROM pg_inherits WHERE inhrelid = tables.oid)))
ORDER BY 1

-- # invalid-index
-- An index that is being built stands in pg_stat_progress_create_index. REINDEX CONCURRENTLY leaves its copy under such
-- a name, beside the original. Another index than the models' is no use when it is valid either; `wanted` is NULL as
-- long as the database is not at the code's head, where nobody knows.
SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS "table", c.relname::text AS model,
  CASE WHEN coalesce(c.relname = ANY (CAST(:wanted AS text[])), true) AND c.relname !~ '_cc(new|old)\d*$'
    THEN 'REINDEX' ELSE 'DROP' END AS action
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1

-- # compatibility-view
-- A view of all rows of a table under their own names, as rename_with_view leaves it: without the columns that the table
-- was given later. A view of the first few columns was made for something else. The bits of pg_relation_is_updatable()
-- are those of INSERT, UPDATE and DELETE.
SELECT DISTINCT v.oid::regclass::text AS view, v.relname::text AS old, t.relname::text AS renamed
FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
  CROSS JOIN LATERAL (
    SELECT array_agg(attname ORDER BY attnum) AS names FROM pg_attribute
    WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped
  ) columns
WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::name = ANY (current_schemas(false))
  AND 2 * v.relnatts > cardinality(columns.names)
  AND array(SELECT attname FROM pg_attribute WHERE attrelid = v.oid ORDER BY attnum) = columns.names[1 : v.relnatts]
  AND pg_relation_is_updatable(v.oid, false) & 28 = 28 AND pg_get_viewdef(v.oid) NOT LIKE '%WHERE%'
ORDER BY 1

-- # sequence-behind
-- The sequences of integer keys with an index that max() reads from its end, so that no table is scanned.
SELECT tables.name AS "table", quote_ident(a.attname) AS "column",
  s.seqrelid::regclass::text AS sequence, s.seqincrement AS increment
FROM tables JOIN pg_attribute a ON a.attrelid = tables.oid
  JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
WHERE a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') AND has_sequence_privilege(s.seqrelid, 'SELECT')
  AND EXISTS (
    SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
      AND m.amname = 'btree'
  )
ORDER BY 1, 2
