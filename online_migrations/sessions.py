"""Ask any connection, also one of a process that serves, which needs neither Alembic nor psycopg2 for that."""

from typing import Any

from sqlalchemy import Connection, CursorResult


def session_obstacle(connection: Connection) -> str:
    """Return why no session of this database or role will do, a clause; empty when it does. The greeting says so."""
    assert connection.connection.dbapi_connection is not None  # noqa: S101 - it is open
    told = connection.connection.dbapi_connection.info.parameter_status
    if (encoding := told("server_encoding")) != "UTF8":
        return (
            f"The database {connection.engine.url.database} is encoded in {encoding}, which does not hold what people"
            " write: create another with ENCODING 'UTF8' TEMPLATE template0, restore into it, and set the URL"
        )
    if told("standard_conforming_strings") != "on":
        return (
            "standard_conforming_strings is off for this role or database, and SQL with a backslash would be read"
            " otherwise than it is meant: ALTER ROLE or ALTER DATABASE … RESET standard_conforming_strings"
        )
    return ""


def execute_verbatim(connection: Connection, sql: str) -> CursorResult[Any]:
    """Send SQL as it is. The driver does not look for parameters, so a % stays a %."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def is_open(connection: Connection) -> bool:
    """Tell whether it can still be asked: it was neither lost nor closed, which a revision may do too."""
    if connection.closed or connection.invalidated or not connection.connection.is_valid:
        return False
    driver: Any = connection.connection.dbapi_connection
    return not driver.closed
