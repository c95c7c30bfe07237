"""Catalog snapshot: what stands in PostgreSQL's system catalogs about the objects of all user schemas.

One statement of about 30 ms for 500 objects, which waits for no lock on a table. It reads definitions as the server
prints them, so two spellings are equal. Left out is what no query depends on: comments, statistics, storage parameters.

Columns that the server fills when a row leaves them out: by a default, or by a trigger.

A trigger that fires BEFORE INSERT or UPDATE for each row may set any column of NEW (PostgreSQL manual, "Overview of
Trigger Behavior"). One in PL/pgSQL is known not to set a column when its source does not name the column, and NEW as a
whole is only returned.

Privileges of an access control list (ACL), one by one.

Logical replication: tables whose UPDATE and DELETE fail, since they are published and have no replica identity.

A subscriber finds the row that changed by it: the primary key, unless REPLICA IDENTITY says otherwise. Inserts go on,
so nothing is seen before the first change. Source: PostgreSQL manual, "Publication".

Roles of a snapshot: whether they may log in, and how often.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, text

from online_migrations.definitions import RETIRED_COMMENT

# tgtype: 1 is FOR EACH ROW, 2 BEFORE, 4 INSERT, 16 UPDATE (src/include/catalog/pg_trigger.h).
FILLED_BY_TRIGGER = r"""EXISTS (SELECT FROM pg_trigger f JOIN pg_proc p ON p.oid = f.tgfoid
  JOIN pg_language l ON l.oid = p.prolang
  WHERE f.tgrelid = a.attrelid AND NOT f.tgisinternal AND f.tgenabled IN ('O', 'A')
    AND f.tgtype & 3 = 3 AND f.tgtype & 20 <> 0
    AND (l.lanname <> 'plpgsql' OR strpos(lower(p.prosrc), lower(a.attname)) > 0
      OR regexp_replace(p.prosrc, '\mRETURN\s+(NEW|OLD|NULL)\s*;|\mNEW\s*\.', '', 'gi') ~* '\m(NEW|RETURN)\M'))"""

# Of an identity as of a serial, since both take their numbers from a sequence.
DEFAULT = """CASE WHEN a.attidentity <> ''
  THEN format('nextval(%L)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid)
  WHEN a.attgenerated = '' THEN pg_get_expr(coalesce(d.adbin, t.typdefaultbin), coalesce(d.adrelid, 0)) END"""


def privileges(acl: str) -> str:
    """SQL for a list of single privileges: "16384 SELECT", and "16384 SELECT *" besides when the role may pass it on.

    An item of the list (aclitem) holds all privileges of a role, so it is another item when the role gets one more.

    Args:
        acl: SQL of type aclitem[]; NULL: no privilege.
    """
    return (
        "to_jsonb(ARRAY(SELECT DISTINCT g.grantee || ' ' || g.privilege_type || mark"  # noqa: S608 - of constants
        f" FROM aclexplode({acl}) g, unnest(ARRAY['', ' *']) mark WHERE mark = '' OR g.is_grantable ORDER BY 1))"
    )


# The tables whose changes a publication sends, one row each.
PUBLISHED = (
    "SELECT schemaname, tablename FROM pg_publication_tables JOIN pg_publication USING (pubname)"
    " WHERE pubupdate OR pubdelete"
)

# Of a relation `c` in a schema `c.ns`, beside a query `published` of the above.
REFUSES_CHANGES = """c.relkind = 'r' AND (c.ns, c.relname) IN (SELECT * FROM published)
      AND NOT (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END))"""


# Roles that this database depends on, since they own something in it or may use it; and ours. Others of the server are
# none of ours, and may come and go meanwhile.
ROLES = """
SELECT 'role', r.oid::bigint, 0, NULL, r.rolname::text, jsonb_build_object('limit', r.rolconnlimit,
    'locked', NOT r.rolcanlogin OR r.rolvaliduntil < 'infinity')
