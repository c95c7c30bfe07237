"""Queries of pg_catalog: what stands on a column. Parameters: `table`, quoted; `column` and `shadow`, bare names.

Queries of the system catalogs (pg_catalog), as SQL expressions.

They find tables on the search path, as DDL does. Parameters: `table` and `index` are quoted identifiers, `column` and
`constraint` are bare names.
"""

from collections.abc import Iterable
from typing import Any

from alembic import op
from sqlalchemy import Connection, text

from online_migrations.connection import connection_of
from online_migrations.guard.snapshot import FILLED_BY_TRIGGER
from online_migrations.sql import quote

HAS_COLUMN = (
    "EXISTS (SELECT FROM pg_attribute WHERE attrelid = CAST(:table AS regclass)"
    " AND attname = :column AND attnum > 0 AND NOT attisdropped)"
)

# PostgreSQL 18 has NOT NULL … NOT VALID. It sets attnotnull although old rows may hold NULL; count that as nullable.
IS_NULLABLE = (
    "(SELECT NOT a.attnotnull OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid"
    " AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum] AND NOT c.convalidated)"
    " FROM pg_attribute a WHERE a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped)"
)

HAS_ANOTHER_TYPE = (
    "(SELECT upper(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar')) <> upper(:type)"
    " FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)

# The maximum length of a text column: for VARCHAR(n), atttypmod is n + 4. TEXT has no limit. NULL for other types.
TEXT_LENGTH = (
    "(SELECT CASE WHEN atttypmod > 4 THEN atttypmod - 4 ELSE 1073741824 END FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped"
    " AND atttypid IN ('varchar'::regtype, 'text'::regtype))"
)

# Whether an INSERT that leaves the column out fails.
IS_REQUIRED = (
    "(SELECT attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)

IS_COMPUTED = "(SELECT attgenerated <> '' FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attname = :column)"

_LEFT_NULL = text(
    "SELECT attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
    " WHERE attrelid = to_regclass(:table) AND attname = ANY (:names) AND NOT attisdropped AND NOT attnotnull"
    f" AND NOT atthasdef AND attidentity = '' AND typdefault IS NULL AND NOT {FILLED_BY_TRIGGER}"
)

HAS_CONSTRAINT = (
    "EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint)"
)
HAS_NOT_VALID_CONSTRAINT = (
    "EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint"
    " AND NOT convalidated)"
)

# Not a CHECK, nor a foreign key that deletes and updates nothing: those only refuse.
IS_RELIED_ON = (
    "EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :constraint"
    " AND (contype IN ('p', 'u', 'x') OR confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')))"
)

# Whether another index finds one row for the values of the same columns.
_IS_UNIQUE_STILL = (
    "EXISTS (SELECT FROM pg_index other WHERE other.indrelid = {table} AND other.indexrelid <> {index}"
    " AND other.indisunique AND other.indisvalid AND other.indpred IS NULL AND other.indexprs IS NULL"
    " AND ARRAY(SELECT unnest((other.indkey::int2[])[0:other.indnkeyatts - 1]) ORDER BY 1)"
    " = ARRAY(SELECT unnest({keys}) ORDER BY 1))"
)
# Of a PRIMARY KEY, a UNIQUE or an EXCLUDE constraint; NULL for another.
UNIQUE_COLUMNS = (
    "(SELECT ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))"
    " FROM pg_constraint WHERE conrelid = to_regclass(:table) AND conname = :constraint"
    " AND contype IN ('p', 'u', 'x'))"
)
IS_UNIQUE_BESIDES_CONSTRAINT = (
    f"(SELECT {_IS_UNIQUE_STILL.format(table='conrelid', index='conindid', keys='conkey')} FROM pg_constraint"
    " WHERE conrelid = to_regclass(:table) AND conname = :constraint AND contype IN ('p', 'u'))"
)
IS_UNIQUE_BESIDES_INDEX = (
    "(SELECT "
    + _IS_UNIQUE_STILL.format(table="i.indrelid", index="i.indexrelid", keys="(i.indkey::int2[])[0:i.indnkeyatts - 1]")
    + " FROM pg_index i WHERE indexrelid = to_regclass(:index))"
)
# Its table and its columns, NULL unless the index is unique and valid.
UNIQUE_INDEX = (
    "(SELECT relname::text || ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum > 0"
    " AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])) FROM pg_index JOIN pg_class c ON c.oid = indrelid"
    " WHERE indexrelid = to_regclass(:index) AND indisunique AND indisvalid)"
)

_REFERRED_TO = text(
    "SELECT DISTINCT other.relname::text FROM pg_constraint c JOIN pg_class other ON other.oid = confrelid"
    " WHERE conrelid = to_regclass(:table) AND contype = 'f' AND confrelid <> conrelid"
    " AND pg_table_is_visible(confrelid) AND (CAST(:constraint AS text) IS NULL OR conname = :constraint)"
    " AND (CAST(:column AS text) IS NULL OR EXISTS (SELECT FROM pg_attribute"
    " WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = :column))"
)

IS_RELATED = "EXISTS (SELECT FROM pg_inherits WHERE to_regclass(:table) IN (inhrelid, inhparent))"
# The nearest table of some, that is a whole or a part of another one by PARTITION OF or INHERITS, directly or not.
_RELATED_TO = text(
    "WITH RECURSIVE whole AS (SELECT inhparent AS oid, 1 AS level FROM pg_inherits WHERE inhrelid = to_regclass(:table)"
    " UNION ALL SELECT inhparent, level + 1 FROM pg_inherits JOIN whole ON inhrelid = whole.oid),"
    " part AS (SELECT inhrelid AS oid, 1 AS level FROM pg_inherits WHERE inhparent = to_regclass(:table)"
    " UNION ALL SELECT inhrelid, level + 1 FROM pg_inherits JOIN part ON inhparent = part.oid)"
    " SELECT oid::regclass::text FROM (SELECT * FROM whole UNION ALL SELECT * FROM part) related"
    " WHERE oid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:of AS text[])) name)) ORDER BY level LIMIT 1"
)

HAS_INDEX = "to_regclass(:index) IS NOT NULL"
HAS_INVALID_INDEX = (
    "EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND NOT (indisvalid AND indisready))"
)

HAS_TABLE = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table) AND relkind IN ('r', 'p'))"
# Whether the table still has the one name; NULL when neither name is a table's.
IS_NAMED = (
    "(SELECT CASE WHEN bool_or(oid = to_regclass(:table)) THEN true"
    " WHEN bool_or(oid = to_regclass(:renamed)) THEN false END FROM pg_class"
    " WHERE oid IN (to_regclass(:table), to_regclass(:renamed)) AND relkind IN ('r', 'p'))"
)
HAS_VIEW = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table) AND relkind = 'v')"


