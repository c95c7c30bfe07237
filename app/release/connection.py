"""The connection of a release: its own, direct, with limits that protect the site and not the migration."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app.release.errors import ReleaseError

APPLICATION_NAME = "semicircle-migrations"

# A request that needs the table queues behind a migration that waits for it, so this is the stall that a release may
# cost. Longer is no safer: 2 s made 5 % of the requests slower than a second where 300 ms made none.
LOCK_TIMEOUT = "300ms"

SESSION = {
    "lock_timeout": LOCK_TIMEOUT,
    "statement_timeout": "0",  # an index may take minutes; the deadline of the run is set before each attempt
    "idle_in_transaction_session_timeout": "60s",  # a frozen release must not hold its locks
    # Without it the backend of a killed release works on, and holds its locks, until it next speaks to its client.
    "client_connection_check_interval": "500ms",
}


def direct_engine() -> Engine:
    """An engine without a pool on MIGRATION_DATABASE_URL, else DATABASE_URL."""
    url = make_url(current_app.config["MIGRATION_DATABASE_URI"])
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    return create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            "application_name": APPLICATION_NAME,
            "connect_timeout": 10,
            "options": f"{url.query.get('options', '')} {settings}".strip(),
        },
    )


def connection_of(migration: MigrationContext) -> Connection:
    assert migration.connection is not None  # noqa: S101 - this is not --sql mode
    return migration.connection


@contextmanager
def direct_connection(engine: Engine) -> Iterator[Connection]:
    """A session that stays on one backend.

    Raises:
        ReleaseError: the database does not answer, or a pooler answers in its place.
    """
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise ReleaseError(_why_not(error)) from error
    with connection:
        if _is_pooled(connection):
            raise ReleaseError(
                "This URL leads to a connection pooler, behind which a session's locks and settings belong to whoever"
                " comes next. Set MIGRATION_DATABASE_URL to the database's direct URL and release again."
            )
        connection.commit()
        yield connection


def _why_not(error: OperationalError) -> str:
    reason = str(error.orig).splitlines()[0]
    if "startup parameter" in reason:  # what PgBouncer says of `options`
        return f"{reason}: a connection pooler. Set MIGRATION_DATABASE_URL to the database's direct URL."
    return f"{reason}. In development, `make dev` in another terminal starts a database."


def _is_pooled(connection: Connection) -> bool:
    """Whether the process that answers queries is another than the one that answered the connect.

    A pooler hands out cancel keys of its own, so the process id in them is not the backend's.
    """
    assert connection.connection.dbapi_connection is not None  # noqa: S101 - it was opened above
    announced: int = connection.connection.dbapi_connection.info.backend_pid
    answering: int = connection.scalar(text("SELECT pg_backend_pid()"))
    return announced != answering
