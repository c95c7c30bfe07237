"""Filling a column of a table that is in use: a few rows at a time, each batch a transaction of its own."""

import time
from functools import partial

from alembic import op
from sqlalchemy import Connection

from app.release.blockers import Blockers
from app.release.connection import connection_of
from app.release.deadline import Deadline
from app.release.errors import StillBlocked, UnsafeOperation
from app.release.operations.batches import Progress, Task
from app.release.operations.steps import blockers, deadline
from app.release.retry import with_lock_retries

TARGET = 0.05  # seconds that a batch should take: what a request may have to wait for one of its rows
FIRST_BATCH = 500  # rows
SMALLEST_BATCH, LARGEST_BATCH = 50, 5_000
REST = 1.0  # times the time of a batch: half of the server's attention stays with the requests


def backfill(table: str, set_sql: str, where: str, *, pk: str = "id") -> int:
    """Set columns of the rows that a condition finds, until it finds none.

    A row that another session holds is passed over and comes later, so nobody waits for a batch longer than the batch
    takes. What is filled stays filled: a run after a kill looks at those rows and does the rest. Rows that the release
    that is live inserts meanwhile have to come filled, by a default that was set before.

    Args:
        set_sql: "column = expression, …".
        where: SQL, true of the rows to fill and no longer true of filled ones, such as "column IS NULL".
        pk: the column of one unique, ordered key.

    Returns:
        the number of rows filled by this run.

    Raises:
        UnsafeOperation: the condition is still true of filled rows, or the key may be NULL, so this would never end.
        StillBlocked: the deadline of the run passed; what was filled stays.
    """
    migration = op.get_context()
    task = Task(table, set_sql, where, pk)
    with migration.autocommit_block():
        if migration.as_sql:
            migration.impl.static_output(task.script())
            return 0
        return _until_none_is_left(task, connection_of(migration), deadline(migration), blockers(migration))


def _until_none_is_left(task: Task, connection: Connection, until: Deadline, seen: Blockers) -> int:
    task.require_key(connection)
    progress = Progress(task.table, task.rows_estimated(connection))
    while with_lock_retries(lambda: task.is_needed(connection), until, seen):
        filled = _pass_through(task, connection, until, seen, progress)
        if not until.left():
            raise StillBlocked(
                f"The backfill of {task.table} is not done, and the deadline of {until.seconds:.0f} s passed; what is"
                f" filled stays. In the way was {seen.describe()}. Run: flask db upgrade"
            )
        if not filled:  # what is left is held by other sessions
            until.sleep(TARGET)
    progress.report("done")
    return progress.filled


def _pass_through(task: Task, connection: Connection, until: Deadline, seen: Blockers, progress: Progress) -> int:
    """Go through the table once, in the order of the key; the number of rows filled."""
    last, size, filled = None, FIRST_BATCH, 0
    progress.begin_pass()
    while until.left():
        began = time.monotonic()
        batch = with_lock_retries(partial(task.fill, connection, last, size), until, seen)
        took = time.monotonic() - began
        if not batch.looked_at or batch.last == last:
            break
        if batch.still:
            raise UnsafeOperation(
                f"{batch.still} filled rows of {task.table} still meet {task.where!r}: without an end."
            )
        last, filled, size = batch.last, filled + batch.filled, adapted(size, took)
        progress.add(batch)
        until.sleep(took * REST if batch.filled else 0)
    return filled


def adapted(size: int, took: float) -> int:
    """The next batch's rows: towards TARGET, at most twice or half of this one's."""
    factor = min(2.0, max(0.5, TARGET / max(took, 0.001)))
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(size * factor)))
