"""A driver's connection that asks somebody before each statement and each COMMIT, whoever sends it."""

from collections.abc import Callable
from typing import Any

from psycopg2.extensions import connection, cursor
from sqlalchemy import Connection


class WatchedCursor(cursor):
    """psycopg2's cursor. It tells its connection of each statement before that is sent."""

    def _tell(self) -> None:
        if isinstance(self.connection, WatchedConnection) and self.connection.on_statement is not None:
            self.connection.on_statement()

    def execute(self, query: Any, vars: Any = None) -> None:
        self._tell()
        super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._tell()
        super().executemany(query, vars_list)

    def callproc(self, procname: Any, parameters: Any = None) -> None:
        self._tell()
        super().callproc(procname, *([] if parameters is None else [parameters]))

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self._tell()
        super().copy_expert(sql, file, size)

    def copy_from(self, file: Any, table: Any, *options: Any, **named: Any) -> None:
        self._tell()
        super().copy_from(file, table, *options, **named)


class WatchedConnection(connection):
    """psycopg2's connection. SQLAlchemy, Alembic and a revision that reaches for the driver all go through it.

    before_commit: raises to refuse; the transaction is rolled back then.
    on_statement, on_rollback: raise to refuse; nothing is sent then.
    """

    before_commit: Callable[[], None] | None = None
    on_statement: Callable[[], None] | None = None
    on_rollback: Callable[[], None] | None = None

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        return super().cursor(*arguments, **{"cursor_factory": WatchedCursor, **named})

    def commit(self) -> None:
        if self.before_commit is not None and not self.autocommit:
            try:
                self.before_commit()
            except Exception:
                if not self.closed:
                    super().rollback()
                raise
        super().commit()

    def rollback(self) -> None:
        if self.on_rollback is not None:
            self.on_rollback()
        super().rollback()


def is_autocommit(connection: Connection) -> bool:
    return bool(driver_connection(connection).autocommit)


def execute_raw(connection: Connection, sql: str) -> None:
    """Send transaction control without SQLAlchemy, which sees no transaction in an autocommit block."""
    with driver_connection(connection).cursor(cursor_factory=cursor) as plain_cursor:
        plain_cursor.execute(sql)


def driver_connection(connection: Connection) -> WatchedConnection:
    found = connection.connection.dbapi_connection
    assert isinstance(found, WatchedConnection)  # noqa: S101 - direct_engine() makes no others
    return found
