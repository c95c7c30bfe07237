"""Progress of a long backfill, for `flask release status`."""

from typing import Any

from app.release.backfills import guards
from app.release.backfills.table import DONE, RUNNING, Backfill

STALLED_AFTER = 120  # seconds without a batch; the worker looks every minute for a backfill without a job


def document(backfill: Backfill) -> dict[str, Any]:
    """What is shown of it, as JSON values."""
    return {
        "name": backfill.name,
        "table": backfill.table_name,
        "state": backfill.state,
        "progress": guards.progress(backfill),
        "pass": backfill.pass_number,
        "rows_seen": backfill.pass_scanned,
        "rows_filled": backfill.rows_done,
        "estimated_rows": backfill.estimated_rows,
        "rows_per_second": round(backfill.rows_per_second) if backfill.rows_per_second else None,
        "speed": _speed(backfill),
        "waiting_for": _waiting_for(backfill),
        "error": backfill.error,
        "started_at": backfill.started_at.isoformat(),
        "updated_at": backfill.updated_at.isoformat(),
        "finished_at": backfill.finished_at.isoformat() if backfill.finished_at else None,
        "next": None if backfill.state in (RUNNING, DONE) else guards.what_to_do(backfill),
    }


def is_stalled(backfill: Backfill) -> bool:
    """Whether it should run, and no batch has ended for STALLED_AFTER seconds."""
    return backfill.state == RUNNING and backfill.idle_for > STALLED_AFTER


def _waiting_for(backfill: Backfill) -> str | None:
    if is_stalled(backfill):
        return f"a worker: no batch for {backfill.idle_for / 60:.0f} min"
    return backfill.waiting_for


def _speed(backfill: Backfill) -> str | None:
    """Rows a second, and how long the pass will take at this rate."""
    if backfill.state != RUNNING or not backfill.rows_per_second:
        return None
    left = max(0, backfill.estimated_rows - backfill.pass_scanned) / backfill.rows_per_second
    time_left = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f"{backfill.rows_per_second:,.0f} a second, {time_left} left"
