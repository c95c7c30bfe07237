"""Blocking sessions: who holds the lock that a migration waits for.

A thread with its own connection asks pg_blocking_pids() while the migration waits. After a lock timeout it is too late.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

POLL = 0.1  # seconds: a third of lock_timeout, so a wait is seen at least twice
REPORT_EVERY = 10.0  # seconds; for waits that block nobody and may be long

# Without the query text, which may hold personal data.
_BLOCKING = text(
    "SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS name, state,"
    " extract(epoch FROM now() - coalesce(xact_start, backend_start))::int AS age"
    " FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(:pid)) ORDER BY age DESC LIMIT 5"
)

log = logging.getLogger(__name__)


class Blockers:
    """The sessions that were last seen blocking one backend, and how often its work was tried again."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.retries = 0

    def describe(self) -> str:
        """Those seen last. The last attempt may have been too short to see anybody."""
        return ", ".join(self.seen) or "no session that was seen"


@contextmanager
def watch_blockers(engine: Engine, connection: Connection) -> Iterator[Blockers]:
    """Watch which sessions block `connection`, until the block ends."""
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    connection.commit()
    blockers, ended = Blockers(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(engine, pid, blockers, ended), daemon=True)
    watcher.start()
    try:
        yield blockers
    finally:
        ended.set()
        watcher.join()


def _watch(engine: Engine, pid: int, blockers: Blockers, ended: threading.Event) -> None:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            unblocked_at = time.monotonic()
            while not ended.wait(POLL):
                rows = connection.execute(_BLOCKING, {"pid": pid}).all()
                if not rows:
                    unblocked_at = time.monotonic()
                    continue
                blockers.seen = [f"pid={r.pid} age={r.age}s application={r.name} state={r.state}" for r in rows]
                if time.monotonic() - unblocked_at > REPORT_EVERY:
                    unblocked_at = time.monotonic()
                    log.info("still waiting for %s", ", ".join(blockers.seen))
    except SQLAlchemyError as error:  # the release can go on without this knowledge
        log.warning("cannot see who blocks: %s", error)
