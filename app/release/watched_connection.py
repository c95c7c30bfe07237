"""A driver's connection that asks somebody before each COMMIT, whoever sends it."""

from collections.abc import Callable

from psycopg2.extensions import connection
from sqlalchemy import Connection


class WatchedConnection(connection):
    """psycopg2's connection. SQLAlchemy, Alembic and a revision that reaches for the driver all commit through it.

    before_commit: raises to refuse; the transaction is rolled back then.
    """

    before_commit: Callable[[], None] | None = None

    def commit(self) -> None:
        if self.before_commit is not None and not self.autocommit:
            try:
                self.before_commit()
            except Exception:
                self.rollback()
                raise
        super().commit()


def is_autocommit(connection: Connection) -> bool:
    return bool(driver_connection(connection).autocommit)


def execute_raw(connection: Connection, sql: str) -> None:
    """Send transaction control past SQLAlchemy, which knows of no transaction in an autocommit block."""
    with driver_connection(connection).cursor() as cursor:
        cursor.execute(sql)


def driver_connection(connection: Connection) -> WatchedConnection:
    found = connection.connection.dbapi_connection
    assert isinstance(found, WatchedConnection)  # noqa: S101 - direct_engine() makes no others
    return found
