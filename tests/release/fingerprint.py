"""Compare databases by a fingerprint: everything in its catalog and in its tables that a migration can change.

It asks PostgreSQL for definitions and shares no code with app.release, so it can bear witness about it. One statement
for the catalog and one for the rows, since `pg_dump` would take longer than most tests.
"""

from sqlalchemy import Connection, Engine, text

Fingerprint = frozenset[tuple[str, ...]]

_USERS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"

_RELATIONS = """
SELECT 'relation', s.nspname || '.' || c.relname, concat_ws(' ', c.relkind, c.relpersistence, c.relfilenode,
  c.reltablespace, c.relam, c.relowner::regrole, c.relacl::text, c.reloptions::text, c.relrowsecurity,
  c.relforcerowsecurity, c.relreplident, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'),
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace"""

_COLUMNS = """
SELECT 'column', s.nspname || '.' || c.relname || '.' || a.attname, concat_ws(' ', a.attnum,
  format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
  a.attcollation, a.attstorage, a.attcompression, a.attstattarget, a.attacl::text,
  col_description(a.attrelid, a.attnum))
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN schemas s ON s.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped"""

_RULES_OF_TABLES = """
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
SELECT 'policy', p.schemaname || '.' || p.tablename || '.' || p.policyname, p::text FROM pg_policies p"""

_OBJECTS = """
SELECT 'function', f.oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(f.oid), f.proowner, f.proacl::text)
FROM pg_proc f JOIN schemas s ON s.oid = f.pronamespace WHERE f.prokind IN ('f', 'p')
UNION ALL
SELECT 'type', s.nspname || '.' || t.typname, concat_ws(' ', t.typtype, t.typnotnull, t.typdefault, t.typowner,
  ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)::text)
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
UNION ALL
SELECT 'sequence', q.seqrelid::regclass::text, concat_ws(' ', q.seqtypid, q.seqstart, q.seqincrement, q.seqmax,
  q.seqmin, q.seqcache, q.seqcycle) FROM pg_sequence q
UNION ALL
SELECT 'schema', s.nspname, concat_ws(' ', n.nspowner, n.nspacl::text)
FROM schemas s JOIN pg_namespace n ON n.oid = s.oid
UNION ALL
SELECT 'statistics', s.nspname || '.' || e.stxname, pg_get_statisticsobjdef(e.oid)
FROM pg_statistic_ext e JOIN schemas s ON s.oid = e.stxnamespace
UNION ALL
SELECT 'setting', r.setrole::text, r.setconfig::text FROM pg_db_role_setting r
WHERE r.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"""

_CATALOG = text(
    f"WITH schemas AS (SELECT oid, nspname FROM pg_namespace WHERE {_USERS})"
    + " UNION ALL ".join((_RELATIONS, _COLUMNS, _RULES_OF_TABLES, _OBJECTS)).replace("::", r"\:\:")
)

_TABLES = text(
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
    f" WHERE relkind IN ('r', 'm') AND {_USERS}"
)
# With xmin, the transaction that wrote the row, so that a row that was written as it was shows too.
_ROWS = (
    "SELECT 'rows', '{0}', count(*) || ' ' || coalesce(sum(hashtextextended(r.xmin::text || r::text, 0)), 0) FROM {0} r"
)


def fingerprint(engine: Engine) -> Fingerprint:
    """Return a fingerprint. Two of them are equal when nothing was changed in between; what differs says what was."""
    with engine.connect() as connection:
        return frozenset(_catalog(connection) | _rows(connection))


def schema_fingerprint(engine: Engine) -> Fingerprint:
    """Return the same without the rows."""
    with engine.connect() as connection:
        return frozenset(_catalog(connection))


def _catalog(connection: Connection) -> set[tuple[str, ...]]:
    return {tuple(row) for row in connection.execute(_CATALOG)}


def _rows(connection: Connection) -> set[tuple[str, ...]]:
    tables = connection.scalars(_TABLES).all()
    return {tuple(row) for row in connection.exec_driver_sql(" UNION ALL ".join(map(_ROWS.format, tables)))}
