"""Database connections of a release: direct (no pooler), unpooled, with lock_timeout and the other session limits.

Their driver's connection asks the guard before each statement and each COMMIT, whoever sends it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any, Protocol

from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection, cursor
from psycopg2.sql import Composable
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from online_migrations import options
from online_migrations.errors import ReleaseError, server_message
from online_migrations.sessions import execute_verbatim, session_obstacle

DRIVER = "postgresql+psycopg2"  # whatever the project itself uses; SQLAlchemy 2.1 reads postgresql:// as psycopg 3

# Requests queue behind a migration that waits for a lock, so this is the longest stall that one attempt may cause.
# With 2 s, 5 % of the requests took more than a second; with 300 ms, none did.
LOCK_TIMEOUT = "300ms"

SESSION_SETTINGS = {
    "lock_timeout": LOCK_TIMEOUT,
    "statement_timeout": "0",  # an index may take minutes; the runner sets the deadline before each attempt
    "idle_in_transaction_session_timeout": "60s",  # a process that hangs must not hold its locks
    # Without this, the backend of a killed process keeps its locks until it next writes to its client.
    "client_connection_check_interval": "500ms",
    # Queries on the catalog are long and read few rows: compiling one takes 0.3 s, and running it 0.02 s.
    "jit": "off",
    "quote_all_identifiers": "off",  # the catalog's definitions are compared with ours
}

# "sorry, too many clients already", "too many connections for role …" (or database), "remaining connection slots are
# reserved for …".
FULL = ("too many clients", "too many connections", "connection slots are reserved")

READ_ONLY_SECONDS = 10  # statement_timeout of a command that only reads
READ_ONLY_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": f"{READ_ONLY_SECONDS}s"}


def direct_engine(database: str | None = None, url: str | None = None, *, reads_only: bool = False) -> Engine:
    """Return an engine without a pool on the project's direct URL, or another database or URL."""
    target = make_url(url or options.current().url)
    name = f"{options.current().name}-{'release' if reads_only else 'migrations'}"
    return _engine(target.set(drivername=DRIVER, database=database or target.database), name, reads_only)


@lru_cache(maxsize=8)  # it holds no connection, and keeps the queries that SQLAlchemy has compiled
def _engine(url: URL, application_name: str, reads_only: bool) -> Engine:
    given = SESSION_SETTINGS | READ_ONLY_SETTINGS if reads_only else SESSION_SETTINGS
    settings = " ".join(f"-c {name}={value}" for name, value in given.items())
    arguments = {
        "application_name": application_name,
        "connect_timeout": 10,
        "client_encoding": "utf8",  # whatever the role has, or PGCLIENTENCODING
        "connection_factory": WatchedConnection,
        "options": f"{url.query.get('options', '')} {settings}".strip(),
    }
    return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)


@contextmanager
def direct_connection(engine: Engine) -> Iterator[Connection]:
    """Open a connection that stays on one PostgreSQL backend, as session locks and SET need.

    Raises: ReleaseError, if the database has no connection left or cannot be used so, or behind a connection pooler.
    """
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise _connection_failure(error) from error
    with connection:
        # A pooler announces a process id of its own on connect.
        if driver_connection(connection).info.backend_pid != connection.scalar(text("SELECT pg_backend_pid()")):
            raise ReleaseError(
                "This URL leads to a connection pooler, behind which a session's locks are those of whoever comes next."
                f" Set {options.current().url_variable} to the database's direct URL and release again."
            )
        if wrong := session_obstacle(connection):
            raise ReleaseError(f"{wrong}.")
        connection.commit()
        yield connection


@contextmanager
def read_only_connection() -> Iterator[Connection]:
    """Open a direct connection in read-only mode, with a statement_timeout of READ_ONLY_SECONDS."""
    with direct_connection(direct_engine(reads_only=True)) as connection:
        try:
            yield connection
        except OperationalError as error:
            why = f"The database did not answer ({server_message(error)})"
            raise ReleaseError(f"{why}; try again: flask release status") from error


@contextmanager
def writable_transaction(connection: Connection) -> Iterator[None]:
    """Allow temporary tables in the transaction, or, on a read_only_connection(), in one that is rolled back."""
    if connection.scalar(text("SHOW transaction_read_only")) == "off":
        yield
        return
    connection.rollback()
    try:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        yield
    finally:
        connection.rollback()


