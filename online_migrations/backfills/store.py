"""The table `schema_backfills`: one row for each long backfill, with how far it is.

backfill_later() inserts the row. Each batch moves it on, in the transaction that fills the rows.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Executable, func, text
from sqlalchemy.dialects.postgresql import Insert, insert

from online_migrations.sql import literal, quote
from online_migrations.state.tables import BACKFILLS, exists

RUNNING = "running"
PAUSED = "paused"  # by `flask release pause`
DONE = "done"  # a whole pass through the table found no row that meets the condition
FAILED = "failed"  # a row cannot be filled; `error` says which

FIRST_BATCH = 500  # rows
AT_ONCE = 1_000  # rows of a table that the migration itself fills; more would be locked for too long


class Backfill(NamedTuple):
    """A row of the table. The columns say what each means."""

    name: str
    table_name: str
    set_sql: str
    where_sql: str
    pk: str
    search_path: str
    state: str
    turn: int
    pass_number: int
    pass_scanned: int
    pass_wanted: int
    position: str | None
    rows_done: int
    estimated_rows: int
    rows_per_second: float | None
    batch_size: int
    waiting_for: str | None
    error: str | None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    idle_for: float  # seconds since updated_at


KEPT_DAYS = 7  # how long `flask release status` shows one that is done

_IDLE_FOR: sa.ColumnClause[float] = sa.literal_column("extract(epoch FROM clock_timestamp() - updated_at)::float")
_ALL = sa.select(*BACKFILLS.c, _IDLE_FOR).order_by(BACKFILLS.c.started_at, BACKFILLS.c.name)
_UNFINISHED = _ALL.where(BACKFILLS.c.state != DONE)
_RECENT = _ALL.where((BACKFILLS.c.state != DONE) | (BACKFILLS.c.finished_at > func.now() - timedelta(days=KEPT_DAYS)))
_RUNNING_AND_FREE = _ALL.where(BACKFILLS.c.state == RUNNING).with_for_update(skip_locked=True)

_PAUSE = text(
    f"UPDATE schema_backfills SET state = '{PAUSED}', waiting_for = NULL, updated_at = clock_timestamp()"
    f" WHERE state = '{RUNNING}' AND name = coalesce(:name, name) RETURNING name"
)
# One that is done begins a new pass. Without a name, only what was paused goes on.
_RESUME = text(
    f"UPDATE schema_backfills SET turn = turn + 1, error = NULL, waiting_for = NULL, finished_at = NULL,"
    f" updated_at = clock_timestamp(), state = '{RUNNING}'"
    f" WHERE (state = '{PAUSED}' AND :name IS NULL) OR (state <> '{RUNNING}' AND name = :name) RETURNING name, turn"
)


def insertion(name: str, table: str, set_sql: str, where: str, pk: str) -> Insert:
    """Write the INSERT of a new backfill. In an empty table there is nothing to fill, so it is done at once.

    One of this name that exists stays as it is, and no row is returned.
    """
    is_empty: sa.ColumnClause[bool] = sa.literal_column(f"NOT EXISTS (SELECT FROM {quote(table)})")
    oid = f"CAST({literal(quote(table))} AS regclass)"
    estimate = f"(SELECT CAST(greatest(reltuples, 0) AS bigint) FROM pg_class WHERE oid = {oid})"
    return (
        insert(BACKFILLS)
        .values(
            name=name,
            table_name=table,
            set_sql=set_sql,
            where_sql=where,
            pk=pk,
            state=sa.case((is_empty, DONE), else_=RUNNING),
            estimated_rows=sa.literal_column(estimate),
            batch_size=FIRST_BATCH,
            finished_at=sa.case((is_empty, func.now())),
        )
        .on_conflict_do_nothing()
    )


def deletion(name: str) -> Executable:
    return sa.delete(BACKFILLS).where(BACKFILLS.c.name == name)


def completion(name: str, rows: int) -> Executable:
    """Write the UPDATE of one that was filled at once."""
    done = {"state": DONE, "rows_done": rows, "finished_at": func.now()}
    return sa.update(BACKFILLS).where(BACKFILLS.c.name == name).values(done)


def read(connection: Connection, name: str, *, lock: bool = False) -> Backfill | None:
    """Return the backfill of this name; None: there is none.

    Args:
        lock: wait for the batch that works on it, and keep its row locked until the transaction ends.
    """
    named = _ALL.where(BACKFILLS.c.name == name)
    return next(iter(_read(connection, named.with_for_update() if lock else named)), None)


def unfinished_backfills(connection: Connection) -> list[Backfill]:
    """Return those that run, are paused or have failed, the oldest first."""
    return _read(connection, _UNFINISHED)


def recent_backfills(connection: Connection) -> list[Backfill]:
    """Return the same, and those that were done in the last KEPT_DAYS days."""
    return _read(connection, _RECENT)


def lock_running(connection: Connection) -> list[Backfill]:
    """Lock the rows of those that run and on which no batch works at this moment."""
    return _read(connection, _RUNNING_AND_FREE)


def _read(connection: Connection, query: sa.Select[*tuple[object, ...]]) -> list[Backfill]:
    return [Backfill._make(row) for row in connection.execute(query)] if exists(connection, BACKFILLS) else []


def pause(connection: Connection, name: str | None) -> list[str]:
    """Pause the backfill of this name, or all; return the names. The batch that works just now is the last one."""
    return list(connection.scalars(_PAUSE, {"name": name}))


def resume(connection: Connection, name: str | None) -> list[tuple[str, int]]:
    """Let the backfill of this name run again, or all that were paused.

    Returns:
        name and turn of each. Its next batch is the caller's to defer.
    """
    return [(row.name, row.turn) for row in connection.execute(_RESUME, {"name": name})]


def take_search_path(connection: Connection, path: str) -> None:
    """Look for tables on this search path until the transaction ends."""
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def is_small(connection: Connection, table: str) -> bool:
    """Tell whether the table has at most AT_ONCE rows."""
    counted = f"SELECT count(*) FROM (SELECT FROM {quote(table)} LIMIT {AT_ONCE + 1}) few"
    return bool(connection.scalar(text(counted)) <= AT_ONCE)
