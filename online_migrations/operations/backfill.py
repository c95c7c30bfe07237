"""Fill a column of a table in use, a few rows at a time: within the release, or after it by jobs of its queue."""

import logging
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from alembic import op
from sqlalchemy import Connection

from online_migrations.backfills import defer_batch, store
from online_migrations.backfills.store import SMALLEST_BATCH, TARGET_SECONDS, BackfillQuery, next_batch_size
from online_migrations.connection import connection_of
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation
from online_migrations.locks import Deadline, with_lock_retries
from online_migrations.operations.catalog import ask, bind
from online_migrations.operations.steps import deadline_of, judged
from online_migrations.sql import literal, quote
from online_migrations.state.tables import BACKFILLS

REPORT_EVERY = 5.0  # seconds

log = logging.getLogger(__name__)


def backfill(table: str, set_sql: str, where: str, *, pk: str = "id") -> int:
    """Set columns of the rows that meet a condition, in batches, until no row meets it. Expand.

    It goes through the table in the order of the key. Rows that another session has locked come in the next pass. On
    a million rows under 150 requests a second the p99 was 100 ms, instead of 3.9 s for one UPDATE. Rows that the live
    release inserts meanwhile must come with a value: set a default first, with set_default_online. Return how many
    rows were filled.

    Args:
        set_sql: "column = expression, …".
        where: SQL that is true of rows to fill and not true of filled rows, such as "column IS NULL".
        pk: a column that is NOT NULL, unique and ordered.

    Example: backfill("notes", set_sql="words = cardinality(string_to_array(content, ' '))", where="words IS NULL")
    SQL: a batch takes about 50 ms, and the pause after it is as long; only --sql prints a loop.
    Downgrade: none; the downgrade of the step that added the column drops it.
    Raises:
        UnsafeOperation: filled rows still meet the condition, or the key may be NULL; the backfill would never end.
    """
    migration = op.get_context()
    query = BackfillQuery(table, set_sql, where, pk)
    with migration.autocommit_block():
        if migration.as_sql:
            what = f"-- backfill {quote(table)}: SET {set_sql} WHERE {where}, in batches"
            migration.impl.static_output(f"{what}\n{query.written('script')}")
            return 0
        with judged(migration):
            return _fill_all(query, connection_of(migration), deadline_of(migration))


