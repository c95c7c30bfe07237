"""What `flask dev` asks the database: whether migrations are pending, and whether the worker has begun."""

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from app.release.schema_state import AT_HEAD, read_schema_state

_NEWEST_WORKER = text("SELECT coalesce(max(id), 0) FROM procrastinate_workers")


def engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)


def is_at_head(url: str) -> bool:
    """Whether `flask db upgrade` has nothing to do. A database that does not answer is left to that to explain."""
    try:
        with engine(url).connect() as connection:
            return read_schema_state(connection).name == AT_HEAD
    except SQLAlchemyError:
        return False


class NewWorker:
    """Waits for a worker that registers with the queue after this was made.

    Args:
        url: the database, with the tables of the queue.
    """

    def __init__(self, url: str) -> None:
        self._connection: Connection = engine(url).connect().execution_options(isolation_level="AUTOCOMMIT")
        self._before = self._newest()

    def has_begun(self) -> bool:
        return self._newest() > self._before

    def close(self) -> None:
        self._connection.close()

    def _newest(self) -> int:
        newest: int = self._connection.scalar(_NEWEST_WORKER)
        return newest
