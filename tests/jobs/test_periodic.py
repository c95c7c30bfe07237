"""Periodic tasks: a job is deferred once, however many workers are due to defer it."""

import asyncio

from flask import Flask
from procrastinate.periodic import PeriodicDeferrer
from sqlalchemy import text

from app.extensions import db
from app.jobs.connection import connector
from app.jobs.queue import queue

JOBS = "SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY task_name"


async def defer(app: Flask, times: list[int]) -> None:
    """Defer all periodic tasks at these times, by two workers at once."""
    due = [(task, time) for time in times for task in queue.periodic_registry.periodic_tasks.values()]
    workers = [PeriodicDeferrer(queue.periodic_registry) for _ in range(2)]
    with queue.replace_connector(connector(app)):
        async with queue.open_async():
            await asyncio.gather(*(worker.defer_jobs(due) for worker in workers))


def test_two_workers_defer_each_task_once(migrated: Flask) -> None:
    asyncio.run(defer(migrated, [1_000_000]))
    jobs = db.session.execute(text(JOBS)).all()
    assert {number for _, number in jobs} == {1}
    assert "photos.sweep" in {task for task, _ in jobs}


def test_a_job_that_is_still_queued_is_not_deferred_again(migrated: Flask) -> None:
    asyncio.run(defer(migrated, [1_000_000, 2_000_000]))
    assert {jobs for _, jobs in db.session.execute(text(JOBS))} == {1}
