"""One batch of a backfill as SQL, and the log of how far it came."""

import logging
import time
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from app.release.errors import UnsafeOperation
from app.release.operations.catalog import IS_NULLABLE
from app.release.operations.steps import quote

REPORT_EVERY = 5.0  # seconds
OFFLINE_BATCH = 1_000  # rows; a script cannot see how long a batch takes

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """
    Args:
        last: key of the last row that was looked at; None when there was none left.
        looked_at, filled: rows.
        still: filled rows that the condition still finds.
    """

    last: Any
    looked_at: int
    filled: int
    still: int


class Task(NamedTuple):
    """What a backfill does, as backfill() takes it."""

    table: str
    set_sql: str
    where: str
    pk: str

    def rows_estimated(self, connection: Connection) -> int:
        """As the server last counted them; for the log alone."""
        query = text("SELECT reltuples::bigint FROM pg_class WHERE oid = CAST(:table AS regclass)")
        return int(connection.scalar(query, {"table": quote(self.table)}) or 0)

    def require_key(self, connection: Connection) -> None:
        """
        Raises:
            UnsafeOperation: rows could hide from the order in which they are gone through.
        """
        query = text(f"SELECT NOT {IS_NULLABLE}")
        if not connection.scalar(query, {"table": quote(self.table), "column": self.pk}):
            raise UnsafeOperation(f"{self.table}.{self.pk} is no column of every row; name the key with pk=….")

    def is_needed(self, connection: Connection) -> bool:
        query = f"SELECT EXISTS (SELECT FROM {quote(self.table)} WHERE {self.where})"
        return bool(connection.scalar(text(verbatim(query))))

    def fill(self, connection: Connection, after: Any, size: int) -> Batch:
        """Fill those of the next rows that are to be filled and that nobody holds.

        NO KEY UPDATE is the lock of the UPDATE itself; rows that refer to a locked row can still be written.
        """
        table, key = quote(self.table), quote(self.pk)
        begin = "" if after is None else f"WHERE {key} > :after"
        query = (
            f"WITH span (span_key) AS (SELECT {key} FROM {table} {begin} ORDER BY {key} LIMIT :size),"
            f" free (free_key) AS (SELECT {key} FROM {table} WHERE {key} IN (SELECT span_key FROM span)"
            f" AND ({verbatim(self.where)}) ORDER BY {key} FOR NO KEY UPDATE SKIP LOCKED),"
            f" filled (still) AS (UPDATE {table} SET {verbatim(self.set_sql)} FROM free WHERE {key} = free_key"
            f" RETURNING ({verbatim(self.where)}))"
            " SELECT (SELECT span_key FROM span ORDER BY span_key DESC LIMIT 1), (SELECT count(*) FROM span),"
            " (SELECT count(*) FROM filled), (SELECT count(*) FROM filled WHERE still)"
        )
        parameters = {"size": size} if after is None else {"size": size, "after": after}
        return Batch(*connection.execute(text(query), parameters).one())

    def script(self) -> str:
        """The whole backfill as psql takes it, outside of a transaction: a loop that commits each batch."""
        table, key = quote(self.table), quote(self.pk)
        return (
            f"-- backfill {table}: SET {self.set_sql} WHERE {self.where}, in batches\n"
            f"DO $backfill$ BEGIN LOOP\n"
            f"  UPDATE {table} SET {self.set_sql} WHERE {key} IN (SELECT {key} FROM {table} WHERE {self.where}"
            f" ORDER BY {key} LIMIT {OFFLINE_BATCH} FOR NO KEY UPDATE);\n"
            f"  EXIT WHEN NOT FOUND; COMMIT; PERFORM pg_sleep(0.05);\n"
            f"END LOOP; END $backfill$;"
        )


def verbatim(sql: str) -> str:
    """SQL of an author in text(), where a colon would begin a parameter."""
    return sql.replace(":", r"\:")


class Progress:
    """Counts rows, and now and then says how many, how fast and how long still."""

    def __init__(self, table: str, rows: int, report_every: float = REPORT_EVERY) -> None:
        self.table = table
        self.rows = rows
        self.report_every = report_every
        self.filled = 0
        self._looked_at = 0
        self._began = self._reported = time.monotonic()

    def begin_pass(self) -> None:
        self._looked_at = 0

    def add(self, batch: Batch) -> None:
        self.filled += batch.filled
        self._looked_at += batch.looked_at
        if time.monotonic() - self._reported >= self.report_every:
            self._reported = time.monotonic()
            self.report(f"{self._looked_at} of about {max(self.rows, self._looked_at)} rows seen, {self._left()} left")

    def report(self, how_far: str) -> None:
        rate = self.filled / max(time.monotonic() - self._began, 0.001)
        log.info("backfill %s: %s; %d rows filled, %.0f a second", self.table, how_far, self.filled, rate)

    def _left(self) -> str:
        seen = self._looked_at / max(self.rows, self._looked_at)
        seconds = (time.monotonic() - self._began) * (1 - seen) / seen
        return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
