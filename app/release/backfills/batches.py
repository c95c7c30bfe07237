"""One batch of a long backfill: a job fills it, and defers the job of the next one in the same transaction.

So there is exactly one chain of jobs. Whoever dies, at whatever line, leaves a whole batch and the job that continues.
"""

import logging
import time

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.release.backfills import records, throttling
from app.release.backfills.deferring import defer_batch
from app.release.backfills.table import DONE, FAILED, FIRST_BATCH, RUNNING, Backfill, take_search_path
from app.release.errors import server_message
from app.release.operations.backfill import next_batch_size
from app.release.operations.backfill_batches import BackfillQuery, Batch
from app.release.retry import QUERY_CANCELED, sqlstate
from app.release.sql.dialect import quote

LAG_PAUSE = 5.0  # seconds until the followers are looked at again
PASS_PAUSE = 1.0  # seconds until the rows are looked at again that this pass did not fill

# Classes of SQLSTATE that are the fault of a row or of the author's SQL: another try would meet them again. Everything
# else (a lost connection, a lock, a full disk) passes by itself, and the queue tries the job again.
_FAULTS = ("0A", "21", "22", "23", "27", "2F", "38", "39", "42", "44", "54", "P0")
_FAULTS_OF_EVERY_ROW = ("0A", "42")  # no such column, no right

_CONTINUE = text(
    "UPDATE schema_backfills SET turn = turn + 1, state = :state, pass_number = :pass_number,"
    " pass_scanned = :pass_scanned, pass_wanted = :pass_wanted, position = :position, rows_done = :rows_done,"
    " rows_per_second = :rows_per_second, batch_size = :batch_size, waiting_for = :waiting_for, error = :error,"
    " updated_at = clock_timestamp(), finished_at = CASE WHEN :state = 'done' THEN clock_timestamp() END"
    " WHERE name = :name"
)

log = logging.getLogger(__name__)


class StillWanted(Exception):
    """Filled rows still meet the condition. The backfill would never end."""


def run_batch(connection: Connection, name: str, turn: int) -> None:
    """Fill one batch and defer the next, or find that this job is late. The caller commits.

    Args:
        turn: the one that this job was deferred for.

    Raises:
        DBAPIError: the database cannot do it now; nothing is changed, and the same job may try again.
    """
    backfill = records.lock(connection, name)
    if backfill is None or backfill.turn != turn or backfill.state != RUNNING:
        log.info("backfill %s: turn %d is late; nothing to do", name, turn)
        return
    if backfill.position is None and backfill.pass_number == 1:
        throttling.warn_if_hidden(connection, name)
    if reason := throttling.lagging(connection):
        _continue(connection, backfill._replace(waiting_for=reason), LAG_PAUSE)
        return
    take_search_path(connection, backfill.search_path)
    query = BackfillQuery(backfill.table_name, backfill.set_sql, backfill.where_sql, backfill.pk)
    began = time.monotonic()
    try:
        batch = _fill(connection, query, backfill)
    except (DBAPIError, StillWanted) as error:
        _narrow_or_fail(connection, backfill, error)
        return
    _advance(connection, backfill, batch, time.monotonic() - began)


def _fill(connection: Connection, query: BackfillQuery, backfill: Backfill) -> Batch:
    """The batch, in a savepoint: when it fails, that it failed can still be recorded."""
    with connection.begin_nested():
        batch = query.fill_batch(connection, backfill.position, backfill.batch_size)
        if batch.unfilled:
            raise StillWanted(f"filled, it still meets the condition {backfill.where_sql!r}: without an end")
        return batch


def _advance(connection: Connection, backfill: Backfill, batch: Batch, seconds: float) -> None:
    """Move on by a batch, into a new pass, or to the end."""
    moved = backfill._replace(
        pass_scanned=backfill.pass_scanned + batch.scanned,
        pass_wanted=backfill.pass_wanted + batch.wanted,
        position=batch.last,
        rows_done=backfill.rows_done + batch.filled,
        rows_per_second=_moving_average(backfill, batch.scanned),
        batch_size=_next_size(backfill, batch, seconds),
        waiting_for=None,
        error=None,
    )
    if batch.scanned == backfill.batch_size:
        _continue(connection, moved, seconds)
        return
    log.info(
        "backfill %s: pass %d has seen %d rows of %s, of which %d met the condition; %d rows filled in all",
        *(moved.name, moved.pass_number, moved.pass_scanned, moved.table_name, moved.pass_wanted, moved.rows_done),
    )
    at_start = moved._replace(position=None, pass_scanned=0, pass_wanted=0)
    if moved.pass_wanted:
        # Rows that were locked, or written behind the key, come now.
        _continue(connection, at_start._replace(pass_number=moved.pass_number + 1), PASS_PAUSE)
    else:
        _store(connection, at_start._replace(state=DONE))


def _narrow_or_fail(connection: Connection, backfill: Backfill, error: DBAPIError | StillWanted) -> None:
    """Find the row that cannot be filled by bisection: the next batch begins at the same key and is half as large.

    Raises:
        DBAPIError: it is not a fault of a row or of the SQL.
    """
    state = sqlstate(error) or "" if isinstance(error, DBAPIError) else ""
    if isinstance(error, DBAPIError) and not (state.startswith(_FAULTS) or state == QUERY_CANCELED):
        raise error
    message = server_message(error) if isinstance(error, DBAPIError) else str(error)
    is_of_every_row = state.startswith(_FAULTS_OF_EVERY_ROW)
    if backfill.batch_size > 1 and not is_of_every_row:
        _continue(connection, backfill._replace(batch_size=backfill.batch_size // 2, error=message), 0)
        return
    where = backfill.table_name
    if not is_of_every_row:
        where += f", the row with {backfill.pk} {_next_key(connection, backfill)}"
    # The message may quote the row, so it is kept in the table and not logged.
    log.error("backfill %s failed at %s: sqlstate=%s", backfill.name, where, state or "none")
    _store(connection, backfill._replace(state=FAILED, error=f"{where}: {message}", waiting_for=None))


def _next_key(connection: Connection, backfill: Backfill) -> str:
    """The key of the row with which the next batch begins."""
    key = quote(backfill.pk)
    begin = "" if backfill.position is None else f"WHERE {key} > :after"
    query = text(f"SELECT CAST({key} AS text) FROM {quote(backfill.table_name)} {begin} ORDER BY {key} LIMIT 1")
    return str(connection.scalar(query, {} if backfill.position is None else {"after": backfill.position}))


def _continue(connection: Connection, backfill: Backfill, delay: float) -> None:
    _store(connection, backfill)
    defer_batch(connection, backfill.name, backfill.turn + 1, delay)


def _store(connection: Connection, backfill: Backfill) -> None:
    connection.execute(_CONTINUE, backfill._asdict())


def _next_size(backfill: Backfill, batch: Batch, seconds: float) -> int:
    """Rows of the next batch. One that filled few rows does not tell how long a full one locks its rows."""
    size = next_batch_size(backfill.batch_size, seconds)
    is_full = 2 * batch.filled >= batch.scanned
    return size if is_full else min(size, max(backfill.batch_size, FIRST_BATCH))


def _moving_average(backfill: Backfill, scanned: int) -> float:
    """Rows a second, from one batch's end to the next one's. The newest batch counts for a tenth."""
    newest = scanned / max(backfill.idle_for, 0.001)
    before = backfill.rows_per_second
    return newest if before is None else 0.9 * before + 0.1 * newest
