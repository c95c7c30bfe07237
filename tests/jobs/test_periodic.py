"""What is due at a time is deferred once, however many workers defer it."""

import asyncio
from collections.abc import Iterator

import pytest
from flask import Flask
from procrastinate.periodic import PeriodicDeferrer
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.jobs import queue
from app.worker import connector
from config import TestingConfig
from tests.databases import Environment

JOBS = "SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY task_name"


@pytest.fixture
def migrated(migrated_environment: Environment) -> Iterator[Flask]:
    app = create_app(TestingConfig(migrated_environment))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


async def defer(app: Flask, times: list[int]) -> None:
    """As two workers do at once, each at these times."""
    due = [(task, time) for time in times for task in queue.periodic_registry.periodic_tasks.values()]
    workers = [PeriodicDeferrer(queue.periodic_registry) for _ in range(2)]
    with queue.replace_connector(connector(app)):
        async with queue.open_async():
            await asyncio.gather(*(worker.defer_jobs(due) for worker in workers))


def test_two_workers_defer_what_is_due_once(migrated: Flask) -> None:
    asyncio.run(defer(migrated, [1_000_000]))
    jobs = db.session.execute(text(JOBS)).all()
    assert {number for _, number in jobs} == {1}
    assert "photos.sweep" in {task for task, _ in jobs}


def test_what_still_waits_is_not_deferred_again_when_it_is_due_again(migrated: Flask) -> None:
    asyncio.run(defer(migrated, [1_000_000, 2_000_000]))
    assert {jobs for _, jobs in db.session.execute(text(JOBS))} == {1}
