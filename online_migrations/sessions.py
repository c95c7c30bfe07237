"""Ask any connection, also one of a process that serves, which needs neither Alembic nor psycopg2 for that."""

from typing import Any

from sqlalchemy import Connection, CursorResult, text

# How to make a database that holds every text, and whose lower() knows every letter. Linux has this locale, and
# PostgreSQL itself from 17 on (LOCALE_PROVIDER builtin).
RIGHT = "ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C.UTF-8'"

_SCHEMA = text("SELECT current_schema()")
_SEARCH_PATH = text(
    "SELECT setting AS path, CASE source WHEN 'database' THEN format('ALTER DATABASE %I', current_database())"
    " WHEN 'user' THEN format('ALTER ROLE %I', session_user) WHEN 'database user'"
    " THEN format('ALTER ROLE %I IN DATABASE %I', session_user, current_database()) END AS setter"
    " FROM pg_settings WHERE name = 'search_path'"
)
_LOCALE = text("SELECT datctype FROM pg_database WHERE datname = current_database() AND lower('ÉЯI') <> 'éяi'")


def session_obstacle(connection: Connection) -> str:
    """Return why no session of this database or role will do, a clause; empty when it does."""
    assert connection.connection.dbapi_connection is not None  # noqa: S101 - it is open
    told = connection.connection.dbapi_connection.info.parameter_status
    if (encoding := told("server_encoding")) != "UTF8":
        return (
            f"The database {connection.engine.url.database} is encoded in {encoding}, which does not hold what people"
            f" write: CREATE DATABASE … {RIGHT}, restore into it, and set the URL"
        )
    if told("standard_conforming_strings") != "on":
        return (
            "standard_conforming_strings is off for this role or database, and SQL with a backslash would be read"
            " otherwise than it is meant: ALTER ROLE or ALTER DATABASE … RESET standard_conforming_strings"
        )
    if connection.scalar(_SCHEMA) is None:
        path, setter = connection.execute(_SEARCH_PATH).one()
        advice = f"{setter} RESET search_path" if setter else "CREATE SCHEMA …"
        return f"No schema of the search path ({path or 'which is empty'}) is there, or open to this role: {advice}"
    return ""


def locale_weakness(connection: Connection) -> str:
    """Return a sentence about a locale whose lower() leaves letters as they are, or makes others; else nothing.

    In C it knows ASCII alone, so what is searched in lower case misses É by é; in Turkish it makes ı of I.
    """
    locale = connection.scalar(_LOCALE)
    if locale is None:
        return ""
    return (
        f"By the locale of the database {connection.engine.url.database} ({locale}), lower() does not make é, я and i"
        " of É, Я and I, so what leaves that to the server finds less, or takes longer."
    )


def execute_verbatim(connection: Connection, sql: str) -> CursorResult[Any]:
    """Send SQL as it is. The driver does not look for parameters, so a % stays a %."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def is_open(connection: Connection) -> bool:
    """Tell whether it can still be asked: it was neither lost nor closed, which a revision may do too."""
    if connection.closed or connection.invalidated or not connection.connection.is_valid:
        return False
    driver: Any = connection.connection.dbapi_connection
    return not driver.closed
