"""Fill a column after the release, by jobs of the project's queue, and require that before a later step."""

import re
from typing import Any

from alembic import op
from sqlalchemy import Connection

from online_migrations.backfills import store
from online_migrations.backfills.guards import reason_not_done, reason_to_wait, task_of
from online_migrations.backfills.worker import defer_batch
from online_migrations.connection import connection_of
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.operations.backfill import BackfillQuery
from online_migrations.operations.steps import add_cost
from online_migrations.sql import literal
from online_migrations.state.tables import BACKFILLS


def backfill_later(name: str, table: str, set_sql: str, where: str, *, pk: str = "id") -> None:
    """Begin a backfill that the worker fills after the release, in batches of about 50 ms, without a deadline.

    The migration records it and defers the first job. Each job fills one batch and defers the next, in one transaction,
    so it survives a killed worker, a deploy and a restart of the database. A pause as long follows, every other job of
    the queue goes first, and it waits while a follower of the database lags by more than 5 s (if the role of the worker
    may see it: GRANT pg_read_all_stats), or while flask release pause holds it. It is done when a whole pass through
    the table has found no row that meets the condition. The release that needs the values comes later: its revision
    calls require_backfilled. For rows that the live release inserts meanwhile, see backfill. Expand.

    Args:
        name: for require_backfilled, flask release status, pause and resume. Used once in a project's history.
        set_sql, where, pk: as backfill takes them.

    Example: backfill_later("note_words", "notes", set_sql="words = cardinality(tags)", where="words IS NULL")
    SQL: INSERT INTO schema_backfills, in the migration's own transaction. A table of at most 1,000 rows is filled at
        once, so that a developer's database needs no worker between two revisions.
    Run again: one that is done makes another pass, because a downgrade may have dropped the column in between.
    Downgrade: cancel_backfill("note_words").
    Raises:
        UnsafeOperation: the key may be NULL, or the condition is still true of filled rows.
        ReleaseError: the name was used for something else or has a space, or the project has no queue.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ReleaseError(f"The name {name!r} would not fit into a command; use letters, digits, _, . and - only.")
    migration = op.get_context()
    record = store.insertion(name, table, set_sql, where, pk)
    if migration.as_sql:  # the worker looks every minute for a backfill without a job
        migration.execute(record)
        return
    connection = connection_of(migration)
    query = BackfillQuery(table, set_sql, where, pk)
    query.require_key(connection)
    query.require_valid(connection)
    turn = connection.scalar(record.returning(BACKFILLS.c.turn))
    if turn is None:
        turn = _begun_again(connection, name, query)
    if turn is not None and not _filled_at_once(connection, name, query):
        defer_batch(connection, name, turn, 0)


def cancel_backfill(name: str) -> None:
    """Forget a backfill, in the downgrade of the revision that began it. Rows that are filled stay filled.

    Example: cancel_backfill("note_words")
    SQL: DELETE FROM schema_backfills, in the migration's own transaction; waits for the batch that works just now.
    Run again: deletes nothing.
    Downgrade: none; it is one.
    """
    op.get_context().execute(store.deletion(name))


def require_backfilled(name: str) -> None:
    """Begin the revision that needs the values: go on only when a backfill is done, and no row has come since.

    It is asked for all pending revisions before the run changes anything, and here once more.

    Example: require_backfilled("note_words")
    SQL: SELECT … FROM schema_backfills; SELECT EXISTS (… WHERE …) with its condition reads the table, blocks nobody.
    Run again: asks again.
    Downgrade: none.
    Raises:
        UnsafeOperation: it is not done. The sentence says how far it is, and what to do.
    """
    migration = op.get_context()
    if migration.as_sql:
        # The cast fails, with these words, when the script runs too early.
        told = f"CAST('backfill ' || {literal(name)} || ' is ' || coalesce(max(state), 'unknown') AS bigint)"
        query = f"SELECT CASE WHEN max(state) = '{store.DONE}' THEN 0 ELSE {told} END FROM {BACKFILLS.name}"
        migration.impl.static_output(f"{query} WHERE name = {literal(name)};")
        return
    if reason := reason_not_done(connection_of(migration), name):
        raise UnsafeOperation(reason)


def refuse_while_filling(function: str, **given: Any) -> None:
    """Refuse an operation that needs a finished backfill (guards.NEEDS), before it changes anything."""
    migration = op.get_context()
    if migration.as_sql:
        return
    unfinished = store.unfinished_backfills(connection_of(migration))
    if reason := reason_to_wait(function, given, map(task_of, unfinished)):
        raise UnsafeOperation(reason)


def _filled_at_once(connection: Connection, name: str, query: BackfillQuery) -> bool:
    """Fill a small table here and now; return False if it is not small, or another session holds some of its rows."""
    if not store.is_small(connection, query.table):
        return False
    batch = query.fill_batch(connection, None, store.AT_ONCE)
    if batch.unfilled:
        raise UnsafeOperation(f"Filled rows of {query.table} still meet {query.where!r}: without an end.")
    if batch.filled < batch.wanted:
        return False
    connection.execute(store.completion(name, batch.filled))
    add_cost(op.get_context(), rows=batch.filled)
    return True


def _begun_again(connection: Connection, name: str, query: BackfillQuery) -> int | None:
    """Return the turn of another pass; None: the backfill that is recorded goes on, or waits for somebody."""
    recorded = store.read(connection, name)
    if recorded and (recorded.table_name, recorded.set_sql, recorded.where_sql, recorded.pk) != query:
        raise ReleaseError(
            f"There is another backfill {name!r}, of {recorded.table_name} ({recorded.state}). Give this one a name of"
            ' its own; or, if it is the same one fixed, forget the other with: psql "$DATABASE_URL" -c'
            f' "DELETE FROM schema_backfills WHERE name = {literal(name)}"'
        )
    if recorded is None or recorded.state != store.DONE:
        return None
    [(_, turn)] = store.resume(connection, name)
    return turn
