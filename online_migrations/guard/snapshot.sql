-- What stands in the system catalogs about the objects of all user schemas: a row for each table, with all that belongs to
-- it as JSON, and one for what belongs to none. Definitions are as the server prints them, so two spellings are equal.
-- Left out is what no query depends on: comments, statistics, storage.
--
-- :everything  boolean; false: only the :relations and what belongs to them, the :objects, and all of the few kinds at
--              the end, of which a database has a handful
-- :retired     the comments of what an earlier release has retired, or keeps for a way back
WITH spaces AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
relations AS (
  SELECT c.*, s.nspname AS ns FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND (:everything OR c.oid = ANY (CAST(:relations AS oid[])))
),
-- Columns of the types that are not PostgreSQL's own: for each of a type by itself, all columns would be looked through.
typed AS MATERIALIZED (
  SELECT a.attrelid, a.attname, a.attnum, a.atttypid FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid
  WHERE r.relkind IN ('r', 'p', 'f') AND NOT a.attisdropped AND a.atttypid >= 16384
),
-- The tables whose changes a publication sends. A subscriber finds the row that changed by the replica identity: UPDATE
-- and DELETE fail without one, inserts go on, so nothing is seen before. Source: PostgreSQL manual, "Publication".
published AS MATERIALIZED (
  SELECT schemaname, tablename FROM pg_publication_tables JOIN pg_publication USING (pubname)
  WHERE pubupdate OR pubdelete
),
-- Pairs of types that take the same value, without a cast being written, and types that take many.
converted (source, target) AS (
  SELECT castsource, casttarget FROM pg_cast WHERE castcontext = 'i' UNION SELECT castsource, castsource FROM pg_cast
),
taking_same (one, other) AS MATERIALIZED (
  SELECT DISTINCT a.target, b.target FROM converted a JOIN converted b USING (source)
),
taking_many AS MATERIALIZED (
  SELECT oid FROM pg_type WHERE typtype IN ('p', 'd') OR typcategory = 'A'
),
things AS (
SELECT 'relation' AS kind, c.oid::bigint AS id, 0 AS sub, NULL::bigint AS owner, c.ns || '.' || c.relname AS name,
  jsonb_build_object('kind', c.relkind, 'file', c.relfilenode, 'persistence', c.relpersistence, 'role', c.relowner,
    'row_security', c.relrowsecurity::int + c.relforcerowsecurity::int, 'partition', c.relispartition,
    'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner)))),
    'owned', EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass
      AND deptype IN ('a', 'i')),
    -- Which columns are; none of them when the table itself is.
    'retired', CASE WHEN obj_description(c.oid, 'pg_class') = ANY (:retired) THEN '{}' ELSE own.retired END,
    'populated', c.relispopulated,
    'view', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    'options', CASE WHEN c.relkind IN ('v', 'm') THEN to_jsonb(c.reloptions) END,
    'last', CASE WHEN c.relkind = 'S' AND has_sequence_privilege(c.oid, 'SELECT')
      THEN pg_sequence_last_value(c.oid) END,
    'sequence', (SELECT jsonb_build_object('increment', seqincrement, 'min', seqmin, 'max', seqmax, 'cycle', seqcycle,
        'start', seqstart) FROM pg_sequence WHERE seqrelid = c.oid),
    'takes', CASE WHEN c.relkind IN ('v', 'm') THEN pg_relation_is_updatable(c.oid, false) ELSE 28 END,
    'reads', CASE WHEN c.relkind IN ('v', 'm') THEN to_jsonb(ARRAY(SELECT DISTINCT d.refobjid::bigint FROM pg_rewrite r
      JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
        AND d.refclassid = 'pg_class'::regclass
      WHERE r.ev_class = c.oid AND d.refobjid <> c.oid ORDER BY 1)) END,
    'columns', own.names, 'computed', own.computed, 'has_grants', own.has_grants,
    'refuses_changes', c.relkind = 'r' AND (c.ns, c.relname) IN (SELECT * FROM published)
      AND NOT (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)),
    'parents', to_jsonb(ARRAY(SELECT inhparent::bigint FROM pg_inherits WHERE inhrelid = c.oid)),
    'off', (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled IN ('D', 'R'))) AS facts
