"""Questions to the system catalogs, with their parameters bound. Tables are found on the search path, as DDL does."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Connection, text

from online_migrations.connection import connection_of
from online_migrations.guard.snapshot import FILLED_BY_TRIGGER
from online_migrations.sql import quote


class Question(NamedTuple):
    """Hold an SQL expression. It answers None if what it names does not exist, and in --sql mode, which asks nobody."""

    sql: str
    parameters: dict[str, Any]

    def __invert__(self) -> "Question":
        return Question(f"NOT ({self.sql})", self.parameters)

    def __and__(self, other: "Question") -> "Question":
        return Question(f"({self.sql}) AND ({other.sql})", self.parameters | other.parameters)

    def __or__(self, other: "Question") -> "Question":
        return Question(f"({self.sql}) OR ({other.sql})", self.parameters | other.parameters)

    def asked(self, connection: Connection) -> Any:
        return connection.scalar(text(f"SELECT {self.sql}"), self.parameters)

    def answer(self) -> Any:
        asked = connection()
        return None if asked is None else self.asked(asked)


def connection() -> Connection | None:
    """Return the connection of the migration; None in --sql mode."""
    migration = op.get_context()
    return None if migration.as_sql else connection_of(migration)


def _exists(rows: str, **parameters: Any) -> Question:
    return Question(f"EXISTS (SELECT FROM {rows})", parameters)


COLUMN = "a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped"
# PostgreSQL 18 has NOT NULL … NOT VALID. It sets attnotnull although old rows may hold NULL; count that as nullable.
NULLABLE = (
    "NOT a.attnotnull OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid"
    " AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum] AND NOT c.convalidated)"
)
SAME_TYPE = "lower(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar')) = :type"


def of_column(table: str, column: str) -> dict[str, str]:
    """Return the parameters of COLUMN."""
    return {"table": quote(table), "column": column}


def has_column(table: str, column: str) -> Question:
    return _exists(f"pg_attribute a WHERE {COLUMN} AND attnum > 0", **of_column(table, column))


def _fact(expression: str, table: str, column: str, **more: str) -> Question:
    return Question(f"(SELECT {expression} FROM pg_attribute a WHERE {COLUMN})", of_column(table, column) | more)


def is_nullable(table: str, column: str) -> Question:
    return _fact(NULLABLE, table, column)


def has_default(table: str, column: str) -> Question:
    return _fact("atthasdef OR attidentity <> ''", table, column)


def is_required(table: str, column: str) -> Question:
    """Ask if an INSERT that leaves the column out fails."""
    return _fact("attnotnull AND NOT atthasdef AND attidentity = ''", table, column)


def is_computed(table: str, column: str) -> Question:
    return _fact("attgenerated <> ''", table, column)


def has_type(table: str, column: str, type_: str) -> Question:
    return _fact(SAME_TYPE, table, column, type=type_.lower().replace("character varying", "varchar"))


def text_length(table: str, column: str) -> Question:
    """Ask for the maximum length of a text: for VARCHAR(n), atttypmod is n + 4. TEXT has no limit. NULL: no text."""
    limit = "CASE WHEN atttypmod > 4 THEN atttypmod - 4 ELSE 1073741824 END"
    return _fact(f"CASE WHEN atttypid IN ('varchar'::regtype, 'text'::regtype) THEN {limit} END", table, column)


def has_enum_value(enum: str, value: str) -> Question:
    is_it = "enumtypid = CAST(:enum AS regtype) AND enumlabel = :value"
    return _exists(f"pg_enum WHERE {is_it}", enum=quote(enum), value=value)


_LEFT_NULL = text(
    "SELECT attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
    " WHERE attrelid = to_regclass(:table) AND attname = ANY (:names) AND NOT attisdropped AND NOT attnotnull"
    f" AND NOT atthasdef AND attidentity = '' AND typdefault IS NULL AND NOT {FILLED_BY_TRIGGER}"
)


def left_null(table: str, columns: Iterable[str]) -> list[str]:
    """Return those columns that are NULL in a row whose writer does not name them. None in --sql mode."""
    asked = connection()
    return list(asked.scalars(_LEFT_NULL, {"table": quote(table), "names": list(columns)})) if asked else []


_CONSTRAINT = "pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint"


def has_constraint(table: str, name: str) -> Question:
    return _exists(_CONSTRAINT, table=quote(table), constraint=name)


def is_not_valid(table: str, name: str) -> Question:
    """Ask if there is such a constraint, which no VALIDATE has looked at yet."""
    return _exists(f"{_CONSTRAINT} AND NOT convalidated", table=quote(table), constraint=name)


# Another index finds one row for the values of the same columns.
_UNIQUE_STILL = (
    "EXISTS (SELECT FROM pg_index other WHERE other.indrelid = {table} AND other.indexrelid <> {index}"
    " AND other.indisunique AND other.indisvalid AND other.indpred IS NULL AND other.indexprs IS NULL"
    " AND ARRAY(SELECT unnest((other.indkey::int2[])[0:other.indnkeyatts - 1]) ORDER BY 1)"
    " = ARRAY(SELECT unnest({keys}) ORDER BY 1))"
)


def relied_on(table: str, name: str) -> Question:
    """Ask what code may rely on in a constraint that does more than refuse: its kind, its columns; NULL: nothing.

    A CHECK only refuses, and so does a foreign key that deletes and updates nothing. A key that another index has too
    stays.
    """
    still = _UNIQUE_STILL.format(table="conrelid", index="conindid", keys="conkey")
    return Question(
        "(SELECT contype::text || ARRAY(SELECT attname::text FROM pg_attribute"
        " WHERE attrelid = conrelid AND attnum = ANY (conkey)) FROM pg_constraint"
        f" WHERE conrelid = to_regclass(:table) AND conname = :constraint AND (contype IN ('p', 'u') AND NOT {still}"
        " OR contype = 'x' OR confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')))",
        {"table": quote(table), "constraint": name},
    )


def unique_index(name: str) -> Question:
    """Ask for the table and the columns that only this valid unique index keeps unique; NULL: it keeps none."""
    keys = "(i.indkey::int2[])[0:i.indnkeyatts - 1]"
    still = _UNIQUE_STILL.format(table="i.indrelid", index="i.indexrelid", keys=keys)
    return Question(
        "(SELECT relname::text || ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid"
        f" AND attnum > 0 AND attnum = ANY ({keys})) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        f" WHERE i.indexrelid = to_regclass(:index) AND i.indisunique AND i.indisvalid AND NOT {still})",
        {"index": quote(name)},
    )


def has_index(name: str) -> Question:
    return Question("to_regclass(:index) IS NOT NULL", {"index": quote(name)})


def has_invalid_index(name: str) -> Question:
    return _exists(
        "pg_index WHERE indexrelid = to_regclass(:index) AND NOT (indisvalid AND indisready)", index=quote(name)
    )


def is_relation(name: str, kinds: str) -> Question:
    """Ask if the name is of one of these kinds, as pg_class.relkind has them: r and p are tables, v is a view."""
    is_one = "oid = to_regclass(:table) AND strpos(:kinds, CAST(relkind AS text)) > 0"
    return _exists(f"pg_class WHERE {is_one}", table=quote(name), kinds=kinds)


def is_named(name: str, other: str) -> Question:
    """Ask if the table has the one name, not the other; NULL: neither name is a table's."""
    return Question(
        "(SELECT CASE WHEN bool_or(oid = to_regclass(:table)) THEN true"
        " WHEN bool_or(oid = to_regclass(:renamed)) THEN false END FROM pg_class"
        " WHERE oid IN (to_regclass(:table), to_regclass(:renamed)) AND relkind IN ('r', 'p'))",
        {"table": quote(name), "renamed": quote(other)},
    )


