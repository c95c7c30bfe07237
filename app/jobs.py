"""Background jobs: procrastinate, a job queue in PostgreSQL tables beside our own.

A job is deferred in the transaction of the rows that it is about, so it exists exactly when they do. A worker can die
at any line. Another one then runs its job again (at-least-once delivery), so every task must be idempotent.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.contrib.sqlalchemy import SQLAlchemyPsycopg2Connector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import TimeDeltaParams
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.extensions import db

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two heartbeats of a worker
DEAD_AFTER = 30.0  # seconds without a heartbeat; longer than a stopping worker runs, which sends none
LONGEST_JOB = 600.0  # seconds; no job of ours takes as long, so one that seems to was lost with a connection
MOST_ATTEMPTS = 10  # of any job, whatever ended the others
FAILED_JOBS_KEPT_HOURS = 30 * 24

NIGHTLY = "30 18 * * *"  # cron, in UTC; half past three in Korea

# The worker replaces this connector by one to its database, see app/worker.py.
queue = App(connector=PsycopgConnector())


class _SessionConnector(SQLAlchemyPsycopg2Connector):
    """Runs procrastinate's statements on the session's connection, in its transaction.

    The async methods block. They are for JobManager's methods that exist only as async ones; see requeue_stalled_jobs.
    """

    def execute_query_all(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        rows = self.execute_query_all_with_connection(db.session.connection(), query, **arguments)
        return [dict(row) for row in rows]

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        self.execute_query_all(query, **arguments)

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        return self.execute_query_all(query, **arguments)


_session_jobs = JobManager(_SessionConnector())

_LOCK_RUNNING = text("SELECT id FROM procrastinate_jobs WHERE status = 'doing' FOR UPDATE SKIP LOCKED")

# JobManager.get_stalled_jobs(nb_seconds=…) would do this, but is deprecated and will be removed.
_OVERDUE = text(
    "SELECT job.id FROM procrastinate_jobs job WHERE job.status = 'doing'"
    " AND (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id AND event.type = 'started')"
    " < now() - make_interval(secs => :longest)"
).bindparams(longest=LONGEST_JOB)

_BACKLOG = text(
    "SELECT count(*) AS waiting,"
    " extract(epoch FROM now() - min(coalesce(job.scheduled_at, deferred.at)))::int AS oldest"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_events deferred"
    " ON deferred.job_id = job.id AND deferred.type = 'deferred'"
    " WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())"
)


class JobRequeued(Exception):
    """The worker is stopping and cannot wait for this job, so the job goes back into the queue."""


# Errors that every task is retried on: the database does not answer, or the worker is stopping.
TRANSIENT_ERRORS = (JobRequeued, OperationalError, InterfaceError, PoolTimeout)


class ExponentialBackoff(RetryStrategy):
    """A retry strategy that ignores its own limit for TRANSIENT_ERRORS.

    They are not the task's fault. If they used up its retries, the task would end without having stored that it failed.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, TRANSIENT_ERRORS) and job.attempts < MOST_ATTEMPTS:
            return RetryDecision(retry_in={"seconds": 4})
        return super().get_retry_decision(exception=exception, job=job)


def retrying(times: int, *errors: type[Exception]) -> ExponentialBackoff:
    """Retry a job with exponential backoff: after 4, 16, 64 … seconds.

    Args:
        times: the number of retries after the first attempt.
        errors: what to retry on, besides TRANSIENT_ERRORS.
    """
    return ExponentialBackoff(max_attempts=times, exponential_wait=4, retry_exceptions=(*errors, *TRANSIENT_ERRORS))


def nightly(
    name: str, *errors: type[Exception], old_name: str | None = None
) -> Callable[[Callable[[int], None]], Task[[int], None, [int]]]:
    """Register a task that runs every night, once however many workers defer it.

    Args:
        name: "feature.task".
        errors: what to retry on, besides TRANSIENT_ERRORS.
        old_name: its name in the release before, whose jobs may still be queued; None for a new task.
    """
    task = queue.task(name=name, aliases=[old_name] if old_name else [], queueing_lock=name, retry=retrying(3, *errors))
    return lambda function: queue.periodic(cron=NIGHTLY)(task(function))


def defer(task: str, /, *, after: TimeDeltaParams | None = None, **arguments: str | int) -> None:
    """Add a job to the session's transaction. It exists once that commits, and never if it is rolled back.

    Args:
        task: the name under which a feature's tasks.py registered it.
        after: how long it waits at least, such as {"hours": 1}.

    Raises: KeyError when no task has this name; SQLAlchemyError as any other statement of the transaction.
    """
    job = configure_task(name=queue.tasks[task].name, job_manager=_session_jobs, schedule_in=after)
    try:
        job.defer(**arguments)
    except ConnectorException as error:
        if isinstance(error.__cause__, SQLAlchemyError):
            raise error.__cause__ from None
        raise


def waiting(connection: Connection) -> Row[Any] | None:
    """The backlog of the queue.

    Returns: `waiting`, the number of jobs that could run now, and `oldest`, seconds since the first of them could. None
    if the migration that creates the queue has not run.
    """
    try:
        with connection.begin_nested():
            return connection.execute(_BACKLOG).one()
    except ProgrammingError:
        return None


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
    stalled = {job.id for job in await _session_jobs.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER)}
    overdue = set(db.session.scalars(_OVERDUE))
    running = await _session_jobs.list_jobs_async(status=Status.DOING.value)
    for job in running:
        if job.id in locked & (stalled | overdue):
            await _requeue_or_fail(job)


async def _requeue_or_fail(job: Job) -> None:
    # A job with a queueing lock is periodic and is deferred again anyway. That one may wait already, and only one can.
    if job.attempts < MOST_ATTEMPTS and job.queueing_lock is None:
        log.warning("job %d (%s) stalled at attempt %d; requeued", job.id, job.task_name, job.attempts)
        await _session_jobs.retry_job(job)
    else:
        log.warning("job %d (%s) stalled at attempt %d; failed", job.id, job.task_name, job.attempts)
        await _session_jobs.finish_job(job, Status.FAILED, delete_job=False)


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
