"""Batched backfill: fill a column of a table in use, a few rows at a time, each batch in a transaction of its own."""

import time
from functools import partial

from alembic import op
from sqlalchemy import Connection

from app.release.blockers import Blockers
from app.release.connection import connection_of
from app.release.deadline import Deadline
from app.release.errors import DeadlineExceeded, UnsafeOperation
from app.release.operations.backfill_batches import BackfillQuery, Progress
from app.release.operations.steps import add_cost, judged, run_blockers, run_deadline
from app.release.retry import with_lock_retries

TARGET_SECONDS = 0.05  # of a batch; a request may have to wait this long for one of its rows
SMALLEST_BATCH, LARGEST_BATCH = 50, 5_000  # rows; the first is small, since nobody knows yet what a row costs
PAUSE_FACTOR = 1.0  # pause after a batch, as a multiple of its time: half of the server is left to the requests


def backfill(table: str, set_sql: str, where: str, *, pk: str = "id") -> int:
    """Set columns of the rows that meet a condition, in batches, until no row meets it.

    It goes through the table in the order of the key (keyset pagination). Rows that another session has locked are
    skipped (SKIP LOCKED) and come in the next pass. A batch takes about 50 ms; its size follows from that. The pause
    after it is as long.

    Rows that the live release inserts meanwhile must come with a value: set a default first, with set_default_online.

    Args:
        set_sql: "column = expression, …".
        where: SQL that is true of rows to fill and not true of filled rows, such as "column IS NULL".
        pk: a column that is NOT NULL, unique and ordered.

    Returns:
        the number of rows that this run filled.

    SQL, repeated, each batch in a transaction of its own:
        WITH … SELECT … FOR NO KEY UPDATE SKIP LOCKED … UPDATE … SET …
            ROW EXCLUSIVE on the table; the rows of a batch are locked for about 50 ms.

    Run again: continues with the rows that still meet the condition.

    Raises:
        UnsafeOperation: filled rows still meet the condition, or the key may be NULL; the backfill would never end.
        DeadlineExceeded: the deadline of the run passed. Filled rows stay filled.
    """
    migration = op.get_context()
    query = BackfillQuery(table, set_sql, where, pk)
    with migration.autocommit_block():
        if migration.as_sql:
            migration.impl.static_output(query.as_script())
            return 0
        with judged(migration):
            filled = _fill_all(query, connection_of(migration), run_deadline(migration), run_blockers(migration))
            add_cost(migration, rows=filled)
        return filled


def _fill_all(query: BackfillQuery, connection: Connection, deadline: Deadline, blockers: Blockers) -> int:
    """Repeat passes through the table until nothing is left."""
    query.require_key(connection)
    progress = Progress(query.table, query.estimated_rows(connection))
    while with_lock_retries(lambda: query.is_needed(connection), deadline, blockers):
        filled = _fill_pass(query, connection, deadline, blockers, progress)
        if not deadline.left():
            raise DeadlineExceeded(
                f"The backfill of {query.table} is not done, and the deadline of {deadline.seconds:.0f} s passed; what"
                f" is filled stays. In the way was {blockers.describe()}. Run: flask db upgrade"
            )
        if not filled:  # other sessions hold the rows that are left
            deadline.sleep(TARGET_SECONDS)
    progress.report("done")
    return progress.filled


def _fill_pass(
    query: BackfillQuery, connection: Connection, deadline: Deadline, blockers: Blockers, progress: Progress
) -> int:
    """One pass through the table in the order of the key; the number of rows that it filled."""
    last, size, filled = None, SMALLEST_BATCH, 0
    progress.begin_pass()
    while deadline.left():
        began = time.monotonic()
        batch = with_lock_retries(partial(query.fill_batch, connection, last, size), deadline, blockers)
        seconds = time.monotonic() - began
        if not batch.scanned or batch.last == last:
            break
        if batch.unfilled:
            raise UnsafeOperation(
                f"{batch.unfilled} filled rows of {query.table} still meet {query.where!r}: without an end."
            )
        last, filled, size = batch.last, filled + batch.filled, next_batch_size(size, seconds)
        progress.add(batch)
        deadline.sleep(seconds * PAUSE_FACTOR if batch.filled else 0)
    return filled


def next_batch_size(size: int, seconds: float) -> int:
    """Rows of the next batch, so that it takes TARGET_SECONDS; at most twice and at least half of this one's."""
    factor = min(2.0, max(0.5, TARGET_SECONDS / max(seconds, 0.001)))
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(size * factor)))