def connection_of(migration: MigrationContext) -> Connection:
    """Return the connection of a migration that runs on a database, not in --sql mode."""
    assert migration.connection is not None  # noqa: S101 - callers have ruled out --sql mode
    return migration.connection


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    """Roll back what the block does. The transaction, if there is one, goes on, also after an error."""
    driver: Any = connection.connection.dbapi_connection
    begins = driver.autocommit and driver.info.transaction_status == TRANSACTION_STATUS_IDLE
    execute_verbatim(connection, "BEGIN" if begins else "SAVEPOINT tried")
    try:
        yield
    finally:
        execute_verbatim(connection, "ROLLBACK" if begins else "ROLLBACK TO tried; RELEASE tried")


def _connection_failure(error: OperationalError) -> ReleaseError:
    """Explain it by the words of the server: the driver gives no SQLSTATE of a connection that was not made."""
    reason = server_message(error)
    if "startup parameter" in reason:  # PgBouncer refuses `options` with these words
        variable = options.current().url_variable
        return ReleaseError(f"{reason}: a connection pooler. Set {variable} to the database's direct URL.")
    if any(words in reason for words in FULL):
        return ReleaseError(
            f"{reason}. No connection is left for the release, and nothing was changed. Stop a process of the live"
            " release, such as its worker, or one that is not ours, and release again. During a deploy, the processes"
            " of the live release and of the new one run side by side, and the release uses 2 connections more."
        )
    return ReleaseError(f"{reason}. {options.current().unreachable_advice}".rstrip())


class Watcher(Protocol):
    """Be told of each statement, COMMIT and ROLLBACK of a connection, whoever sends it. Raise to refuse one."""

    def statement(self, sql: str) -> AbstractContextManager[None]: ...

    def before_commit(self) -> None: ...

    def before_rollback(self) -> None: ...


class WatchedCursor(cursor):
    """Tell the watcher of psycopg2's connection of each statement."""

    def execute(self, query: Any, vars: Any = None) -> None:
        self._watched(query, super().execute, query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._watched(query, super().executemany, query, vars_list)

    def callproc(self, procname: Any, parameters: Any = None) -> None:
        self._watched(f"SELECT {procname}()", super().callproc, procname, parameters)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self._watched(sql, super().copy_expert, sql, file, size)

    def copy_from(self, file: Any, table: Any, *options: Any, **named: Any) -> None:
        self._watched(f"COPY {table} FROM STDIN", super().copy_from, file, table, *options, **named)

    def _watched(self, query: Any, send: Callable[..., None], *arguments: Any, **named: Any) -> None:
        watcher = self.connection.watcher if isinstance(self.connection, WatchedConnection) else None
        query = query.as_string(self) if isinstance(query, Composable) else query
        sql = query.decode() if isinstance(query, bytes) else str(query)
        with watcher.statement(sql) if watcher else nullcontext():
            send(*arguments, **named)


class WatchedConnection(connection):
    """psycopg2's connection. SQLAlchemy, Alembic and a revision that reaches for the driver all go through it."""

    watcher: Watcher | None = None

    def cursor(self, name: Any = None, cursor_factory: Any = None, *arguments: Any, **named: Any) -> Any:
        """Return a cursor of the wanted kind, such as DictCursor, that is watched."""
        watched = type("Watched", (WatchedCursor, cursor_factory or cursor), {})
        return super().cursor(name, watched, *arguments, **named)

    def send_unwatched(self, sql: str) -> None:
        """Send transaction control without SQLAlchemy, which sees no transaction in an autocommit block."""
        with super().cursor(cursor_factory=cursor) as plain_cursor:
            plain_cursor.execute(sql)

    def commit(self) -> None:
        """Commit what the watcher allows. Refused, the transaction is rolled back."""
        if self.watcher is not None and not self.autocommit:
            try:
                self.watcher.before_commit()
            except Exception:
                if not self.closed:
                    super().rollback()
                raise
        super().commit()

    def rollback(self) -> None:
        if self.watcher is not None:
            self.watcher.before_rollback()
        super().rollback()


def driver_connection(connection: Connection) -> WatchedConnection:
    found = connection.connection.dbapi_connection
    assert isinstance(found, WatchedConnection)  # noqa: S101 - direct_engine() makes no others
    return found
