"""The table `schema_backfills`: one row for each long backfill, with how far it is; and the SQL that fills a batch."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, func, text
from sqlalchemy.exc import ProgrammingError

from online_migrations.errors import UnsafeOperation
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import literal, names_in, normalize, quote, read_texts, split_at_commas
from online_migrations.state.tables import BACKFILLS, exists

RUNNING = "running"
PAUSED = "paused"  # by `flask release pause`
DONE = "done"  # a whole pass through the table found no row that meets the condition
FAILED = "failed"  # a row cannot be filled; `error` says which

FIRST_BATCH = 500  # rows
AT_ONCE = 1_000  # rows of a table that the migration itself fills; more would be locked for too long

TARGET_SECONDS = 0.05  # of a batch; a request may have to wait this long for one of its rows
SMALLEST_BATCH, LARGEST_BATCH = 50, 5_000  # rows

TEXTS = read_texts(__file__, "store.sql")


def next_batch_size(size: int, seconds: float) -> int:
    """Return how many rows take TARGET_SECONDS; at most twice and at least half of what this batch had."""
    factor = min(2.0, max(0.5, TARGET_SECONDS / max(seconds, 0.001)))
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(size * factor)))


class StillWanted(UnsafeOperation):
    """Filled rows still meet the condition, so the backfill would never end."""


class BackfillQuery(NamedTuple):
    """Make the SQL of backfill() from its arguments."""

    table: str
    set_sql: str
    where: str
    pk: str

    def fills(self, table: str, columns: Iterable[str]) -> bool:
        return self.table == table and not assigned_columns(self.set_sql).isdisjoint(columns)

    def uses(self, table: str, column: str) -> bool:
        return self.table == table and column in names_in(f"{self.set_sql} {self.where}")

    def is_needed(self, connection: Connection) -> bool:
        query = f"SELECT EXISTS (SELECT FROM {quote(self.table)} WHERE {self.where})"
        return bool(execute_verbatim(connection, query).scalar())

    def fill_batch(self, connection: Connection, after: str | None, size: int) -> sa.Row[Any]:
        """Fill the rows among the next `size` ones that meet the condition and that nobody has locked."""
        batch = execute_verbatim(connection, self.written("batch", after, size=size)).one()
        if batch.unfilled:
            raise StillWanted(f"A filled row of {self.table} still meets the condition {self.where!r}: without an end.")
        return batch

    def require_valid(self, connection: Connection) -> None:
        """Have the server plan a batch without running it: it refuses what is no SQL, or names what does not exist."""
        execute_verbatim(connection, f"EXPLAIN {self.written('batch', size=1)}")

    def written(self, name: str, after: str | None = None, **more: Any) -> str:
        """Return a text of store.sql, with what the backfill does in its braces."""
        begin = "" if after is None else f"WHERE {quote(self.pk)} > {literal(after)}"
        given = {"table": quote(self.table), "key": quote(self.pk), "where": self.where, "set_sql": self.set_sql}
        return TEXTS[name].format(**given, begin=begin, **more)


def assigned_columns(set_sql: str) -> set[str]:
    """Return the columns on the left of "a = …, (b, c) = …"."""
    left = (part.partition("=")[0] for part in split_at_commas(normalize(set_sql)))
    return {name for names in left for name in names_in(names)}


Backfill = sa.Row[Any]  # of _ALL; the columns of the table say what each means


def query_of(backfill: Backfill) -> BackfillQuery:
    return BackfillQuery(backfill.table_name, backfill.set_sql, backfill.where_sql, backfill.pk)


STALLED_AFTER = 120  # seconds without a batch; the worker looks every minute for a backfill without a job

# Seconds.
_IDLE_FOR: sa.ColumnClause[float] = sa.literal_column("extract(epoch FROM clock_timestamp() - updated_at)::float")
_ALL = sa.select(*BACKFILLS.c, _IDLE_FOR.label("idle_for")).order_by(BACKFILLS.c.started_at, BACKFILLS.c.name)


def insertion(name: str, query: BackfillQuery) -> sa.TextClause:
    """Write the INSERT of a new backfill, which returns its turn; no row if there is one of the name."""
    given = {"name": name, "table_name": query.table, "quoted": str(quote(query.table)), "batch_size": FIRST_BATCH}
    begin = text(query.written("begin"))
    return begin.bindparams(**given, set_sql=query.set_sql, where_sql=query.where, pk=query.pk)


def save(connection: Connection, backfill: Backfill, **changes: Any) -> None:
    """Store how far it is, and move its turn on: a job of this turn that comes again is late."""
    now = func.clock_timestamp()
    moved = {"turn": backfill.turn + 1, "updated_at": now, "finished_at": now if changes.get("state") == DONE else None}
    connection.execute(sa.update(BACKFILLS).where(BACKFILLS.c.name == backfill.name).values(changes | moved))


def completion(name: str, rows: int) -> sa.Executable:
    done = {"state": DONE, "rows_done": rows, "finished_at": func.now()}
    return sa.update(BACKFILLS).where(BACKFILLS.c.name == name).values(done)


def read(connection: Connection, name: str, *, lock: bool = False) -> Backfill | None:
    """Return the backfill of this name, or None; to lock it is to wait for the batch that works on it."""
    named = _ALL.where(BACKFILLS.c.name == name)
    return next(iter(_read(connection, named.with_for_update() if lock else named)), None)


def unfinished_backfills(connection: Connection) -> list[Backfill]:
    """Return those that run, are paused or have failed, the oldest first."""
    return _read(connection, _ALL.where(BACKFILLS.c.state != DONE))


def all_backfills(connection: Connection) -> list[Backfill]:
    return _read(connection, _ALL)


def lock_running(connection: Connection) -> list[Backfill]:
    """Lock the rows of those that run and on which no batch works at this moment."""
    return _read(connection, _ALL.where(BACKFILLS.c.state == RUNNING).with_for_update(skip_locked=True))


def _read(connection: Connection, query: sa.Select[*tuple[Any, ...]]) -> list[Backfill]:
    return list(connection.execute(query)) if exists(connection, BACKFILLS) else []


def pause(connection: Connection, name: str | None) -> list[str]:
    """Pause the backfill of this name, or all; return the names. The batch that works just now is the last one."""
    return list(connection.scalars(text(TEXTS["pause"]), {"name": name}))


def resume(connection: Connection, name: str | None) -> list[tuple[str, int]]:
    """Let the backfill of this name run again, or all that were paused; return names and turns, to be deferred."""
    return [(row.name, row.turn) for row in connection.execute(text(TEXTS["resume"]), {"name": name})]


def take_search_path(connection: Connection, path: str) -> None:
    """Look for tables on this search path until the transaction ends."""
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def is_small(connection: Connection, table: str) -> bool:
    counted = f"SELECT count(*) FROM (SELECT FROM {quote(table)} LIMIT {AT_ONCE + 1}) few"
    return bool(connection.scalar(text(counted)) <= AT_ONCE)


def reason_to_wait(step: str, backfill: Backfill) -> str:
    """Say why a step cannot run while a backfill that it needs is not done."""
    return (
        f"{step} needs the backfill {backfill.name!r}, which is not done: {progress(backfill)}. {what_to_do(backfill)}"
    )


def reason_not_done(connection: Connection, name: str) -> str | None:
    """Say why a backfill cannot be relied on: never begun, not done, or rows have come since that it should fill."""
    backfill = read(connection, name)
    if backfill is None:
        return f"No backfill {name!r} was ever begun; backfill_later({name!r}, …) belongs in an earlier release"
    if backfill.state != DONE:
        return reason_to_wait(f"require_backfilled({name!r})", backfill)
    try:
        with connection.begin_nested() as savepoint:
            take_search_path(connection, backfill.search_path)
            is_needed = query_of(backfill).is_needed(connection)
            savepoint.rollback()  # and with it the search path
    except ProgrammingError:  # the column was dropped by a later step of a run that was interrupted
        return None
    again = (
        f"The backfill {name!r} was done, but {backfill.table_name} has rows again that meet {backfill.where_sql!r}."
        f" Have the release that is live give them a value, or a default, then: flask release resume {name}"
    )
    return again if is_needed else None


def progress(backfill: Backfill) -> str:
    """Say how far it is, such as "45 % of about 5,000,000 rows of notes, pass 1"."""
    if backfill.state == DONE:
        return f"{backfill.rows_done:,} rows of {backfill.table_name} filled"
    rows = max(backfill.estimated_rows, backfill.pass_scanned)
    percent = 100 * backfill.pass_scanned // rows if rows else 0
    return f"{percent} % of about {rows:,} rows of {backfill.table_name}, pass {backfill.pass_number}"


def what_to_do(backfill: Backfill) -> str:
    if backfill.state == FAILED:
        return f"It failed at {backfill.error}. Fix that, then: flask release resume {backfill.name}"
    if backfill.state == PAUSED:
        return f"It is paused; let it go on with: flask release resume {backfill.name}"
    return "A worker fills it; when flask release status says done, run: flask db upgrade"


def is_stalled(backfill: Backfill) -> bool:
    """Tell whether it should run, and no batch has ended for STALLED_AFTER seconds."""
    return bool(backfill.state == RUNNING and backfill.idle_for > STALLED_AFTER)


def document(backfill: Backfill) -> dict[str, Any]:
    """Return what `flask release status` shows of it, as JSON values."""
    waits_for = f"a worker: no batch for {backfill.idle_for / 60:.0f} min" if is_stalled(backfill) else None
    rate, is_running = backfill.rows_per_second, backfill.state == RUNNING
    left = max(0, backfill.estimated_rows - backfill.pass_scanned) / rate if rate else 0
    time_left = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return {
        "name": backfill.name,
        "table": backfill.table_name,
        "state": backfill.state,
        "progress": progress(backfill),
        "pass": backfill.pass_number,
        "rows_seen": backfill.pass_scanned,
        "rows_filled": backfill.rows_done,
        "estimated_rows": backfill.estimated_rows,
        "rows_per_second": round(rate) if rate else None,
        "speed": f"{rate:,.0f} a second, {time_left} left" if rate and is_running else None,
        "waiting_for": waits_for or backfill.waiting_for,
        "error": backfill.error,
        "started_at": backfill.started_at.isoformat(),
        "updated_at": backfill.updated_at.isoformat(),
        "finished_at": backfill.finished_at.isoformat() if backfill.finished_at else None,
        "next": None if backfill.state in (RUNNING, DONE) else what_to_do(backfill),
    }
