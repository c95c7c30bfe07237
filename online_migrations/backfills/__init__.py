"""Long backfills, without a deadline: a job fills one batch, and defers the job of the next in the same transaction.

So there is exactly one chain of jobs, and a process that dies leaves a complete batch and the job that continues. A
batch writes WAL, so the backfill waits while a follower of the database lags.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from online_migrations import options
from online_migrations.backfills import store
from online_migrations.backfills.store import DONE, FAILED, FIRST_BATCH, RUNNING, Backfill, StillWanted
from online_migrations.errors import ReleaseError, server_message
from online_migrations.locks import QUERY_CANCELED, sqlstate
from online_migrations.sessions import execute_verbatim

__all__ = ["requeue_lost", "run_batch"]

MOST_LAG = 5.0  # seconds
LAG_PAUSE = 5.0  # seconds until the followers are looked at again
PASS_PAUSE = 1.0  # seconds until the rows are looked at again that this pass did not fill

# Classes of SQLSTATE that are the fault of a row or of the author's SQL: another try would meet them again. Everything
# else (a lost connection, a lock, a full disk) passes by itself, and the queue tries the job again.
_FAULTS = ("0A", "21", "22", "23", "27", "2F", "38", "39", "42", "44", "54", "P0")
_FAULTS_OF_EVERY_ROW = ("0A", "42")  # no such column, no right

log = logging.getLogger(__name__)


def run_batch(connection: Connection, name: str, turn: int) -> None:
    """Fill one batch and defer the next, or find that this job is late: its turn is over. The caller commits.

    Raises: DBAPIError, if the database cannot do it now; nothing is changed, and the same job may try again.
    """
    backfill = store.read(connection, name, lock=True)
    if backfill is None or backfill.turn != turn or backfill.state != RUNNING:
        log.info("backfill %s: turn %d is late; nothing to do", name, turn)
        return
    if reason := _lag(connection, backfill):
        _continue(connection, backfill, LAG_PAUSE, waiting_for=reason)
        return
    store.take_search_path(connection, backfill.search_path)
    began = time.monotonic()
    try:
        with connection.begin_nested():  # when it fails, that it failed can still be recorded
            batch = store.query_of(backfill).fill_batch(connection, backfill.position, backfill.batch_size)
    except (DBAPIError, StillWanted) as error:
        _narrow_or_fail(connection, backfill, error)
        return
    _advance(connection, backfill, batch, time.monotonic() - began)


def requeue_lost(connection: Connection, is_queued: Callable[[str, int], bool]) -> None:
    """Defer the next batch of each backfill that runs and of which `is_queued` knows no job. The caller commits.

    A worker of a release that does not know the task fails its jobs, and a --sql script defers none. The row stays
    locked until the commit, so its turn does not move on meanwhile; one that is locked is being worked on.
    """
    for backfill in store.lock_running(connection):
        if not is_queued(backfill.name, backfill.turn):
            log.warning("backfill %s: no job for turn %d; deferred again", backfill.name, backfill.turn)
            defer_batch(connection, backfill.name, backfill.turn, 0)


def defer_batch(connection: Connection, name: str, turn: int, delay: float) -> None:
    """Add the job of the next batch to the transaction, by the project's queue, after so many seconds."""
    defer = options.current().defer_backfill
    if defer is None:
        lacks = "A backfill that goes on after the release needs a job queue, and this project gave none"
        raise ReleaseError(f"{lacks}: set Options(defer_backfill=…), or use backfill(), done within the release.")
    defer(connection, name, turn, delay)


def _lag(connection: Connection, backfill: Backfill) -> str | None:
    """Return what to wait for, when a follower lags by more than MOST_LAG seconds. Warn once if that is not seen."""
    lag = connection.execute(text(store.TEXTS["lag"])).one()
    if lag.hidden and backfill.position is None and backfill.pass_number == 1:
        unseen = "our role may not see how far the followers lag, so it does not wait for them"
        log.warning("backfill %s: %s; GRANT pg_read_all_stats lets it", backfill.name, unseen)
    return f"a follower that is {lag.seconds:.0f} s behind" if lag.seconds > MOST_LAG else None


def _advance(connection: Connection, backfill: Backfill, batch: Row[Any], seconds: float) -> None:
    """Move on by a batch, into a new pass, or to the end."""
    rate, before = batch.scanned / max(backfill.idle_for, 0.001), backfill.rows_per_second
    size = store.next_batch_size(backfill.batch_size, seconds)
    if 2 * batch.filled < batch.scanned:  # which does not tell how long a full batch locks its rows
        size = min(size, max(backfill.batch_size, FIRST_BATCH))
    scanned, wanted = backfill.pass_scanned + batch.scanned, backfill.pass_wanted + batch.wanted
    changes = {
        "rows_done": backfill.rows_done + batch.filled,
        "rows_per_second": rate if before is None else 0.9 * before + 0.1 * rate,  # a moving average
        "batch_size": size,
        "waiting_for": None,
        "error": None,
    }
    if batch.scanned == backfill.batch_size:
        place = {"position": batch.last, "pass_scanned": scanned, "pass_wanted": wanted}
        _continue(connection, backfill, seconds, **changes, **place)
        return
    log.info(
        "backfill %s: pass %d has seen %d rows of %s, of which %d met the condition; %d rows filled in all",
        *(backfill.name, backfill.pass_number, scanned, backfill.table_name, wanted, changes["rows_done"]),
    )
    changes |= {"position": None, "pass_scanned": 0, "pass_wanted": 0}
    if wanted:  # rows that were locked, or written behind the key, come now
        _continue(connection, backfill, PASS_PAUSE, **changes, pass_number=backfill.pass_number + 1)
    else:
        store.save(connection, backfill, **changes, state=DONE)


def _narrow_or_fail(connection: Connection, backfill: Backfill, error: DBAPIError | StillWanted) -> None:
    """Find the row that cannot be filled by bisection: the next batch begins at the same key and is half as large."""
    state = sqlstate(error) or "" if isinstance(error, DBAPIError) else ""
    if isinstance(error, DBAPIError) and not (state.startswith(_FAULTS) or state == QUERY_CANCELED):
        raise error
    message = server_message(error) if isinstance(error, DBAPIError) else str(error)
    is_of_every_row = state.startswith(_FAULTS_OF_EVERY_ROW)
    if backfill.batch_size > 1 and not is_of_every_row:
        _continue(connection, backfill, 0, batch_size=backfill.batch_size // 2, error=message)
        return
    where = backfill.table_name
    if not is_of_every_row:
        key = execute_verbatim(connection, store.query_of(backfill).written("next_key", backfill.position)).scalar()
        where += f", the row with {backfill.pk} {key}"
    # The message may quote the row, so it is kept in the table and not logged.
    log.error("backfill %s failed at %s: sqlstate=%s", backfill.name, where, state or "none")
    store.save(connection, backfill, state=FAILED, error=f"{where}: {message}", waiting_for=None)


def _continue(connection: Connection, backfill: Backfill, delay: float, **changes: Any) -> None:
    store.save(connection, backfill, **changes)
    defer_batch(connection, backfill.name, backfill.turn + 1, delay)