def column_parameters(table: str, column: str) -> dict[str, str]:
    return {"table": quote(table), "column": column}


def constraint_parameters(table: str, constraint: str) -> dict[str, str]:
    return {"table": quote(table), "constraint": constraint}


def connection() -> Connection | None:
    """To ask the catalog; None in --sql mode, in which no database is asked."""
    migration = op.get_context()
    return None if migration.as_sql else connection_of(migration)


def tables_locked(table: str, *, column: str | None = None, constraint: str | None = None) -> tuple[str, ...]:
    """Those that are locked while the table, or this column or constraint of it, is dropped: the table, and those that
    its foreign keys refer to. In --sql mode the table alone.
    """
    asked, parameters = connection(), {"table": quote(table), "column": column, "constraint": constraint}
    return (table, *(asked.scalars(_REFERRED_TO, parameters) if asked else ()))


def left_null(table: str, columns: Iterable[str]) -> list[str]:
    """Those columns that are NULL in a row whose writer does not name them. None in --sql mode."""
    asked = connection()
    return list(asked.scalars(_LEFT_NULL, {"table": quote(table), "names": list(columns)})) if asked else []


def answer(expression: str, parameters: dict[str, str]) -> Any:
    """The value of one of these expressions; None in --sql mode."""
    asked = connection()
    return None if asked is None else asked.scalar(text(f"SELECT {expression}"), parameters)


def related_to(connection: Connection, table: str, tables: Iterable[str]) -> str | None:
    """Return the one of `tables`, with their schemas, of which this table is a part or the whole; None: of none."""
    names = [".".join(map(quote, name.split("."))) for name in tables]
    found: str | None = connection.scalar(_RELATED_TO, {"table": quote(table), "of": names})
    return found


_COLUMN = "a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped"