_REFERRED_TO = text(
    "SELECT DISTINCT other.relname::text FROM pg_constraint c JOIN pg_class other ON other.oid = confrelid"
    " WHERE conrelid = to_regclass(:table) AND contype = 'f' AND confrelid <> conrelid"
    " AND pg_table_is_visible(confrelid) AND (CAST(:constraint AS text) IS NULL OR conname = :constraint)"
    " AND (CAST(:column AS text) IS NULL OR EXISTS (SELECT FROM pg_attribute"
    " WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = :column))"
)


def tables_locked(table: str, *, column: str | None = None, constraint: str | None = None) -> tuple[str, ...]:
    """Return the tables that are locked while this one, or its column or constraint, is dropped: also those that its
    foreign keys refer to. In --sql mode the table alone.
    """
    asked, parameters = connection(), {"table": quote(table), "column": column, "constraint": constraint}
    return (table, *(asked.scalars(_REFERRED_TO, parameters) if asked else ()))


def is_related(table: str) -> Question:
    """Ask if the table is a part, or has parts."""
    return _exists("pg_inherits WHERE to_regclass(:table) IN (inhrelid, inhparent)", table=quote(table))


# The nearest table of some, that is a whole or a part of another one by PARTITION OF or INHERITS, directly or not.
_RELATED_TO = text(
    "WITH RECURSIVE whole AS (SELECT inhparent AS oid, 1 AS level FROM pg_inherits WHERE inhrelid = to_regclass(:table)"
    " UNION ALL SELECT inhparent, level + 1 FROM pg_inherits JOIN whole ON inhrelid = whole.oid),"
    " part AS (SELECT inhrelid AS oid, 1 AS level FROM pg_inherits WHERE inhparent = to_regclass(:table)"
    " UNION ALL SELECT inhrelid, level + 1 FROM pg_inherits JOIN part ON inhparent = part.oid)"
    " SELECT oid::regclass::text FROM (SELECT * FROM whole UNION ALL SELECT * FROM part) related"
    " WHERE oid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:of AS text[])) name)) ORDER BY level LIMIT 1"
)


def related_to(connection: Connection, table: str, tables: Iterable[str]) -> str | None:
    """Return the one of `tables`, with their schemas, of which this table is a part or the whole; None: of none."""
    names = [".".join(map(quote, name.split("."))) for name in tables]
    found: str | None = connection.scalar(_RELATED_TO, {"table": quote(table), "of": names})
    return found
