"""Locks of a migration: the advisory lock, the deadline, retries, and who blocks and waits.

The advisory lock lets one migration at a time into a database. A short lock_timeout and retries keep requests from
queueing for long behind a migration that waits. A thread with its own connection looks at who blocks and who waits:
lock_timeout bounds only the wait for a lock, not how long a step then holds it.
"""

import logging
import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from online_migrations import options
from online_migrations.errors import DeadlineExceeded, RequestsHeldUp
from online_migrations.sessions import is_open
from online_migrations.sql import read_queries

# Heroku kills a release phase after an hour (devcenter.heroku.com/articles/release-phase). We stop ten minutes earlier,
# at a complete revision and with a message that says what was in the way.
DEFAULT_SECONDS = 3000.0
LOCK_POLL = 0.5  # seconds between two tries of the advisory lock

POLL = 0.1  # seconds: a third of lock_timeout, so a wait is seen at least twice
REPORT_EVERY = 10.0  # seconds; for waits that block nobody and may be long
MOST_NAMED = 5  # sessions in one line of the log
# Seconds that a request may wait for what a step holds; then its connection is ended, also while Python computes and
# there is no statement to cancel. With the time between two looks, and to roll back, no request waits longer than a
# second, as a release promises.
LONGEST_WAIT = 0.8

# Seconds between two attempts. Requests that queued behind one must be served before the next: with pauses near zero
# the slowest request took twice as long. They vary, so that two migrations that collided do not collide again (AWS
# Architecture Blog, "Exponential Backoff And Jitter", 2015).
PAUSES = (1.5, 5.0)

# SQLSTATE codes (PostgreSQL manual, appendix "PostgreSQL Error Codes").
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
QUERY_CANCELED = "57014"  # by statement_timeout, which the runner sets to what is left until the deadline

QUERIES = read_queries(__file__, "locks.sql")

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Deadline:
    """A point in time at which lock waits, retries and backfill batches of a run end; and what was in the way."""

    def __init__(self, seconds: float = DEFAULT_SECONDS) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self.blocked_by = "no session that was seen"  # an attempt may be too short to see anybody
        self.retries = 0
        self.may_hold_up = False  # requests may wait for it: an excused() statement has run in the revision
        self.held_up: str | None = None  # why the work was ended for a request, a sentence

    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def milliseconds(self) -> int:
        """Return what is left, for statement_timeout. Never 0, which means no limit there."""
        return int(self.left() * 1000) + 1

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, self.left()))


@contextmanager
def migration_lock(connection: Connection, deadline: Deadline) -> Iterator[None]:
    """Take the advisory lock, waiting for another migration to end, and release it afterwards.

    It tries without waiting in the server. There a blocking pg_advisory_lock() holds a snapshot, and a CREATE INDEX
    CONCURRENTLY of the other session waits for all older snapshots to end: the two would deadlock.
    """
    while not connection.scalar(QUERIES["try"], _key()):
        if not deadline.left():
            raise DeadlineExceeded("Another release held the migration lock until the deadline: flask release status")
        log.info("waiting for another release: %s", lock_holder(connection) or "it has just ended")
        connection.commit()
        deadline.sleep(LOCK_POLL)
    connection.commit()
    try:
        yield
    finally:
        if is_open(connection):  # a lost connection has lost the lock too
            connection.rollback()
            connection.execute(QUERIES["release"], _key())
            connection.commit()


def lock_holder(connection: Connection) -> str | None:
    """Tell which session holds the lock now; None: none does. Leaves the transaction open that reading began."""
    row = connection.execute(QUERIES["holder"], _key()).one_or_none()
    return f"pid={row.pid} age={row.age:.0f}s application={row.name}" if row else None


def lock_key(name: str) -> int:
    """Return the key of a project's lock. It never changes: the live release may hold it while the next one waits."""
    return zlib.crc32(f"{name}:migrations".encode())


def _key() -> dict[str, int]:
    return {"key": lock_key(options.current().name)}


@contextmanager
def watch_blockers(engine: Engine, connection: Connection, deadline: Deadline) -> Iterator[None]:
    """Watch which sessions block `connection`. When a request waits too long for what it holds, end its work."""
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    connection.commit()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(engine, pid, deadline, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(engine: Engine, pid: int, deadline: Deadline, ended: threading.Event) -> None:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            unblocked_at = time.monotonic()
            while not ended.wait(POLL):
                rows = connection.execute(QUERIES["look"], {"pid": pid, "longest": LONGEST_WAIT}).all()
                waiting = [row for row in rows if not row.blocks]  # the longest first
                if waiting and not deadline.may_hold_up:
                    deadline.held_up = _held_up(waiting[0])
                    connection.execute(QUERIES["terminate"], {"pid": pid})
                    return  # another session may get its pid
                blocking = [row for row in rows if row.blocks][:MOST_NAMED]
                if not blocking:
                    unblocked_at = time.monotonic()
                    continue
                told = (f"pid={r.pid} age={r.seconds:.0f}s application={r.name} state={r.state}" for r in blocking)
                deadline.blocked_by = ", ".join(told)
                if time.monotonic() - unblocked_at > REPORT_EVERY:
                    unblocked_at = time.monotonic()
                    log.info("still waiting for %s", deadline.blocked_by)
    except SQLAlchemyError as error:  # the release can go on without this knowledge
        log.warning("cannot see who blocks, nor who waits: %s", error)


def _held_up(request: Row[Any]) -> str:
    return (
        f"A request waited {request.seconds:.1f} s for {request.name or 'an advisory lock'}, which this step held,"
        " so the step's transaction was rolled back. Use the operation that does it beside the requests, or steps"
        " that hold less, each in a revision of its own (docs/schema-changes.md#what-an-upgrade-refuses). Then run:"
        " flask db upgrade"
    )


def with_lock_retries(work: Callable[[], Result], deadline: Deadline) -> Result:
    """Call `work`, which begins anew each time and leaves no transaction open, until it gets its locks."""
    while True:
        try:
            return work()
        except SQLAlchemyError as error:
            if deadline.held_up:  # another try would hold up more requests
                raise RequestsHeldUp(deadline.held_up) from error
            state = sqlstate(error)
            if state not in (LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, QUERY_CANCELED):
                raise
            if not deadline.left():
                raise DeadlineExceeded(
                    f"The deadline of {deadline.seconds:.0f} s passed, blocked by {deadline.blocked_by}; the database"
                    " is at a complete revision. When nothing is in the way, run: flask db upgrade"
                ) from error
            if state == QUERY_CANCELED:  # before the deadline, so it was pg_cancel_backend()
                raise
            pause = random.uniform(*PAUSES)  # noqa: S311 - no secret
            deadline.retries += 1
            log.warning("blocked by %s; attempt %d, again in %.1f s", deadline.blocked_by, deadline.retries, pause)
            deadline.sleep(pause)


def sqlstate(error: SQLAlchemyError) -> str | None:
    """Return PostgreSQL's error code, as psycopg2 or psycopg 3 has it: a backfill runs through the project's own."""
    if not isinstance(error, DBAPIError):
        return None
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
