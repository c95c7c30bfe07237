"""Advisory lock: one migration at a time in a database.

It is a session lock on the connection that migrates. When the connection dies, the lock goes with it.
"""

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, text

from app.release import options
from app.release.deadline import Deadline
from app.release.errors import DeadlineExceeded, ReleaseError

POLL = 0.5  # seconds between two tries

_TRY = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
# pg_locks shows a bigint key in two halves: the upper one as classid, the lower one as objid.
_HOLDER = text(
    "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'without a name') AS name,"
    " extract(epoch FROM clock_timestamp() - a.backend_start)::float AS age,"
    " CASE WHEN a.state LIKE 'idle%' THEN extract(epoch FROM clock_timestamp() - a.state_change)::float END AS idle_for"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

log = logging.getLogger(__name__)


class LockHolder(NamedTuple):
    """The session that holds the lock. Times in seconds."""

    pid: int
    name: str  # its application_name
    age: float
    idle_for: float | None  # since its last statement; None while one runs


def lock_key(name: str) -> int:
    """The key of a project's lock. It stays as it is: the release that is live may hold it while the next one waits.

    Args:
        name: the project's, from the options.
    """
    return zlib.crc32(f"{name}:migrations".encode())


@contextmanager
def migration_lock(connection: Connection, deadline: Deadline) -> Iterator[None]:
    """Take the lock, waiting for another migration to end, and release it afterwards.

    Raises:
        DeadlineExceeded: the other migration still ran at the deadline.
        ReleaseError: taking the lock left a transaction open.
    """
    while not _try(connection):
        if not deadline.left():
            raise DeadlineExceeded(
                "Another release held the migration lock until the deadline; see: flask release status"
            )
        log.info("waiting for another release: %s", _described(lock_holder(connection)))
        deadline.sleep(POLL)
    if connection.in_transaction():
        # Alembic would think that its caller owns the transaction. It would never commit, and exit with 0.
        raise ReleaseError("The migration lock left a transaction open, in which nothing would be kept.")
    try:
        yield
    finally:
        if not connection.invalidated:  # a lost connection has lost the lock too
            connection.rollback()
            connection.execute(_RELEASE, _key())
            connection.commit()


def lock_holder(connection: Connection) -> LockHolder | None:
    """The session that holds the lock now. Leaves the transaction open that reading began."""
    row = connection.execute(_HOLDER, _key()).one_or_none()
    return LockHolder(*row) if row else None


def _try(connection: Connection) -> bool:
    """Try once, without waiting in the server.

    A blocking pg_advisory_lock() holds a snapshot. CREATE INDEX CONCURRENTLY in the other session waits for all older
    snapshots to end. The two would deadlock.
    """
    taken = bool(connection.scalar(_TRY, _key()))
    connection.commit()
    return taken


def _key() -> dict[str, int]:
    return {"key": lock_key(options.current().name)}


def _described(holder: LockHolder | None) -> str:
    return f"pid={holder.pid} age={holder.age:.0f}s application={holder.name}" if holder else "it has just ended"
