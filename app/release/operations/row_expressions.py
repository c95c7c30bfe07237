"""SQL expressions over the columns of a row: what they read, and whether the server understands them."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, ProgrammingError

from app.release.connection import execute_verbatim
from app.release.errors import UnsafeOperation, server_message
from app.release.sql.dialect import quote


def differs(value: str, other: str, type_: str) -> str:
    """SQL that is true when two values of a type differ. PostgreSQL has no equality for json, so its text counts."""
    if type_.lower() == "json":
        return f"CAST({value} AS text) IS DISTINCT FROM CAST(({other}) AS text)"
    return f"{value} IS DISTINCT FROM ({other})"


def columns_read(connection: Connection, table: str, expression: str, type_: str) -> tuple[str, ...]:
    """The columns that an expression reads, as the server understands it. In autocommit mode.

    Nobody looks at a function's body before it runs, and then it would fail the requests. So the expression is tried
    first, in the condition of a view that is rolled back. No aggregate may stand in a condition.

    Raises:
        UnsafeOperation: the server does not understand it, or its type does not fit.
    """
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    try:
        execute_verbatim(connection, f"BEGIN; {_VIEW} AS SELECT FROM {quote(table)} WHERE {compared}")
        found = tuple(connection.scalars(_COLUMNS_READ, {"table": quote(table)}))
    except (ProgrammingError, DataError) as error:
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error
    finally:
        execute_verbatim(connection, "ROLLBACK")
    require_expression(connection, table, expression, type_, "*")
    return found


def require_expression(connection: Connection, table: str, expression: str, type_: str, columns: str) -> None:
    """Try an expression over a row of these columns, which is what a trigger gives it. In autocommit mode.

    Raises:
        UnsafeOperation: the server does not understand it, or its type does not fit.
    """
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    row = f"(SELECT {columns} FROM {quote(table)}) AS {quote(table)}"
    try:
        execute_verbatim(connection, f"BEGIN; {_VIEW} AS SELECT FROM {row} WHERE {compared}; ROLLBACK")
    except (ProgrammingError, DataError) as error:
        execute_verbatim(connection, "ROLLBACK")
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error


_VIEW = "CREATE TEMP VIEW dual_write_expression"
_COLUMNS_READ = text(
    "SELECT DISTINCT attname::text FROM pg_depend"
    " JOIN pg_rewrite r ON classid = 'pg_rewrite'::regclass AND objid = r.oid"
    " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
    " WHERE ev_class = 'pg_temp.dual_write_expression'::regclass AND refobjid = CAST(:table AS regclass) ORDER BY 1"
)