STATE = text(
    f"SELECT format_type(a.atttypid, a.atttypmod), NOT {IS_NULLABLE}, pg_get_expr(adbin, adrelid),"
    " col_description(a.attrelid, a.attnum),"
    " CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END, s.seqrelid::regclass::text,"
    " format('START WITH %s INCREMENT BY %s CACHE %s', seqstart, seqincrement, seqcache)"
    " || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END"
    " FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = a.attrelid AND adnum = a.attnum"
    " LEFT JOIN (pg_depend o JOIN pg_sequence s ON s.seqrelid = o.objid AND o.classid = 'pg_class'::regclass)"
    " ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum"
    f" WHERE {_COLUMN}"
)

INDEXES = text(
    "SELECT c.relname::text, i.indisunique,"
    " CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END,"
    " CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END"
    " || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,"
    # The definition begins after the names, which may hold any word.
    " substr(pg_get_indexdef(c.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ',"
    " CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, n.nspname, t.relname)))"
    " FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
    " LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')"
    f" WHERE {_COLUMN} AND i.indisvalid AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))"
    " ORDER BY c.relname"
)

CHECKS = text(
    "SELECT conname::text FROM pg_attribute a JOIN pg_constraint ON conrelid = a.attrelid AND contype = 'c'"
    f" AND a.attnum = ANY (conkey) WHERE {_COLUMN} ORDER BY conname"
)


def _list(key: str, relation: str, name: str) -> str:
    """The columns of a key, as pg_get_constraintdef writes them."""
    return (
        f"(SELECT string_agg(quote_ident({name}), ', ' ORDER BY place) FROM unnest({key}) WITH ORDINALITY"
        f" AS k (attnum, place) JOIN pg_attribute x USING (attnum) WHERE x.attrelid = {relation})"
    )


_NAME = "x.attname"
_NAME_OR_SHADOW = "CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END"
_FROM = "'FOREIGN KEY (' || {0} || ')'"
_TO = "' REFERENCES ' || f.confrelid::regclass::text || '(' || {0} || ')'"
_KEY = _FROM.format(_list("f.conkey", "f.conrelid", _NAME))
_KEY_OF_SHADOW = _FROM.format(_list("f.conkey", "f.conrelid", _NAME_OR_SHADOW))
_REFERRED = _TO.format(_list("f.confkey", "f.confrelid", _NAME))
_REFERRED_SHADOW = _TO.format(_list("f.confkey", "f.confrelid", _NAME_OR_SHADOW))


def _foreign_keys(begin: str, shadowed: str, end: str) -> str:
    """The name, the two tables, and the definition in which `shadowed` takes the place of `begin`."""
    return (
        "SELECT f.conname::text, own.relname::text, other.relname::text,"
        f" {shadowed} || replace(substr(pg_get_constraintdef(f.oid), 1 + length({begin})), ' NOT VALID', '')"
        f" FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND {end}"
        " JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid"
        f" WHERE {_COLUMN} ORDER BY f.conname"
    )


FOREIGN_KEYS = text(_foreign_keys(_KEY, _KEY_OF_SHADOW, "f.conrelid = a.attrelid AND a.attnum = ANY (f.conkey)"))
REFERENCES = text(
    _foreign_keys(
        f"{_KEY} || {_REFERRED}",
        f"{_KEY} || {_REFERRED_SHADOW}",
        "f.confrelid = a.attrelid AND a.attnum = ANY (f.confkey)",
    )
)

# Indexes, sequences, the column's default and all constraints but EXCLUDE are carried over. What else depends on the
# column would stay with the old one.
OBSTACLES = text(
    "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_attribute a JOIN pg_depend d"
    " ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    " LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid"
    " LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid"
    " LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid"
    " LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid"
    f" WHERE {_COLUMN} AND NOT coalesce(c.relkind IN ('i', 'S') OR k.contype <> 'x' OR g.tgname = :own_trigger"
    " OR (f.adnum = a.attnum AND a.attgenerated = ''), false)"
    " UNION ALL SELECT 'partitioning or inheritance' FROM pg_class WHERE oid = CAST(:table AS regclass)"
    " AND (relkind <> 'r' OR relhassubclass OR relispartition)"
    " UNION ALL SELECT 'privileges on the column' FROM pg_attribute a"
    f" WHERE {_COLUMN} AND a.attacl IS NOT NULL"
)

TRIGGER_FUNCTIONS = text(
    "SELECT DISTINCT format('ALTER FUNCTION %s %s', p.oid::regprocedure,"
    " CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END)"
    " FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang AND lanname = 'plpgsql'"
    " WHERE tgrelid = CAST(:table AS regclass) AND NOT tgisinternal ORDER BY 1"
)
