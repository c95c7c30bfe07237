"""Keep steps from running until the long backfills that they need are done, and tell how far those are.

Operations ask by themselves, and are asked before a run changes anything (runner/preconditions.py).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from online_migrations.backfills import store
from online_migrations.backfills.store import DONE, FAILED, PAUSED, RUNNING, Backfill, BackfillQuery
from online_migrations.sql import names_in, shadow_of

STALLED_AFTER = 120  # seconds without a batch; the worker looks every minute for a backfill without a job


class Task(NamedTuple):
    """Say what a backfill does, whether it is recorded or about to be."""

    name: str
    query: BackfillQuery
    how_far: str  # the end of a sentence that begins with its name


# Operations, and the question if one needs a backfill to be done, of its task and the operation's arguments.
NEEDS: dict[str, Callable[[Task, Mapping[str, Any]], bool]] = {
    "set_not_null_online": lambda task, given: task.query.fills(given["table"], [given["column"]]),
    "add_check_online": lambda task, given: task.query.fills(given["table"], names_in(given["condition"])),
    "add_unique_online": lambda task, given: task.query.fills(given["table"], given["columns"]),
    "add_primary_key_online": lambda task, given: task.query.fills(given["table"], given["columns"]),
    "drop_column_contract": lambda task, given: task.query.uses(given["table"], given["column"]),
    "drop_table_contract": lambda task, given: task.query.table == given["table"],
    "drop_compat_view": lambda task, given: task.query.table == given["old"],
    "drop_shadow_contract": lambda task, given: task.query.uses(given["table"], shadow_of(given["column"])),
    "drop_dual_write_contract": lambda task, given: task.query.uses(given["table"], given["column"]),
    "stop_dual_write_contract": lambda task, given: task.query.fills(given["table"], [given["column"]]),
    "require_backfilled": lambda task, given: task.name == given["name"],
}


def unfinished_tasks(connection: Connection) -> list[Task]:
    """Return those that are recorded and not done, the oldest first."""
    return [_task(backfill) for backfill in store.unfinished_backfills(connection)]


def _task(backfill: Backfill) -> Task:
    return Task(backfill.name, backfill.query, f"{progress(backfill)}. {what_to_do(backfill)}")


def reason_to_wait(function: str, given: Mapping[str, Any], tasks: Iterable[Task]) -> str | None:
    """Say why a function of NEEDS with these arguments cannot run while these backfills are not done; None: it can."""
    for task in tasks:
        if NEEDS[function](task, given):
            step = f"{function}({', '.join(repr(value) for value in given.values())})"
            return f"{step} needs the backfill {task.name!r}, which is not done: {task.how_far}"
    return None


def reason_not_done(connection: Connection, name: str) -> str | None:
    """Say why a backfill cannot be relied on: never begun, not done, or rows have come since that it should fill.

    A column that does not exist was dropped by a later step of a run that was interrupted.
    """
    backfill = store.read(connection, name)
    if backfill is None:
        return f"No backfill {name!r} was ever begun; backfill_later({name!r}, …) belongs in an earlier release"
    if backfill.state != DONE:
        return reason_to_wait("require_backfilled", {"name": name}, [_task(backfill)])
    try:
        with connection.begin_nested() as savepoint:
            store.take_search_path(connection, backfill.search_path)
            is_needed = backfill.query.is_needed(connection)
            savepoint.rollback()  # and with it the search path
    except ProgrammingError:
        return None
    if is_needed:
        return (
            f"The backfill {name!r} was done, but {backfill.table_name} has rows again that meet"
            f" {backfill.where_sql!r}. Have the release that is live give them a value, or a default, then:"
            f" flask release resume {name}"
        )
    return None


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
    return backfill.state == RUNNING and backfill.idle_for > STALLED_AFTER


def document(backfill: Backfill) -> dict[str, Any]:
    """Return what `flask release status` shows of it, as JSON values."""
    waits_for = f"a worker: no batch for {backfill.idle_for / 60:.0f} min" if is_stalled(backfill) else None
    rate, speed = backfill.rows_per_second, None
    if rate and backfill.state == RUNNING:
        left = max(0, backfill.estimated_rows - backfill.pass_scanned) / rate
        speed = f"{rate:,.0f} a second, {store.time_left(left)} left"
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
        "speed": speed,
        "waiting_for": waits_for or backfill.waiting_for,
        "error": backfill.error,
        "started_at": backfill.started_at.isoformat(),
        "updated_at": backfill.updated_at.isoformat(),
        "finished_at": backfill.finished_at.isoformat() if backfill.finished_at else None,
        "next": None if backfill.state in (RUNNING, DONE) else what_to_do(backfill),
    }
