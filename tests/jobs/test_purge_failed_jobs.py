"""A job that ended without success is kept for 30 days. One that waits or runs is never purged."""

import asyncio

from flask import Flask
from procrastinate import JobContext
from procrastinate.jobs import Job
from sqlalchemy import text

from app.extensions import db
from app.jobs.connection import connector
from app.jobs.queue import queue
from app.jobs.tasks import FAILED_JOBS_KEPT_HOURS, purge_failed_jobs

JOB = "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'wordcounts.count') RETURNING id"
AGED = "UPDATE procrastinate_events SET at = now() - make_interval(hours => :hours) WHERE job_id = :job"
STATUS = "UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status) WHERE id = :job"
HAVE_ENDED, HAVE_NOT_ENDED = ("failed", "cancelled", "aborted"), ("todo", "doing")


def add_job(status: str, hours_ago: int) -> int:
    job = int(db.session.execute(text(JOB)).scalar_one())
    db.session.execute(text(STATUS), {"job": job, "status": status})
    db.session.execute(text(AGED), {"job": job, "hours": hours_ago})
    return job


async def purge(app: Flask) -> None:
    with queue.replace_connector(connector(app)):
        async with queue.open_async():
            context = JobContext(
                app=queue,
                job=Job(id=None, queue="default", lock=None, queueing_lock=None, task_name=""),
                start_timestamp=0,
                abort_reason=lambda: None,
            )
            await purge_failed_jobs(context, timestamp=0)


def test_only_what_ended_longer_ago_is_purged(migrated: Flask) -> None:
    for status in HAVE_ENDED:
        add_job(status, FAILED_JOBS_KEPT_HOURS + 1)
    kept = {add_job(status, FAILED_JOBS_KEPT_HOURS - 1) for status in HAVE_ENDED}
    kept |= {add_job(status, FAILED_JOBS_KEPT_HOURS + 1) for status in HAVE_NOT_ENDED}
    db.session.commit()
    asyncio.run(purge(migrated))
    assert set(db.session.scalars(text("SELECT id FROM procrastinate_jobs"))) == kept
