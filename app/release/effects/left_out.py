"""Columns that a row leaves out: whether a CHECK is sure to take such a row, or to refuse it.

PostgreSQL's planner tells. In a query for the rows that the CHECK refuses, the columns that are left out are replaced
by their defaults, or NULL. When the planner folds the condition to false, there can be no such row.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.release.effects.effect import Effect
from app.release.effects.filled import FILLED_BY_TRIGGER
from app.release.sql.dialect import quote
from app.release.watched_connection import driver_connection, execute_raw

NOTHING: Mapping[str, str] = {}

_ROW = text(
    "SELECT string_agg(CASE WHEN CAST(:given AS jsonb) ? attname"  # noqa: S608 - of constants
    " THEN format('CAST(%s AS %s) AS %I', CAST(:given AS jsonb) ->> attname, format_type(atttypid, atttypmod), attname)"
    " WHEN attname <> ALL (:left_out) OR attgenerated <> '' OR attidentity <> ''"
    f" OR {FILLED_BY_TRIGGER}"
    " THEN quote_ident(attname) ELSE format('CAST(%s AS %s) AS %I',"
    " coalesce(pg_get_expr(adbin, adrelid), pg_get_expr(typdefaultbin, 0), 'NULL'),"
    " format_type(atttypid, atttypmod), attname) END, ', ')"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
    " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
)


def takes_rows_without(
    connection: Connection, effect: Effect, left_out: Collection[str], given: Mapping[str, str] = NOTHING
) -> bool:
    """Whether every row that leaves out these columns meets the CHECK of the effect, whatever stands in the others.

    Args:
        given: what such a row holds in some of them, as SQL, in place of their defaults.

    What a trigger may fill counts as one of the others. What cannot be computed beforehand, such as now(),
    counts as not met. A CHECK is met unless it is false (PostgreSQL manual, "Check Constraints").
    """
    return _is_never(connection, effect.table, left_out, given, f"NOT ({effect.check})")


def refuses_rows_without(
    connection: Connection, effect: Effect, left_out: Collection[str], given: Mapping[str, str] = NOTHING
) -> bool:
    """Whether no such row meets the CHECK, whatever stands in the others. What cannot be computed counts as met."""
    return _is_never(connection, effect.table, left_out, given, f"({effect.check}) IS NOT FALSE")


def _is_never(
    connection: Connection, table: str, left_out: Collection[str], given: Mapping[str, str], condition: str
) -> bool:
    schema, _, name = table.partition(".")
    table = f"{quote(schema)}.{quote(name)}"
    row = connection.scalar(_ROW, {"table": table, "left_out": list(left_out), "given": json.dumps(given)})
    rows = f"SELECT {row} FROM {table}"  # noqa: S608 - of the catalog
    sql = f"EXPLAIN (FORMAT JSON) SELECT FROM ({rows}) row_of_old_code WHERE {condition}"
    try:
        with tried(connection):
            [plan] = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar_one()
    except DBAPIError:
        return False
    return bool(plan["Plan"].get("One-Time Filter") == "false")


@contextmanager
def tried(connection: Connection) -> Iterator[None]:
    """Roll back what the block does. The transaction, if there is one, goes on, also after an error."""
    is_idle = driver_connection(connection).info.transaction_status == TRANSACTION_STATUS_IDLE
    execute_raw(connection, "BEGIN" if is_idle else "SAVEPOINT tried")
    try:
        yield
    finally:
        execute_raw(connection, "ROLLBACK" if is_idle else "ROLLBACK TO tried; RELEASE tried")
