"""The owner cancels as a worker finishes: who changed the row first wins. On connections of their own.

The first one has changed the row and not committed yet, so the second one waits for it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts import service as accounts
from app.extensions import db
from app.wordcounts import counting, service
from tests.conftest import PASSWORD
from tests.waiting import wait_until
from tests.wordcounts.count_job import stored
from tests.wordcounts.results import URL

CANCELLED = "UPDATE results SET status = 'failed', error = 'cancelled', finished_at = now()"
DONE = "UPDATE results SET status = 'done', total_words = 1, finished_at = now()"
WAITING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"


def at_the_same_moment(app: Flask, first: str, second: Callable[[], object]) -> tuple[dict[str, Any], Exception | None]:
    """What the first one stored, and what the second one raised, if anything."""

    def run() -> Exception | None:
        with app.app_context():
            try:
                second()
            except Exception as error:
                return error
            return None

    with db.engine.connect() as connection, ThreadPoolExecutor(1) as threads:
        row = connection.execute(text(f"{first} RETURNING *")).mappings().one()
        running = threads.submit(run)
        wait_until(lambda: running.done() or somebody_waits(), "the second one waits for the first")
        assert not running.done()
        connection.commit()
        return dict(row), running.result()


def somebody_waits() -> bool:
    found = db.session.scalar(text(f"SELECT EXISTS ({WAITING})"))
    db.session.rollback()
    return bool(found)


@pytest.fixture
def user_id(migrated: Flask) -> int:
    return accounts.sign_up("alice@example.com", "alice", PASSWORD).id


def test_a_count_that_was_done_first_stays_done(migrated: Flask, user_id: int) -> None:
    public_id = service.ask(user_id, URL)
    row, error = at_the_same_moment(migrated, DONE, lambda: service.cancel_result(user_id, public_id))
    assert isinstance(error, service.AlreadyFinished)
    assert stored() == row


def test_a_count_that_was_cancelled_first_stays_cancelled(migrated: Flask, user_id: int) -> None:
    service.ask(user_id, URL)
    number = stored("id")["id"]
    row, error = at_the_same_moment(migrated, CANCELLED, lambda: counting.fail_interrupted(number))
    assert error is None
    assert stored() == row


def test_a_count_that_is_cancelled_twice_is_cancelled_once(migrated: Flask, user_id: int) -> None:
    public_id = service.ask(user_id, URL)
    row, error = at_the_same_moment(migrated, CANCELLED, lambda: service.cancel_result(user_id, public_id))
    assert error is None
    assert stored() == row