FROM pg_roles r WHERE r.rolname = current_user OR r.oid IN (SELECT refobjid FROM pg_shdepend
  WHERE refclassid = 'pg_authid'::regclass AND dbid = (
    SELECT oid FROM pg_database WHERE datname = current_database()))"""


Key = tuple[str, int, int]  # kind, oid, number of the column; an object keeps it when it is renamed


class Thing(NamedTuple):
    """
    Args:
        table: key of the table or view that a column, constraint, index, trigger, rule or policy belongs to.
        name: of a relation or type with its schema, "public.notes"; of a function with its arguments.
        facts: what can change about it.
    """

    table: Key | None
    name: str
    facts: Mapping[str, Any]


Snapshot = Mapping[Key, Thing]

_SCHEMAS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
_RELATION_ACL = (
    """coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))"""
)
_COLUMN_NAMES = (
    "ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = {relation} AND attnum = ANY ({numbers}::int2[])"
    " AND attnum > 0)"
)

_RELATIONS = f"""
SELECT 'relation' AS kind, c.oid::bigint AS id, 0 AS sub, NULL::bigint AS owner, c.ns || '.' || c.relname AS name,
  jsonb_build_object('kind', c.relkind, 'file', c.relfilenode, 'persistence', c.relpersistence, 'role', c.relowner,
    'row_security', c.relrowsecurity::int + c.relforcerowsecurity::int, 'partition', c.relispartition,
    'grants', {privileges(_RELATION_ACL)},
    'owned', EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass
      AND deptype IN ('a', 'i')),
    'retired', coalesce(obj_description(c.oid, 'pg_class') = :retired, false),
    'view', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    'options', CASE WHEN c.relkind IN ('v', 'm') THEN to_jsonb(c.reloptions) END,
    'last', CASE WHEN c.relkind = 'S' AND has_sequence_privilege(c.oid, 'SELECT')
      THEN pg_sequence_last_value(c.oid) END,
    'sequence', (SELECT jsonb_build_object('increment', seqincrement, 'min', seqmin, 'max', seqmax, 'cycle', seqcycle)
      FROM pg_sequence WHERE seqrelid = c.oid),
    'takes', CASE WHEN c.relkind IN ('v', 'm') THEN pg_relation_is_updatable(c.oid, false) ELSE 28 END,
    'reads', CASE WHEN c.relkind IN ('v', 'm') THEN to_jsonb(ARRAY(SELECT DISTINCT d.refobjid::bigint FROM pg_rewrite r
      JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
        AND d.refclassid = 'pg_class'::regclass
      WHERE r.ev_class = c.oid AND d.refobjid <> c.oid ORDER BY 1)) END,
    'columns', CASE WHEN c.relkind IN ('v', 'm') THEN to_jsonb(ARRAY(SELECT attname::text FROM pg_attribute
      WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)) END,
    'computed', to_jsonb(ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
      AND c.relkind IN ('v', 'm') AND NOT attisdropped AND NOT pg_column_is_updatable(c.oid, attnum, false))),
    'refuses_changes', {REFUSES_CHANGES},
    'parents', to_jsonb(ARRAY(SELECT inhparent::bigint FROM pg_inherits WHERE inhrelid = c.oid)),
    'off', (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled IN ('D', 'R'))) AS facts
FROM relations c"""  # noqa: S608 - of constants

_COLUMNS = f"""
SELECT 'column', a.attrelid::bigint, a.attnum, a.attrelid::bigint, a.attname::text,
  jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
    'default', {DEFAULT},
    'has_default', d.oid IS NOT NULL OR t.typdefault IS NOT NULL, 'filled', {FILLED_BY_TRIGGER},
    'required', t.typnotnull OR a.attnotnull, 'grants', {privileges("a.attacl")},
    'not_null', t.typnotnull OR a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n
      WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated),
    'generated', a.attgenerated, 'identity', a.attidentity, 'collation', a.attcollation,
    'expression', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'retired', coalesce(col_description(a.attrelid, a.attnum) = :retired, false))
