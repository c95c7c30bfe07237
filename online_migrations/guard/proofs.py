"""Proofs: what a step does to rows that nobody has written yet, as PostgreSQL's planner proves it.

When it folds a condition to false, no row can meet it. What it cannot prove counts as not so: another function, a
regular expression, or a list of more than 100 values (MAX_SAOP_ARRAY_SIZE in src/backend/optimizer/util/predtest.c).
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, InternalError, NotSupportedError, ProgrammingError

from online_migrations.connection import rolled_back, writable_transaction
from online_migrations.definitions import empty_copies, on_search_path
from online_migrations.guard.snapshot import FILLED_BY_TRIGGER, Effect
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import literal, quote, read_sql

_ROW = text(read_sql(__file__, "row.sql").text.replace("{FILLED_BY_TRIGGER}", FILLED_BY_TRIGGER))
_COLUMN_RULES = read_sql(__file__, "column_rules.sql")
_NUMBERED_COLUMNS = read_sql(__file__, "numbered_columns.sql")

_CHECK = re.compile(r"CHECK (?P<condition>\(.*\))", re.DOTALL)  # not so one that is NO INHERIT or NOT ENFORCED


def no_row_meets(connection: Connection, table: str, condition: str, values: Mapping[str, str | None]) -> bool:
    """Prove that no row of these values meets a condition, whatever stands in its other columns.

    Values are SQL; None: the row leaves the column to its default. What a trigger may fill counts as one of the others.
    What cannot be computed beforehand, such as now(), may meet the condition.
    """
    name = quoted(table)
    row = connection.scalar(_ROW, {"table": name, "values": json.dumps(values)})
    rows = f"SELECT {row} FROM {name}"  # noqa: S608 - of the catalog
    try:
        with rolled_back(connection):
            return _is_folded(connection, f"SELECT FROM ({rows}) row_of_old_code WHERE {condition}")
    except DBAPIError:
        return False


def takes_all(connection: Connection, table: str, old: str, new: str) -> bool:
    """Tell whether a row that the old CHECK takes is sure to be taken by the new one. Of others it is not known, nor
    where no temporary table is made, or a column is gone.

    With constraint exclusion, PostgreSQL does not read a table whose CHECK refutes the condition of a query. So the old
    CHECK is put on an empty copy of the table, and the query asks for rows that the new one refuses. NULL passes both.
    """
    wanted, (schema, _, name) = _CHECK.fullmatch(new), table.rpartition(".")
    if wanted is None or not _CHECK.fullmatch(old):
        return False
    fails = suppress(InternalError, NotSupportedError, ProgrammingError)
    path = on_search_path(connection, schema or None)
    with fails, writable_transaction(connection), path, empty_copies(connection, name):
        execute_verbatim(connection, f"ALTER TABLE {quote(name)} ADD {old}; SET LOCAL constraint_exclusion = on")
        return _is_folded(connection, f"SELECT FROM {quote(name)} WHERE NOT {wanted['condition']}")
    return False


def takes_default(connection: Connection, effect: Effect, written: frozenset[str]) -> bool:
    """Tell whether every row that leaves the column of the effect to the new default is taken.

    PostgreSQL computes a default with the row, so one that does not fit is not refused before. One that differs from
    row to row counts as it is now. Of numbers, as a sequence gives them, also those above are its own: a sequence that
    starts over meets the rows that are there. In the `written` columns such a row may hold anything.
    """
    table, column = quoted(effect.table), effect.column
    rules = connection.execute(_COLUMN_RULES, {"table": table, "column": column}).one_or_none()
    try:
        value, next_value = _computed(connection, rules.type, effect.default) if rules else (None, None)
    except DBAPIError:  # it cannot be computed, or does not fit the type
        return False
    if rules is None or (value is None and rules.required):  # renamed since
        return False
    given = literal(value)
    for check, columns in rules.checks:
        values = dict.fromkeys(set(columns) - written) | {column: given}
        if not no_row_meets(connection, effect.table, f"NOT ({check})", values):
            return False
    if value is None:
        return True
    if rules.is_unique:
        is_number = rules.type in ("smallint", "integer", "bigint")
        if value == next_value or (is_number and _is_any(connection, f"{table} WHERE {quote(column)} >= {given}")):
            return False
    return all(_is_any(connection, f"{referred} {given}") for referred in rules.referred)


def _computed(connection: Connection, type_: str, default: str) -> list[str | None]:
    """Return as text what two rows get."""
    if not default:
        return [None, None]
    with rolled_back(connection):
        sql = (
            f"CREATE TEMPORARY TABLE default_probe (value {type_});"  # noqa: S608 - of the catalog, and of the revision
            f" ALTER TABLE pg_temp.default_probe ALTER value SET DEFAULT {default};"
            " INSERT INTO pg_temp.default_probe VALUES (DEFAULT), (DEFAULT) RETURNING CAST(value AS text)"
        )
        return list(execute_verbatim(connection, sql).scalars())


def gives_new_numbers(connection: Connection, effect: Effect) -> bool:
    """Tell whether a sequence that was set back is still above the numbers of all rows, where an index says that."""
    columns = connection.execute(_NUMBERED_COLUMNS, {"sequence": effect.key[1] if effect.key else 0}).all()
    if not columns or not all(column.is_indexed for column in columns):
        return False
    following = f"last_value + CASE WHEN is_called THEN {columns[0].increment} ELSE 0 END"
    highest = (f"(SELECT coalesce(max({one.column_name}), 0) FROM {one.table_name})" for one in columns)  # noqa: S608
    return _is_any(connection, f"{columns[0].sequence} WHERE {following} > greatest({', '.join(highest)})")


def _is_folded(connection: Connection, query: str) -> bool:
    [explained] = execute_verbatim(connection, f"EXPLAIN (FORMAT JSON) {query}").scalar_one()
    return bool(explained["Plan"].get("One-Time Filter") == "false")


def _is_any(connection: Connection, rows: str) -> bool:
    return bool(execute_verbatim(connection, f"SELECT EXISTS (SELECT FROM {rows})").scalar_one())  # noqa: S608


def quoted(table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{quote(schema)}.{quote(name)}"
