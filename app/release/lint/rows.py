"""Rows for a scratch database: some in every table, so that a step is judged on a schema that is in use."""

from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from app.release.backfills import records
from app.release.backfills.table import completion, take_search_path
from app.release.effects.record import MANY_ROWS
from app.release.ledger import TOOL_TABLES
from app.release.operations.backfill_batches import BackfillQuery

ROWS = MANY_ROWS + 200  # in a table; more than a step may write at once

# Tables after those that they refer to. A column that has a default or is numbered is left out.
_TABLES = text(
    """
SELECT c.oid::int AS oid, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relname <> ALL (:tools)
ORDER BY (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'), c.oid
""".replace("::", r"\:\:")
).bindparams(tools=list(TOOL_TABLES))
_COLUMNS = text(
    """
SELECT quote_ident(a.attname) AS name, a.attnotnull AS is_required,
  format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type,
  t.typtype::text AS kind, t.typcategory::text AS category, format_type(t.oid, a.atttypmod) AS full_type,
  CASE WHEN a.atttypmod > 4 AND t.typcategory = 'S' THEN a.atttypmod - 4 ELSE 100 END AS length,
  (SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) AS label,
  (SELECT format('(SELECT %I FROM %s ORDER BY 1 OFFSET (n - 1) %% greatest((SELECT count(*) FROM %s), 1) LIMIT 1)',
     r.attname, k.confrelid::regclass, k.confrelid::regclass)
   FROM pg_constraint k JOIN pg_attribute r ON r.attrelid = k.confrelid
     AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
   WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1) AS parent
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.atthasdef
  AND a.attidentity = '' ORDER BY a.attnum
""".replace("::", r"\:\:")
)

# By type, or by category of types (PostgreSQL manual, pg_type.typcategory); n counts from 1.
_VALUES = {
    "uuid": "md5(n::text)::uuid",
    "bytea": "decode(md5(n::text), 'hex')",
    "json": "'{}'",
    "jsonb": "'{}'",
    "inet": "'127.0.0.1'",
    "N": "n",
    "S": "left('x' || n, LENGTH)",
    "B": "n % 2 = 0",
    "D": "now() - n * interval '1 minute'",
    "T": "n * interval '1 minute'",
    "A": "'{}'",
    "R": "'empty'",
}


def fill(connection: Connection) -> None:
    """Give each table that is empty ROWS rows: with a value in every column, or else in the required ones; or one row,
    or none, if a rule does not allow more.
    """
    for table in connection.execute(_TABLES).all():
        if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table.name})")):  # noqa: S608 - quoted by the server
            columns = list(connection.execute(_COLUMNS, {"oid": table.oid}))
            every = {row.name: _value(row) for row in columns}
            required = {row.name: every[row.name] for row in columns if row.is_required}
            for values, number in ((every, ROWS), (required, ROWS), (required, 1)):
                if _insert(connection, table.name, values, number):
                    break
    connection.commit()


def empty(connection: Connection) -> None:
    """Take all rows out again."""
    names = [table.name for table in connection.execute(_TABLES).all()]
    if names:
        connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))
    connection.commit()


def end_backfills(connection: Connection) -> None:
    """Do what a worker does between two releases: fill what the revisions before left to it."""
    for backfill in records.unfinished_backfills(connection):
        query = BackfillQuery(backfill.table_name, backfill.set_sql, backfill.where_sql, backfill.pk)
        with suppress(DBAPIError), connection.begin_nested():  # rows of our making may refuse
            take_search_path(connection, backfill.search_path)
            query.fill_batch(connection, None, ROWS)
        connection.execute(completion(backfill.name, ROWS))
    connection.commit()


def _value(column: Row[Any]) -> str:
    if column.parent:
        return str(column.parent)
    if column.label:
        return str(column.label)
    template = _VALUES.get(column.type) or _VALUES.get(column.category) or "NULL"
    return f"({template.replace('LENGTH', str(column.length))})::{column.full_type}"


def _insert(connection: Connection, table: str, columns: dict[str, str], rows: int) -> bool:
    names = f"({', '.join(columns)})" if columns else ""
    values = ", ".join(columns.values())
    sql = f"INSERT INTO {table} {names} SELECT {values} FROM generate_series(1, {rows}) n"  # noqa: S608 - likewise
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    except DBAPIError:  # a CHECK, or a key that these values do not meet
        return False
    return True
