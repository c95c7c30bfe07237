"""One release at a time: a session lock, taken on the connection that migrates, so that lock and work die together."""

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from app.release.deadline import Deadline
from app.release.errors import ReleaseError, StillBlocked

KEY = zlib.crc32(b"semicircle:migrations")
POLL = 0.5  # seconds

_TRY = text("SELECT pg_try_advisory_lock(:key)").bindparams(key=KEY)
_RELEASE = text("SELECT pg_advisory_unlock(:key)").bindparams(key=KEY)
# A bigint key stands in pg_locks as its upper half (classid) and its lower half (objid).
HOLDER = text(
    "SELECT a.pid, a.application_name, extract(epoch FROM now() - a.backend_start)::int AS age"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
).bindparams(key=KEY)

log = logging.getLogger(__name__)


@contextmanager
def migration_lock(connection: Connection, deadline: Deadline) -> Iterator[None]:
    """Hold the lock; wait for another release to end first.

    Raises:
        StillBlocked: the other release outlasted the deadline.
    """
    while not _try(connection):
        if not deadline.left():
            raise StillBlocked("Another release held the migration lock until the deadline; see: flask release status")
        log.info("waiting for another release: %s", _holder(connection))
        deadline.sleep(POLL)
    if connection.in_transaction():
        # Alembic would take it for somebody else's and never commit it: green, and nothing done.
        raise ReleaseError("The migration lock left a transaction open, in which nothing would be kept.")
    try:
        yield
    finally:
        if not connection.invalidated:  # a lost connection has lost the lock with it
            connection.rollback()
            connection.execute(_RELEASE)
            connection.commit()


def _try(connection: Connection) -> bool:
    """Ask once and never wait inside the server.

    A waiting pg_advisory_lock() holds a snapshot, for whose end the other's CREATE INDEX CONCURRENTLY waits: deadlock.
    """
    taken = bool(connection.scalar(_TRY))
    connection.commit()
    return taken


def _holder(connection: Connection) -> str:
    row = connection.execute(HOLDER).one_or_none()
    connection.commit()
    return f"pid={row.pid} age={row.age}s application={row.application_name}" if row else "it has just ended"
