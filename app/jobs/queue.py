"""Background jobs: procrastinate, a job queue in PostgreSQL tables beside our own.

A job is deferred in the transaction of the rows that it is about, so it exists exactly when they do. A worker can die
at any line. Another one then runs its job again (at-least-once delivery), so every task must be idempotent.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from procrastinate import App, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.contrib.sqlalchemy import SQLAlchemyPsycopg2Connector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import TimeDeltaParams
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import database_errors
from app.extensions import db
from app.jobs import records

MOST_ATTEMPTS = 10  # of any job, whatever ended the others

NIGHTLY = "30 18 * * *"  # cron, in UTC; half past three in Korea


class JobsByDatabaseTime(JobManager):
    """A retry waits by the database's clock, which says when a job may run.

    By a worker's clock that is behind it would not wait, and all attempts of a job would be over in a second.
    """

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        wait = retry_at - datetime.now(UTC) if retry_at else timedelta()
        [row] = await self.connector.execute_query_all_async("SELECT clock_timestamp() AS now")
        await super().retry_job(job, row["now"] + wait, priority, queue, lock)


# The worker replaces this connector by one to its database, see app/jobs/worker.py.
queue = App(connector=PsycopgConnector())
queue.job_manager = JobsByDatabaseTime(queue.connector)


class _SessionConnector(SQLAlchemyPsycopg2Connector):
    """Runs procrastinate's statements on the session's connection, in its transaction.

    The async methods block. They are for JobManager's methods that exist only as async ones; see queue_upkeep.py.
    """

    def execute_query_all(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        rows = self.execute_query_all_with_connection(db.session.connection(), query, **arguments)
        return [dict(row) for row in rows]

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        self.execute_query_all(query, **arguments)

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        return self.execute_query_all(query, **arguments)


session_jobs = JobsByDatabaseTime(_SessionConnector())

_BACKLOG = text(
    "SELECT count(*) AS waiting,"
    " extract(epoch FROM now() - min(coalesce(job.scheduled_at, deferred.at)))::int AS oldest"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_events deferred"
    " ON deferred.job_id = job.id AND deferred.type = 'deferred'"
    " WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())"
)


_NOW = text("SELECT clock_timestamp()")


class JobRequeued(Exception):
    """The worker is stopping and cannot wait for this job, so the job goes back into the queue."""


def is_transient(error: BaseException) -> bool:
    """Whether every task is retried on it: the database cannot do this now, or the worker is stopping."""
    if isinstance(error, DBAPIError):
        return database_errors.takes_no_changes(error) or database_errors.is_transient(error)
    return isinstance(error, JobRequeued | PoolTimeout)


class ExponentialBackoff(RetryStrategy):
    """A retry strategy that ignores its own limit for transient errors.

    They are not the task's fault. If they used up its retries, the task would end without having stored that it failed.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if is_transient(exception) and job.attempts < MOST_ATTEMPTS:
            return RetryDecision(retry_in={"seconds": 4})
        return super().get_retry_decision(exception=exception, job=job)


def retrying(times: int, *errors: type[Exception]) -> ExponentialBackoff:
    """Retry a job with exponential backoff: after 4, 16, 64 … seconds.

    Args:
        times: the number of retries after the first attempt.
        errors: what to retry on, besides transient errors.
    """
    named: tuple[type[Exception], ...] = (JobRequeued, *errors)  # never empty, which would mean all
    return ExponentialBackoff(max_attempts=times, exponential_wait=4, retry_exceptions=named)


def nightly(
    name: str, *errors: type[Exception], old_name: str | None = None
) -> Callable[[Callable[[int], None]], Task[[int], None, [int]]]:
    """Register a task that runs every night, once however many workers defer it.

    Args:
        name: "feature.task".
        errors: what to retry on, besides transient errors.
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
    defer_on(db.session.connection(), task, arguments, after=after)


def defer_on(
    connection: Connection,
    task: str,
    arguments: Mapping[str, str | int],
    *,
    after: TimeDeltaParams | None = None,
    priority: int = 0,
) -> None:
    """The same, in the transaction of any connection.

    Args:
        priority: of the jobs that could run, the one with the highest goes first.
    """
    job = configure_task(
        name=queue.tasks[task].name,
        job_manager=session_jobs,
        connection=connection,
        schedule_at=connection.scalar(_NOW) + timedelta(**after) if after else None,
        priority=priority,
    )
    try:
        records.note_request(connection, job.defer(**arguments))
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