def backfill_later(name: str, table: str, set_sql: str, where: str, *, pk: str = "id") -> None:
    """Begin a backfill that the worker fills after the release, in batches of about 50 ms, without a deadline.

    Each job fills one batch and defers the next, in one transaction, so it survives a killed worker, a deploy and a
    restart of the database. It waits while a follower lags by more than 5 s (if the worker's role may see it: GRANT
    pg_read_all_stats), or while flask release pause holds it. It is done when a whole pass through the table has found
    no row to fill. Then a later release may call require_backfilled. Expand.

    Args:
        name: for require_backfilled, flask release status, pause and resume. Used once in a project's history.
        set_sql, where, pk: as backfill takes them.

    Example: backfill_later("note_words", "notes", set_sql="words = cardinality(tags)", where="words IS NULL")
    SQL: fills a table of at most 1,000 rows at once, so that a developer's database needs no worker.
    Run again: one that is done makes another pass, because a downgrade may have dropped the column in between.
    Downgrade: cancel_backfill("note_words").
    Raises:
        UnsafeOperation: the key may be NULL, or the condition is still true of filled rows.
        ReleaseError: the name was used for something else or has a space, or the project has no queue.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ReleaseError(f"The name {name!r} would not fit into a command; use letters, digits, _, . and - only.")
    migration = op.get_context()
    query = BackfillQuery(table, set_sql, where, pk)
    record = store.insertion(name, query)
    if migration.as_sql:  # the worker looks every minute for a backfill without a job
        migration.execute(record)
        return
    connection = connection_of(migration)
    _require_key(query)
    query.require_valid(connection)
    turn = connection.scalar(record)
    if turn is None:
        turn = _begun_again(connection, name, query)
    if turn is not None and not _filled_at_once(connection, name, query):
        defer_batch(connection, name, turn, 0)


def cancel_backfill(name: str) -> None:
    """Forget a backfill, in the downgrade of the revision that began it. Rows that are filled stay filled.

    SQL: waits for the batch that works just now.
    Downgrade: none; it is one.
    """
    op.get_context().execute(BACKFILLS.delete().where(BACKFILLS.c.name == name))


def require_backfilled(name: str) -> None:
    """Begin the revision that needs the values: go on only when a backfill is done, and no row has come since.

    Downgrade: none.
    Raises:
        UnsafeOperation: it is not done. The sentence says how far it is, and what to do.
    """
    migration = op.get_context()
    if migration.as_sql:
        migration.impl.static_output(store.TEXTS["required"].format(name=literal(name)))
        return
    if reason := store.reason_not_done(connection_of(migration), name):
        raise UnsafeOperation(reason)


def refuse_while_filling(function: str, needs: Callable[[BackfillQuery], bool], *given: Any) -> None:
    """Refuse an operation that needs a backfill which is not done, before it changes anything."""
    connection = bind()
    for one in store.unfinished_backfills(connection) if connection else ():
        if needs(store.query_of(one)):
            raise UnsafeOperation(store.reason_to_wait(f"{function}({', '.join(map(repr, given))})", one))


def _filled_at_once(connection: Connection, name: str, query: BackfillQuery) -> bool:
    """Fill a small table here and now; return False if it is not small, or another session holds some of its rows."""
    batch = query.fill_batch(connection, None, store.AT_ONCE) if store.is_small(connection, query.table) else None
    if batch is None or batch.filled < batch.wanted:
        return False
    connection.execute(store.completion(name, batch.filled))
    return True


def _begun_again(connection: Connection, name: str, query: BackfillQuery) -> int | None:
    """Return the turn of another pass; None: the backfill that is recorded goes on, or waits for somebody."""
    recorded = store.read(connection, name)
    if recorded and store.query_of(recorded) != query:
        raise ReleaseError(
            f"There is another backfill {name!r}, of {recorded.table_name} ({recorded.state}). Give this one a name of"
            ' its own; or, if it is the same one fixed, forget the other with: psql "$DATABASE_URL" -c'
            f' "DELETE FROM schema_backfills WHERE name = {literal(name)}"'
        )
    if recorded is None or recorded.state != store.DONE:
        return None
    [(_, turn)] = store.resume(connection, name)
    return turn


def _require_key(query: BackfillQuery) -> None:
    """Refuse a key that may be NULL: a pass in its order would miss such rows."""
    if ask("is_nullable", query.table, column=query.pk).answer() is not False:
        raise UnsafeOperation(f"{query.table}.{query.pk} may be NULL, so it cannot be the key; name one with pk=….")


def _fill_all(query: BackfillQuery, connection: Connection, deadline: Deadline) -> int:
    """Go through the table in the order of the key, again and again, until nothing is left."""
    _require_key(query)
    rows = ask("estimated_rows", query.table).answer() or 0
    filled, reported = 0, time.monotonic()
    while with_lock_retries(lambda: query.is_needed(connection), deadline):
        before, scanned, last, size = filled, 0, None, SMALLEST_BATCH
        while deadline.left():
            began = time.monotonic()
            batch = with_lock_retries(partial(query.fill_batch, connection, last, size), deadline)
            seconds = time.monotonic() - began
            if not batch.scanned or batch.last == last:
                break
            last, size = batch.last, next_batch_size(size, seconds)
            filled, scanned = filled + batch.filled, scanned + batch.scanned
            if time.monotonic() - reported >= REPORT_EVERY:
                reported = time.monotonic()
                about = max(rows, scanned)
                log.info("backfill %s: %d of about %d rows seen, %d filled", query.table, scanned, about, filled)
            deadline.sleep(seconds if batch.filled else 0)  # half of the server is left to the requests
        if not deadline.left():
            raise DeadlineExceeded(
                f"The backfill of {query.table} is not done, and the deadline of {deadline.seconds:.0f} s passed; what"
                f" is filled stays. In the way was {deadline.blocked_by}. Run: flask db upgrade"
            )
        if filled == before:  # other sessions hold the rows that are left
            deadline.sleep(TARGET_SECONDS)
    log.info("backfill %s: done; %d rows filled", query.table, filled)
    return filled