FROM relations c, LATERAL (
  SELECT coalesce(array_agg(attname::text), '{}') AS names, coalesce(bool_or(attacl IS NOT NULL), false) AS has_grants,
    -- To which no value can be given.
    coalesce(array_agg(attname::text) FILTER (WHERE CASE WHEN c.relkind IN ('v', 'm')
      THEN NOT pg_column_is_updatable(c.oid, attnum, false) ELSE attgenerated <> '' END), '{}') AS computed,
    array_agg(attname::text) FILTER (WHERE col_description(c.oid, attnum) = ANY (:retired)) AS retired
  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND c.relkind <> 'S') own
UNION ALL
SELECT 'column', a.attrelid::bigint, a.attnum, a.attrelid::bigint, a.attname::text,
  jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
    -- Of an identity as of a serial, since both take their numbers from a sequence.
    'default', CASE WHEN a.attidentity <> ''
      THEN format('nextval(%L)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid)
      WHEN a.attgenerated = '' THEN pg_get_expr(coalesce(d.adbin, t.typdefaultbin), coalesce(d.adrelid, 0)) END,
    'has_default', d.oid IS NOT NULL OR t.typdefault IS NOT NULL, 'filled', {FILLED_BY_TRIGGER},
    'required', t.typnotnull OR a.attnotnull, 'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(a.attacl)),
    'not_null', t.typnotnull OR a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n
      WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated),
    'generated', a.attgenerated, 'identity', a.attidentity, 'collation', a.attcollation,
    'expression', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END)
FROM pg_attribute a JOIN relations c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f')
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- PostgreSQL 18 lists NOT NULL as constraints, of type n; the column says the same on all versions.
SELECT 'constraint', k.oid::bigint, 0, k.conrelid::bigint, k.conname::text,
  jsonb_build_object('type', k.contype, 'definition', replace(pg_get_constraintdef(k.oid), ' NOT VALID', ''),
    'validated', k.convalidated, 'actions', to_jsonb(ARRAY[k.confdeltype, k.confupdtype]), 'match', k.confmatchtype,
    -- Of a foreign key: what has to be there, and how long it is waited for.
    'reference', jsonb_build_array(k.confrelid::bigint, k.conkey, k.confkey, k.confmatchtype, k.confdelsetcols,
      pg_get_constraintdef(k.oid) LIKE '%NOT ENFORCED'), 'late', k.condeferrable::int + k.condeferred::int,
    'referred', k.confrelid::bigint, 'check', pg_get_expr(k.conbin, k.conrelid),
    'columns', ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = k.conrelid AND attnum > 0
      AND attnum = ANY (k.conkey)))
FROM pg_constraint k JOIN relations c ON c.oid = k.conrelid WHERE k.contype <> 'n'
UNION ALL
SELECT 'index', i.indexrelid::bigint, 0, i.indrelid::bigint, x.relname::text,
  -- The definition of an index leaves out the operators of an EXCLUDE, and DEFERRABLE.
  jsonb_build_object('definition', coalesce((SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
      WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x') AND (i.indisexclusion OR NOT i.indimmediate)),
      pg_get_indexdef(i.indexrelid)), 'valid', i.indisvalid,
    'unique', i.indisunique OR i.indisexclusion, 'partial', i.indpred IS NOT NULL, 'file', x.relfilenode,
    -- By which ON CONFLICT (columns) finds a row.
    'finds_one', i.indisunique AND i.indimmediate AND NOT i.indisexclusion AND i.indexprs IS NULL,
    'of_constraint', EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u', 'x')),
    'columns', ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid AND attnum > 0
      AND attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])))
