"""Waiting for what another process does: for a condition, never for a time."""

import time
from collections.abc import Callable

from sqlalchemy import text

from app.extensions import db

WITHIN = 60.0  # seconds; a busy machine takes ten to start a process, and a condition that never comes true is rare
POLL = 0.02


def wait_until(condition: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """Raise AssertionError where it does not come true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(POLL)


def wait_for_transactions() -> None:
    """Wait for the end of each that has begun, also of a test in another worker. Pages of changes go no further."""
    begun = db.session.scalar(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))
    have_ended = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= :begun")

    def end() -> bool:
        ended = bool(db.session.scalar(have_ended, {"begun": begun}))
        db.session.rollback()
        return ended

    wait_until(end, "transactions end")


def somebody_waits() -> bool:
    """Tell if a session of the application's database waits for another one's lock."""
    waiting = "datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    found = db.session.scalar(text(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {waiting})"))
    db.session.rollback()
    return bool(found)
