"""Columns that a row leaves out: whether a CHECK takes such a row. The server is asked, with the defaults in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.release.effects.effect import Effect
from app.release.sql.dialect import quote
from app.release.watched_connection import driver_connection, execute_raw

# Not of a generated column: what stands in it comes from others.
_VALUES = text(
    "SELECT string_agg(format('%s AS %I', coalesce(pg_get_expr(adbin, adrelid),"
    " 'CAST(NULL AS ' || format_type(atttypid, atttypmod) || ')'), attname), ', ')"
    " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    " WHERE attrelid = to_regclass(:table) AND attname = ANY (:columns) AND attgenerated = ''"
)


def takes_row_without(connection: Connection, effect: Effect) -> bool:
    """Whether a row that leaves out the columns of the effect meets its CHECK. One that cannot be computed is not met.

    A CHECK is met unless it is false (PostgreSQL manual, "Check Constraints").
    """
    schema, _, table = effect.table.partition(".")
    of_table = {"table": f"{quote(schema)}.{quote(table)}", "columns": list(effect.columns)}
    values = connection.scalar(_VALUES, of_table)
    sql = f"SELECT coalesce({effect.check}, true) FROM (SELECT {values}) row_of_defaults"  # noqa: S608 - of the catalog
    try:
        with _kept_alive(connection):
            return bool(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar())
    except DBAPIError:
        return False


@contextmanager
def _kept_alive(connection: Connection) -> Iterator[None]:
    """The transaction, if there is one, goes on after an error."""
    if driver_connection(connection).info.transaction_status == TRANSACTION_STATUS_IDLE:
        yield
        return
    execute_raw(connection, "SAVEPOINT left_out")
    try:
        yield
    finally:
        execute_raw(connection, "ROLLBACK TO left_out; RELEASE left_out")
