"""Fill a column of a table in use, a few rows at a time, each batch in a transaction of its own."""

import logging
import time
from functools import partial
from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Connection, TextClause, text

from online_migrations.connection import connection_of
from online_migrations.errors import DeadlineExceeded, UnsafeOperation
from online_migrations.locks import Blockers, Deadline, with_lock_retries
from online_migrations.operations import catalog
from online_migrations.operations.steps import add_cost, judged, limits
from online_migrations.sql import quote

TARGET_SECONDS = 0.05  # of a batch; a request may have to wait this long for one of its rows
SMALLEST_BATCH, LARGEST_BATCH = 50, 5_000  # rows; the first is small, since nobody knows yet what a row costs
PAUSE_FACTOR = 1.0  # pause after a batch, as a multiple of its time: half of the server is left to the requests
OFFLINE_BATCH = 1_000  # rows; a script cannot adapt the size to the time that a batch takes
REPORT_EVERY = 5.0  # seconds

log = logging.getLogger(__name__)


def backfill(table: str, set_sql: str, where: str, *, pk: str = "id") -> int:
    """Set columns of the rows that meet a condition, in batches, until no row meets it. Expand.

    It goes through the table in the order of the key (keyset pagination). Rows that another session has locked are
    skipped (SKIP LOCKED) and come in the next pass. A batch takes about 50 ms, from which its size follows, 50 to 5,000
    rows; the pause after it is as long. On a million rows under 150 requests a second the p99 was 100 ms, instead of
    3.9 s for one UPDATE of the whole table.

    Rows that the live release inserts meanwhile must come with a value: set a default first, with set_default_online.

    Args:
        set_sql: "column = expression, …".
        where: SQL that is true of rows to fill and not true of filled rows, such as "column IS NULL".
        pk: a column that is NOT NULL, unique and ordered.

    Returns:
        the number of rows that this run filled.

    Example: backfill("notes", set_sql="words = cardinality(string_to_array(content, ' '))", where="words IS NULL")
    SQL: what is printed for --sql is a loop; a run sends each batch by itself, WITH … FOR NO KEY UPDATE SKIP LOCKED …
        UPDATE …, which locks its rows for about 50 ms. Until the deadline.
    Run again: continues with the rows that still meet the condition.
    Downgrade: none; the downgrade of the step that added the column drops it.
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
            filled = _fill_all(query, connection_of(migration), *limits(migration))
            add_cost(migration, rows=filled)
        return filled


def _fill_all(query: "BackfillQuery", connection: Connection, deadline: Deadline, blockers: Blockers) -> int:
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
    query: "BackfillQuery", connection: Connection, deadline: Deadline, blockers: Blockers, progress: "Progress"
) -> int:
    """Go through the table once, in the order of the key; return the number of rows that were filled."""
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
    """Return how many rows take TARGET_SECONDS; at most twice and at least half of what this batch had."""
    factor = min(2.0, max(0.5, TARGET_SECONDS / max(seconds, 0.001)))
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(size * factor)))


class Batch(NamedTuple):
    last: str | None  # key of the last row that was scanned, as text; None when no row was left
    scanned: int  # rows
    wanted: int  # those of them that met the condition
    filled: int  # those of them that nobody had locked
    unfilled: int  # filled rows that still meet the condition


class BackfillQuery(NamedTuple):
    """Make the SQL of backfill() from its arguments."""

    table: str
    set_sql: str
    where: str
    pk: str

    def estimated_rows(self, connection: Connection) -> int:
        """Return the server's estimate of the table's rows, for the log."""
        query = text("SELECT reltuples::bigint FROM pg_class WHERE oid = CAST(:table AS regclass)")
        return int(connection.scalar(query, {"table": quote(self.table)}) or 0)

    def require_key(self, connection: Connection) -> None:
        """Refuse a key that may be NULL; a pass in the order of the key would miss such rows."""
        if catalog.is_nullable(self.table, self.pk).asked(connection) is not False:
            raise UnsafeOperation(f"{self.table}.{self.pk} may be NULL, so it cannot be the key; name one with pk=….")

    def is_needed(self, connection: Connection) -> bool:
        query = f"SELECT EXISTS (SELECT FROM {quote(self.table)} WHERE {self.where})"
        return bool(connection.scalar(text(_escape_colons(query))))

    def fill_batch(self, connection: Connection, after: str | None, size: int) -> Batch:
        """Fill the rows among the next `size` ones that meet the condition and that nobody has locked.

        UPDATE takes the row lock NO KEY UPDATE. Foreign keys can still refer to a row that is locked so.
        """
        return Batch(*connection.execute(*self._statement(after, size)).one())

    def require_valid(self, connection: Connection) -> None:
        """Have the server plan a batch without running it: it refuses what is no SQL, or names what does not exist."""
        statement, parameters = self._statement(None, 1)
        connection.execute(text(f"EXPLAIN {statement.text}"), parameters)

    def _statement(self, after: str | None, size: int) -> tuple[TextClause, dict[str, Any]]:
        """Return the statement of one batch, and its parameters.

        `span` is the part of the key's order that the batch looks at. `free` asks for the condition once more, because
        a row may have changed before it was locked. The key travels as text, which every type can be read from.
        """
        table, key = quote(self.table), quote(self.pk)
        begin = "" if after is None else f"WHERE {key} > :after"
        where = _escape_colons(self.where)
        query = (
            f"WITH span AS (SELECT {key} AS span_key, ({where}) AS span_wanted FROM {table} {begin}"
            f" ORDER BY {key} LIMIT :size),"
            f" free (free_key) AS (SELECT {key} FROM {table} WHERE {key} IN (SELECT span_key FROM span WHERE"
            f" span_wanted) AND ({where}) ORDER BY {key} FOR NO KEY UPDATE SKIP LOCKED),"
            f" filled (still) AS (UPDATE {table} SET {_escape_colons(self.set_sql)} FROM free WHERE {key} = free_key"
            f" RETURNING ({where}))"
            " SELECT (SELECT CAST(span_key AS text) FROM span ORDER BY span_key DESC LIMIT 1),"
            " (SELECT count(*) FROM span), (SELECT count(*) FROM span WHERE span_wanted),"
            " (SELECT count(*) FROM filled), (SELECT count(*) FROM filled WHERE still)"
        )
        return text(query), {"size": size} if after is None else {"size": size, "after": after}

    def as_script(self) -> str:
        """Return the whole backfill for psql, outside of a transaction: a loop that commits each batch."""
        table, key = quote(self.table), quote(self.pk)
        return (
            f"-- backfill {table}: SET {self.set_sql} WHERE {self.where}, in batches\n"
            f"DO $backfill$ BEGIN LOOP\n"
            f"  UPDATE {table} SET {self.set_sql} WHERE {key} IN (SELECT {key} FROM {table} WHERE {self.where}"
            f" ORDER BY {key} LIMIT {OFFLINE_BATCH} FOR NO KEY UPDATE);\n"
            f"  EXIT WHEN NOT FOUND; COMMIT; PERFORM pg_sleep(0.05);\n"
            f"END LOOP; END $backfill$;"
        )


class Progress:
    """Log now and then how many rows are done, at which rate, and how long the rest will take."""

    def __init__(self, table: str, rows: int, report_every: float = REPORT_EVERY) -> None:
        self.table = table
        self.rows = rows
        self.report_every = report_every
        self.filled = 0
        self._scanned = 0
        self._began = self._reported = time.monotonic()

    def begin_pass(self) -> None:
        self._scanned = 0

    def add(self, batch: Batch) -> None:
        self.filled += batch.filled
        self._scanned += batch.scanned
        if time.monotonic() - self._reported >= self.report_every:
            self._reported = time.monotonic()
            self.report(f"{self._scanned} of about {max(self.rows, self._scanned)} rows seen, {self._left()} left")

    def report(self, how_far: str) -> None:
        rate = self.filled / max(time.monotonic() - self._began, 0.001)
        log.info("backfill %s: %s; %d rows filled, %.0f a second", self.table, how_far, self.filled, rate)

    def _left(self) -> str:
        done = self._scanned / max(self.rows, self._scanned)
        return time_left((time.monotonic() - self._began) * (1 - done) / done)


def time_left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _escape_colons(sql: str) -> str:
    """Return an author's SQL for text(), where a colon would begin a parameter."""
    return sql.replace(":", r"\:")