FROM pg_attribute a JOIN relations c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'f')
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped"""  # noqa: S608 - of constants

# PostgreSQL 18 lists NOT NULL as constraints, of type n; the column says the same on all versions.
_CONSTRAINTS = f"""
SELECT 'constraint', k.oid::bigint, 0, k.conrelid::bigint, k.conname::text,
  jsonb_build_object('type', k.contype, 'definition', replace(pg_get_constraintdef(k.oid), ' NOT VALID', ''),
    'validated', k.convalidated, 'actions', to_jsonb(ARRAY[k.confdeltype, k.confupdtype]), 'match', k.confmatchtype,
    'index', k.conindid::bigint, 'referred', k.confrelid::bigint, 'check', pg_get_expr(k.conbin, k.conrelid),
    'columns', {_COLUMN_NAMES.format(relation="k.conrelid", numbers="k.conkey")})
FROM pg_constraint k JOIN relations c ON c.oid = k.conrelid WHERE k.contype <> 'n'"""  # noqa: S608 - of constants

_INDEXES = f"""
SELECT 'index', i.indexrelid::bigint, 0, i.indrelid::bigint, x.relname::text,
  jsonb_build_object('definition', pg_get_indexdef(i.indexrelid), 'unique', i.indisunique, 'valid', i.indisvalid,
    'partial', i.indpred IS NOT NULL, 'expressions', i.indexprs IS NOT NULL, 'file', x.relfilenode,
    'of_constraint', EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u', 'x')),
    'columns', {_COLUMN_NAMES.format(relation="i.indrelid", numbers="(i.indkey::int2[])[0:i.indnkeyatts - 1]")})
FROM pg_index i JOIN relations c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid"""  # noqa: S608 - of constants

# Without the table's name: on a table that is renamed a trigger does what it did.
_TRIGGERS = """
SELECT 'trigger', t.oid::bigint, 0, t.tgrelid::bigint, t.tgname::text,
  jsonb_build_object('definition', replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', c.ns, c.relname), ' '),
    'off', t.tgenabled IN ('D', 'R'))
FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"""

_RULES = """
SELECT 'rule', r.oid::bigint, 0, r.ev_class::bigint, r.rulename::text,
  jsonb_build_object('definition', pg_get_ruledef(r.oid), 'off', r.ev_enabled IN ('D', 'R'))
FROM pg_rewrite r JOIN relations c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', p.oid::bigint, 0, p.polrelid::bigint, p.polname::text,
  jsonb_build_object('definition', concat_ws(' ', p.polcmd, p.polqual::text, p.polwithcheck::text, p.polroles::text))
FROM pg_policy p JOIN relations c ON c.oid = p.polrelid"""

_OTHERS = f"""
SELECT 'function', f.oid::bigint, 0, NULL, f.oid::regprocedure::text,
  jsonb_build_object('result', pg_get_function_result(f.oid), 'body', md5(pg_get_functiondef(f.oid)),
    'role', f.proowner, 'grants', {privileges("coalesce(f.proacl, acldefault('f', f.proowner))")},
    'runs_by_itself', EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid = f.oid
      AND classid <> 'pg_proc'::regclass))
FROM pg_proc f JOIN spaces s ON s.oid = f.pronamespace WHERE f.prokind IN ('f', 'p')
UNION ALL
SELECT 'type', t.oid::bigint, 0, NULL, s.nspname || '.' || t.typname,
  jsonb_build_object('labels', to_jsonb(ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
      ORDER BY enumsortorder)),
    'checks', to_jsonb(ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.contypid = t.oid
      ORDER BY k.oid)), 'not_null', t.typnotnull, 'role', t.typowner,
    'grants', {privileges("coalesce(t.typacl, acldefault('T', t.typowner))")},
    'attributes', to_jsonb(ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)))
FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c'
UNION ALL
SELECT 'schema', oid::bigint, 0, NULL, nspname::text, jsonb_build_object('role', nspowner,
    'grants', {privileges("coalesce(nspacl, acldefault('n', nspowner))")}) FROM spaces
UNION ALL
SELECT 'database', oid::bigint, 0, NULL, datname::text, jsonb_build_object('role', datdba, 'limit', datconnlimit,
    'grants', {privileges("coalesce(datacl, acldefault('d', datdba))")})
