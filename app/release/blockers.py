"""Blocking sessions: who holds the lock that a migration waits for, and which requests wait for what it holds.

A thread with its own connection asks pg_blocking_pids() while the migration runs. After a lock timeout it is too late,
and lock_timeout bounds only the wait for a lock, not how long a step then holds it.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import SQLAlchemyError

POLL = 0.1  # seconds: a third of lock_timeout, so a wait is seen at least twice
REPORT_EVERY = 10.0  # seconds; for waits that block nobody and may be long

# Seconds that a request may wait for what a step holds; then the statement is cancelled. A release promises that no
# request takes longer. While Python computes there is no statement, so after as long again the connection is ended.
LONGEST_WAIT = 1.0

# Who blocks us: without the query text, which may hold personal data. Who waits for us: only with locks that requests
# take, on a table or a row; a DDL may wait, as behind an index that is built, but not a request behind that DDL. Who
# waits for a row has locked its tuple, by which the table is known. Source: PostgreSQL manual, "pg_locks".
_LOOK = text(
    "WITH waiting AS MATERIALIZED ("
    "  SELECT pid, relation, extract(epoch FROM clock_timestamp() - waitstart)::float AS seconds FROM pg_locks"
    "  WHERE NOT granted AND pid <> :pid AND clock_timestamp() - waitstart > make_interval(secs => :longest)"
    "  AND (locktype IN ('transactionid', 'tuple') OR locktype = 'relation'"
    "   AND mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')))"
    " SELECT true AS blocks, pid, coalesce(nullif(application_name, ''), backend_type) AS name, state,"
    " extract(epoch FROM now() - coalesce(xact_start, backend_start))::float AS seconds"
    " FROM pg_stat_activity WHERE pid = ANY ((SELECT pg_blocking_pids(:pid))::int[])"
    " UNION ALL SELECT false, pid, coalesce(relation, (SELECT tuple.relation FROM pg_locks tuple"
    "  WHERE tuple.pid = waiting.pid AND tuple.locktype = 'tuple' LIMIT 1))::regclass::text, NULL, seconds"
    " FROM waiting, LATERAL (SELECT pg_blocking_pids(pid) AS pids) before WHERE :pid = ANY (before.pids)"
    " OR EXISTS (SELECT FROM unnest(before.pids) AS other WHERE :pid = ANY (pg_blocking_pids(other)))"
    " ORDER BY blocks, seconds DESC"
)
_CANCEL = text("SELECT pg_cancel_backend(:pid)")
_TERMINATE = text("SELECT pg_terminate_backend(:pid)")

MOST_NAMED = 5  # sessions in one line of the log

log = logging.getLogger(__name__)


class HeldUp(NamedTuple):
    """A request that waited for too long, so that the step was ended.

    Args:
        table: that it waited for, or for a row of it; None: not known.
        seconds: that it had waited.
        since: on the monotonic clock.
    """

    table: str | None
    seconds: float
    since: float

    def __str__(self) -> str:
        return (
            f"A request waited {self.seconds:.1f} s for {self.table or 'a row'}, which this step held, so the step was"
            " ended and nothing of it was kept. Use the operation that does it beside the requests, or steps that hold"
            " less, each in a revision of its own (docs/schema-changes.md#what-an-upgrade-refuses). Then run:"
            " flask db upgrade"
        )


class Blockers:
    """The sessions that were last seen blocking one backend, and how often its work was tried again.

    may_hold_up: whether requests may wait for it: an excused() statement has run in the revision.
    held_up: the request for which the work was ended; None: none yet.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.retries = 0
        self.may_hold_up = False
        self.held_up: HeldUp | None = None

    def describe(self) -> str:
        """Those seen last. The last attempt may have been too short to see anybody."""
        return ", ".join(self.seen) or "no session that was seen"


@contextmanager
def watch_blockers(engine: Engine, connection: Connection) -> Iterator[Blockers]:
    """Watch which sessions block `connection`. When a request waits too long for what it holds, end its work.

    Also on a database that no release is known to serve: whoever waits uses it.
    """
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
                rows = connection.execute(_LOOK, {"pid": pid, "longest": LONGEST_WAIT}).all()
                if _end_long_wait(connection, pid, blockers, [row for row in rows if not row.blocks]):
                    return  # another session may get its pid
                blocking = [row for row in rows if row.blocks][:MOST_NAMED]
                if not blocking:
                    unblocked_at = time.monotonic()
                    continue
                blockers.seen = [
                    f"pid={r.pid} age={r.seconds:.0f}s application={r.name} state={r.state}" for r in blocking
                ]
                if time.monotonic() - unblocked_at > REPORT_EVERY:
                    unblocked_at = time.monotonic()
                    log.info("still waiting for %s", ", ".join(blockers.seen))
    except SQLAlchemyError as error:  # the release can go on without this knowledge
        log.warning("cannot see who blocks, nor who waits: %s", error)


def _end_long_wait(connection: Connection, pid: int, blockers: Blockers, waiting: Sequence[Row[Any]]) -> bool:
    """
    Args:
        waiting: the requests that have waited too long, the longest first.

    Returns:
        whether the connection was ended.
    """
    if not waiting or blockers.may_hold_up:
        return False
    now = time.monotonic()
    if blockers.held_up is None:
        blockers.held_up = HeldUp(waiting[0].name, waiting[0].seconds, now)
        connection.execute(_CANCEL, {"pid": pid})
    elif now - blockers.held_up.since >= LONGEST_WAIT:
        connection.execute(_TERMINATE, {"pid": pid})
        return True
    return False
