"""Background jobs: procrastinate, whose queue is tables beside our own.

A job is deferred in the transaction of the rows that it is about, so that it exists exactly when they do. A worker can
die at any line and its job is done again by another, so every task may be run twice.
"""

import logging
from typing import Any

from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.contrib.sqlalchemy import SQLAlchemyPsycopg2Connector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.extensions import db

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two signs of life of a worker
DEAD_AFTER = 30.0  # seconds without one; longer than a worker that was told to stop needs, which gives none
LONGEST_JOB = 600.0  # seconds; none of ours takes as long: one that seems to was lost with a connection
MOST_ATTEMPTS = 10  # of any job, whatever ended the others
KEPT_HOURS = 30 * 24  # how long a job that failed can be looked at

NIGHTLY = "30 18 * * *"  # UTC; half past three in Korea

# The worker puts a connector to its database in this one's place, see app/worker.py.
queue = App(connector=PsycopgConnector())

_deferring = JobManager(SQLAlchemyPsycopg2Connector())  # is always given the session's connection, and opens none

_PUT_BACK = text(
    "WITH lost AS ("
    " SELECT job.id, job.attempts, job.queueing_lock FROM procrastinate_jobs job WHERE job.status = 'doing' AND ("
    "  NOT EXISTS (SELECT FROM procrastinate_workers w WHERE w.id = job.worker_id"
    "   AND w.last_heartbeat > now() - make_interval(secs => :dead_after))"
    "  OR (SELECT max(at) FROM procrastinate_events e WHERE e.job_id = job.id AND e.type = 'started')"
    "   < now() - make_interval(secs => :longest))"
    " FOR UPDATE OF job SKIP LOCKED)"
    # One with a queueing lock comes again by itself; put back, it could stand in the way of the one that came.
    " SELECT id, attempts, CASE WHEN attempts < :most AND queueing_lock IS NULL"
    " THEN procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)"
    " ELSE procrastinate_finish_job_v1(id, 'failed', false) END FROM lost"
).bindparams(dead_after=DEAD_AFTER, longest=LONGEST_JOB, most=MOST_ATTEMPTS)

_WAITING = text(
    "SELECT count(*) AS waiting,"
    " extract(epoch FROM now() - min(coalesce(job.scheduled_at, deferred.at)))::int AS oldest"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_events deferred"
    " ON deferred.job_id = job.id AND deferred.type = 'deferred'"
    " WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())"
)


class HandedBack(Exception):
    """The worker was told to stop and cannot wait for this job any longer."""


# What may pass by itself, whatever the task: that the database does not answer, or that the worker was stopped.
PASSING = (HandedBack, OperationalError, InterfaceError, PoolTimeout)


class Retrying(RetryStrategy):
    """Patient with what is no fault of the task: that does not use up its tries, or it might never be finished."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, PASSING) and job.attempts < MOST_ATTEMPTS:
            return RetryDecision(retry_in={"seconds": 4})
        return super().get_retry_decision(exception=exception, job=job)


def retrying(times: int, *errors: type[Exception]) -> Retrying:
    """Try a job again, after 4, 16, 64 … seconds.

    Args:
        times: how often at most, besides the first time.
        errors: what may pass by itself, besides PASSING.
    """
    return Retrying(max_attempts=times, exponential_wait=4, retry_exceptions=(*errors, *PASSING))


def defer(task: str, /, **arguments: str | int) -> None:
    """Add a job to the session's transaction: it is there when that commits, and never was when it is rolled back.

    Args:
        task: the name under which a feature's tasks.py registered it.

    Raises:
        KeyError: no task has this name.
        SQLAlchemyError: as any other statement of the transaction.
    """
    name = queue.tasks[task].name
    job = configure_task(name=name, job_manager=_deferring, connection=db.session.connection())
    try:
        job.defer(**arguments)
    except ConnectorException as error:
        if isinstance(error.__cause__, SQLAlchemyError):
            raise error.__cause__ from None
        raise


def waiting(connection: Connection) -> Row[Any] | None:
    """`waiting`, the jobs that could run now, and `oldest`, seconds since the first of them could; None: no queue."""
    try:
        with connection.begin_nested():
            return connection.execute(_WAITING).one()
    except ProgrammingError:  # the migration that creates the queue has not run
        return None


@queue.periodic(cron="* * * * * */20")  # the sixth field: every 20 seconds
@queue.task(name="jobs.put_back", queueing_lock="jobs.put_back", priority=100)
def put_back(timestamp: int) -> None:
    """Give the jobs of workers that died to those that live; fail those that died with it too often."""
    for lost in db.session.execute(_PUT_BACK):
        log.warning("job %d was lost with its worker after %d attempts", lost.id, lost.attempts)
    db.session.commit()


@queue.periodic(cron=NIGHTLY)
@queue.task(name="jobs.remove_old", queueing_lock="jobs.remove_old", pass_context=True, retry=retrying(3))
async def remove_old(context: JobContext, timestamp: int) -> None:
    """Forget the jobs that failed; those that did not are deleted when they end."""
    await context.app.job_manager.delete_old_jobs(
        nb_hours=KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