FROM pg_database WHERE datname = current_database()
UNION ALL {ROLES}
UNION ALL
SELECT 'object', o.id::bigint, o.catalog::oid::int, NULL, pg_describe_object(o.catalog, o.id, 0), '{{}}'::jsonb FROM (
  SELECT 'pg_proc'::regclass AS catalog, oid AS id, pronamespace AS space FROM pg_proc WHERE prokind NOT IN ('f', 'p')
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator
  UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace FROM pg_collation
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace FROM pg_ts_config
  UNION ALL SELECT 'pg_cast'::regclass, oid, NULL FROM pg_cast WHERE oid >= 16384
  UNION ALL SELECT 'pg_publication'::regclass, oid, NULL FROM pg_publication) o
WHERE o.space IS NULL OR o.space IN (SELECT oid FROM spaces)
UNION ALL
SELECT 'setting', setdatabase::bigint, setrole::int, NULL, array_to_string(setconfig, ', '), '{{}}'::jsonb
FROM pg_db_role_setting WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))"""  # noqa: S608 - of constants

_SNAPSHOT = text(
    f"WITH spaces AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE {_SCHEMAS}),"  # noqa: S608 - of constants
    f" published AS MATERIALIZED ({PUBLISHED}),"
    " relations AS (SELECT c.*, s.nspname AS ns FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f'))"
    + " UNION ALL ".join((_RELATIONS, _COLUMNS, _CONSTRAINTS, _INDEXES, _TRIGGERS, _RULES, _OTHERS)).replace(
        "::", r"\:\:"
    )
).bindparams(bindparam("retired", RETIRED_COMMENT))


def read_snapshot(connection: Connection) -> Snapshot:
    """The catalog as this transaction sees it, with what it has changed itself."""
    return {
        (row.kind, row.id, row.sub): Thing(("relation", row.owner, 0) if row.owner else None, row.name, row.facts)
        for row in connection.execute(_SNAPSHOT)
    }


def tables_of(catalog: Snapshot) -> dict[str, frozenset[str]]:
    """Table or view, with its schema: its columns."""
    columns: dict[Key, set[str]] = {key: set(thing.facts["columns"] or ()) for key, thing in _relations(catalog)}
    for key, thing in catalog.items():
        if key[0] == "column" and thing.table is not None:
            columns[thing.table].add(thing.name)
    return {thing.name: frozenset(columns[key]) for key, thing in _relations(catalog)}


def retired_in(catalog: Snapshot) -> dict[str, frozenset[str]]:
    """Return the marked columns of each table; none of them when the table itself is marked.

    A part of a table goes with the whole, so a mark of its own says nothing.
    """
    found: dict[str, frozenset[str]] = {}
    for key, thing in catalog.items():
        if key[0] == "column" and thing.facts["retired"] and thing.table is not None:
            name = catalog[thing.table].name
            found[name] = found.get(name, frozenset()) | {thing.name}
    found |= {thing.name: frozenset() for _, thing in _relations(catalog) if thing.facts["retired"]}
    parts = {thing.name: list(wholes_of(key, catalog)) for key, thing in _relations(catalog) if thing.facts["parents"]}
    marked = {part: next((found[whole] for whole in wholes if whole in found), None) for part, wholes in parts.items()}
    return {name: columns for name, columns in {**found, **marked}.items() if columns is not None}


def wholes_of(key: Key, catalog: Snapshot) -> Iterator[str]:
    """Yield the tables of which a relation is a part, by PARTITION OF or INHERITS; the nearest first."""
    if key[0] != "relation":
        return
    to_visit = list(catalog[key].facts["parents"])
    while to_visit:
        above = ("relation", to_visit.pop(0), 0)
        if above in catalog:
            yield catalog[above].name
            to_visit += catalog[above].facts["parents"]


def _relations(catalog: Snapshot) -> Iterator[tuple[Key, Thing]]:
    return ((key, thing) for key, thing in catalog.items() if key[0] == "relation" and thing.facts["kind"] != "S")
