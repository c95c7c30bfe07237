"""Who holds what a migration waits for, seen from a second connection while it waits: afterwards it is too late."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

POLL = 0.1  # seconds: a third of the time that a migration waits for a lock
REPORT_EVERY = 10.0  # seconds, of a wait that holds up nobody and so is allowed to be long

# No query text: it may hold what a person wrote.
_BLOCKING = text(
    "SELECT pid, coalesce(nullif(application_name, ''), backend_type) AS name, state,"
    " extract(epoch FROM now() - coalesce(xact_start, backend_start))::int AS age"
    " FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(:pid)) ORDER BY age DESC LIMIT 5"
)

log = logging.getLogger(__name__)


class Blockers:
    """The sessions last seen in the way of one backend."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def describe(self) -> str:
        """Whoever was seen last: the last attempt may have been too short for a look."""
        return ", ".join(self.seen) or "no session that was seen"


@contextmanager
def watching(engine: Engine, connection: Connection) -> Iterator[Blockers]:
    """Watch what blocks `connection` until the block ends."""
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
            free_at = time.monotonic()
            while not ended.wait(POLL):
                rows = connection.execute(_BLOCKING, {"pid": pid}).all()
                if not rows:
                    free_at = time.monotonic()
                    continue
                blockers.seen = [f"pid={r.pid} age={r.age}s application={r.name} state={r.state}" for r in rows]
                if time.monotonic() - free_at > REPORT_EVERY:
                    free_at = time.monotonic()
                    log.info("still waiting for %s", ", ".join(blockers.seen))
    except SQLAlchemyError as error:  # no reason to stop a release: it only knows less
        log.warning("cannot see who blocks: %s", error)
