"""Upkeep of the job queue: the jobs of dead workers go back into it, and failed jobs are deleted after a month."""

import asyncio
import logging

from procrastinate import JobContext
from procrastinate.jobs import Job, Status
from sqlalchemy import text

from app.extensions import db
from app.jobs import records
from app.jobs.queue import MOST_ATTEMPTS, NIGHTLY, nightly, queue, retrying, session_jobs

log = logging.getLogger(__name__)

DEAD_AFTER = 30.0  # seconds without a heartbeat; longer than a stopping worker runs, which sends none
LONGEST_JOB = 600.0  # seconds; no job of ours takes as long, so one that seems to was lost with a connection
FAILED_JOBS_KEPT_HOURS = 30 * 24


class WorkerLost(Exception):
    """Why a job failed that no worker has ended."""


_LOCK_RUNNING = text("SELECT id FROM procrastinate_jobs WHERE status = 'doing' FOR UPDATE SKIP LOCKED")

# JobManager.get_stalled_jobs(nb_seconds=…) would do this, but is deprecated and will be removed.
_OVERDUE = text(
    "SELECT job.id FROM procrastinate_jobs job WHERE job.status = 'doing'"
    " AND (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id AND event.type = 'started')"
    " < now() - make_interval(secs => :longest)"
).bindparams(longest=LONGEST_JOB)


@queue.periodic(cron="* * * * * */20")  # the sixth field: every 20 seconds
@queue.task(
    name="jobs.requeue_stalled_jobs",
    aliases=["jobs.put_back"],  # its name until this release; a job of that name may still be queued
    queueing_lock="jobs.requeue_stalled_jobs",
    priority=100,
)
def requeue_stalled_jobs(timestamp: int) -> None:
    """Requeue the jobs of dead workers. A job that was attempted MOST_ATTEMPTS times fails instead.

    The running jobs are locked first, so two workers never requeue the same job, and no worker finishes a job while it
    is being requeued. A job that another transaction has locked is left to it.
    """
    locked = set(db.session.scalars(_LOCK_RUNNING))
    asyncio.run(_requeue_stalled(locked))
    db.session.commit()


async def _requeue_stalled(locked: set[int]) -> None:
    stalled = {job.id for job in await session_jobs.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER)}
    overdue = set(db.session.scalars(_OVERDUE))
    running = await session_jobs.list_jobs_async(status=Status.DOING.value)
    for job in running:
        if job.id in locked & (stalled | overdue):
            await _requeue_or_fail(job)


async def _requeue_or_fail(job: Job) -> None:
    # A job with a queueing lock is periodic and is deferred again anyway. That one may wait already, and only one can.
    if job.attempts < MOST_ATTEMPTS and job.queueing_lock is None:
        log.warning("job %d (%s) stalled at attempt %d; requeued", job.id, job.task_name, job.attempts)
        await session_jobs.retry_job(job)
    else:
        log.warning("job %d (%s) stalled at attempt %d; failed", job.id, job.task_name, job.attempts)
        await session_jobs.finish_job(job, Status.FAILED, delete_job=False)
        records.add_failure(job.id, WorkerLost("its workers died or lost the database"))


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="jobs.purge_failed_jobs",
    aliases=["jobs.remove_old"],  # its name until this release; a job of that name may still be queued
    queueing_lock="jobs.purge_failed_jobs",
    pass_context=True,
    retry=retrying(3),
)
async def purge_failed_jobs(context: JobContext, timestamp: int) -> None:
    """Delete jobs that ended without success FAILED_JOBS_KEPT_HOURS ago. The worker deletes successful ones at once."""
    await context.app.job_manager.delete_old_jobs(
        nb_hours=FAILED_JOBS_KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )


@nightly("jobs.purge_lost_records")
def purge_lost_records(timestamp: int) -> None:
    records.purge_lost_records()
