"""Reading the records of long backfills, pausing and resuming them."""

from datetime import timedelta

from sqlalchemy import ColumnClause, Connection, bindparam, func, literal_column, select, text

from app.release.backfills.table import AT_ONCE, BACKFILLS, DONE, PAUSED, RUNNING, Backfill, exists
from app.release.sql.dialect import quote

KEPT_DAYS = 7  # how long `flask release status` shows one that is done

_IDLE_FOR: ColumnClause[float] = literal_column("extract(epoch FROM clock_timestamp() - updated_at)::float")
_ALL = select(*BACKFILLS.c, _IDLE_FOR).order_by(BACKFILLS.c.started_at, BACKFILLS.c.name)
_UNFINISHED = _ALL.where(BACKFILLS.c.state != DONE)
_RECENT = _ALL.where((BACKFILLS.c.state != DONE) | (BACKFILLS.c.finished_at > func.now() - timedelta(days=KEPT_DAYS)))
_NAMED = _ALL.where(BACKFILLS.c.name == bindparam("name"))
_LOCKED = _NAMED.with_for_update()
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


def read(connection: Connection, name: str) -> Backfill | None:
    """The backfill of this name; None: there is none."""
    if not exists(connection):
        return None
    row = connection.execute(_NAMED, {"name": name}).one_or_none()
    return Backfill._make(row) if row else None


def lock(connection: Connection, name: str) -> Backfill | None:
    """The same, with its row locked until the transaction ends. Waits for the batch that works on it."""
    row = connection.execute(_LOCKED, {"name": name}).one_or_none()
    return Backfill._make(row) if row else None


def unfinished_backfills(connection: Connection) -> list[Backfill]:
    """Those that run, are paused or have failed, the oldest first."""
    return [Backfill._make(row) for row in connection.execute(_UNFINISHED)] if exists(connection) else []


def recent_backfills(connection: Connection) -> list[Backfill]:
    """The same, and those that were done in the last KEPT_DAYS days."""
    return [Backfill._make(row) for row in connection.execute(_RECENT)] if exists(connection) else []


def lock_running(connection: Connection) -> list[Backfill]:
    """Those that run and on which no batch works at this moment, their rows locked."""
    return [Backfill._make(row) for row in connection.execute(_RUNNING_AND_FREE)] if exists(connection) else []


def pause(connection: Connection, name: str | None) -> list[str]:
    """Pause the backfill of this name, or all. The batch that works just now is the last one.

    Returns:
        the names of those that ran.
    """
    return list(connection.scalars(_PAUSE, {"name": name}))


def resume(connection: Connection, name: str | None) -> list[tuple[str, int]]:
    """Let the backfill of this name run again, or all that were paused.

    Returns:
        name and turn of each. Its next batch is the caller's to defer.
    """
    return [(row.name, row.turn) for row in connection.execute(_RESUME, {"name": name})]


def is_small(connection: Connection, table: str) -> bool:
    """Whether the table has at most AT_ONCE rows."""
    counted = f"SELECT count(*) FROM (SELECT FROM {quote(table)} LIMIT {AT_ONCE + 1}) few"
    return bool(connection.scalar(text(counted)) <= AT_ONCE)