FROM pg_index i JOIN relations c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
UNION ALL
-- Without the table's name: on a table that is renamed a trigger does what it did.
SELECT 'trigger', t.oid::bigint, 0, t.tgrelid::bigint, t.tgname::text,
  jsonb_build_object('definition', replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', c.ns, c.relname), ' '),
    'off', t.tgenabled IN ('D', 'R'))
FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.oid::bigint, 0, r.ev_class::bigint, r.rulename::text,
  jsonb_build_object('definition', pg_get_ruledef(r.oid), 'off', r.ev_enabled IN ('D', 'R'))
FROM pg_rewrite r JOIN relations c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', p.oid::bigint, 0, p.polrelid::bigint, p.polname::text,
  jsonb_build_object('definition', concat_ws(' ', p.polcmd, p.polqual::text, p.polwithcheck::text, p.polroles::text))
FROM pg_policy p JOIN relations c ON c.oid = p.polrelid
UNION ALL
SELECT 'function', f.oid::bigint, 0, NULL, f.oid::regprocedure::text,
  jsonb_build_object('result', pg_get_function_result(f.oid),
    'body', md5(CASE WHEN f.prokind IN ('f', 'p') THEN pg_get_functiondef(f.oid)
      ELSE (SELECT a::text FROM pg_aggregate a WHERE a.aggfnoid = f.oid) END),
    'role', f.proowner, 'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(coalesce(f.proacl, acldefault('f', f.proowner)))),
    'takes', f.proargtypes::oid[]::bigint[],
    -- Before one with the same arguments in pg_catalog none is chosen.
    'namesakes', ARRAY(SELECT o.oid::bigint FROM pg_proc o WHERE o.proname = f.proname AND o.oid <> f.oid
      AND NOT EXISTS (SELECT FROM pg_proc b WHERE b.proname = f.proname AND b.proargtypes = f.proargtypes
        AND b.pronamespace = 'pg_catalog'::regnamespace)))
FROM pg_proc f JOIN spaces s ON s.oid = f.pronamespace
WHERE :everything OR f.oid = ANY (CAST(:objects AS oid[]))
UNION ALL
SELECT 'type', t.oid::bigint, 0, NULL, s.nspname || '.' || t.typname,
  -- What it has are the values of an enum, or the columns of a composite type; what it asks are the rules of a domain.
  jsonb_build_object('has', ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
      UNION SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1),
    'asks', ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid
      UNION SELECT 'NOT NULL' WHERE t.typnotnull ORDER BY 1), 'role', t.typowner,
    'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner)))),
    'columns', to_jsonb(ARRAY(SELECT jsonb_build_array(attrelid::bigint, attname) FROM typed
      WHERE atttypid IN (t.oid, t.typarray) ORDER BY attrelid, attnum)))
FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
-- An array goes with its element, which each table has one of too.
WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typcategory <> 'A' OR c.relkind = 'c')
  AND (:everything OR t.oid = ANY (CAST(:objects AS oid[])))
UNION ALL
SELECT 'schema', oid::bigint, 0, NULL, nspname::text, jsonb_build_object('role', nspowner,
    'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(coalesce(nspacl, acldefault('n', nspowner))))) FROM spaces
UNION ALL
SELECT 'database', oid::bigint, 0, NULL, datname::text, jsonb_build_object('role', datdba,
    'asks', ARRAY(SELECT 'CONNECTION LIMIT ' || datconnlimit WHERE datconnlimit <> -1),
    'grants', ARRAY(SELECT (grantee, privilege_type, is_grantable)::text
      FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))))
FROM pg_database WHERE datname = current_database()
UNION ALL
-- Roles that this database depends on, since they own something in it or may use it; and ours. Others of the server are
-- none of ours, and may come and go meanwhile.
SELECT 'role', r.oid::bigint, 0, NULL, r.rolname::text, jsonb_build_object('asks', ARRAY(
    SELECT 'CONNECTION LIMIT ' || r.rolconnlimit WHERE r.rolconnlimit <> -1
    UNION ALL SELECT 'NOLOGIN or VALID UNTIL' WHERE NOT r.rolcanlogin OR r.rolvaliduntil < 'infinity'))
FROM pg_roles r WHERE r.rolname = current_user OR r.oid IN (SELECT refobjid FROM pg_shdepend
  WHERE refclassid = 'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'publication', p.oid::bigint, 0, NULL, p.pubname::text,
  jsonb_build_object('has', ARRAY(
    SELECT sent FROM (VALUES ('insert', p.pubinsert), ('update', p.pubupdate), ('delete', p.pubdelete),
      ('truncate', p.pubtruncate), ('all tables', p.puballtables)) kinds (sent, is_sent) WHERE is_sent
    UNION ALL SELECT 'by its root ' || p.pubviaroot
    UNION ALL SELECT 'schema ' || n.pnnspid FROM pg_publication_namespace n WHERE n.pnpubid = p.oid
    UNION ALL SELECT concat_ws(' ', 'table', c.relname, pg_get_expr(r.prqual, c.oid), r.prattrs::text)
      FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid WHERE r.prpubid = p.oid ORDER BY 1))
FROM pg_publication p
UNION ALL
SELECT 'event trigger', e.oid::bigint, 0, NULL, 'the event trigger ' || e.evtname,
  jsonb_build_object('definition', concat_ws(' ', e.evtevent, e.evtfoid, e.evtenabled, e.evttags))
FROM pg_event_trigger e
UNION ALL
SELECT 'object', o.id::bigint, o.catalog::oid::int, NULL, pg_describe_object(o.catalog, o.id, 0),
  jsonb_build_object('takes', o.takes, 'namesakes', o.namesakes, 'between', o.between, 'body', o.body) FROM (
  -- An operator is chosen by its operands: a namesake is one that takes a value which this one takes too.
  SELECT 'pg_operator'::regclass AS catalog, p.oid AS id, oprnamespace AS space,
    ARRAY[oprleft::bigint, oprright::bigint] AS takes,
    ARRAY(SELECT n.oid::bigint FROM pg_operator n WHERE n.oprname = p.oprname AND n.oprkind = p.oprkind AND n.oid <> p.oid
      AND (n.oprright = p.oprright OR n.oprleft = p.oprleft AND n.oprkind = 'b'
        OR (n.oprleft, p.oprleft) IN (SELECT * FROM taking_same) OR (n.oprright, p.oprright) IN (SELECT * FROM taking_same)
        OR n.oprleft IN (SELECT * FROM taking_many) OR n.oprright IN (SELECT * FROM taking_many)
        OR p.oprleft IN (SELECT * FROM taking_many) OR p.oprright IN (SELECT * FROM taking_many))
    ) AS namesakes, NULL::bigint[] AS between, md5(p::text) AS body FROM pg_operator p WHERE p.oid >= 16384
  UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace, NULL, NULL, NULL, NULL FROM pg_collation
    WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace, NULL, NULL, NULL, NULL FROM pg_ts_config
    WHERE oid >= 16384
  UNION ALL SELECT 'pg_cast'::regclass, oid, NULL, NULL, NULL, ARRAY[castsource::bigint, casttarget::bigint], NULL
    FROM pg_cast WHERE oid >= 16384) o
WHERE o.space IS NULL OR o.space IN (SELECT oid FROM spaces)
UNION ALL
SELECT 'setting', setdatabase::bigint, setrole::int, NULL, array_to_string(setconfig, ', '), '{}'::jsonb
FROM pg_db_role_setting WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
)
SELECT owner, json_agg(json_build_array(kind, id, sub, name, facts))::text AS things FROM things GROUP BY owner
