"""Background jobs: procrastinate, a job queue in PostgreSQL tables beside our own.

A job is deferred in the transaction of the rows that it is about, so it exists exactly when they do. A worker can die
at any line. Another one then runs its job again (at-least-once delivery), so every task must be idempotent.

A row of job_records remembers the request that deferred the job (correlation id), and why it failed last. Most jobs
have none: nobody asked for them, and they did not fail.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from procrastinate import App, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task
from procrastinate.types import TimeDeltaParams
from sqlalchemy import BigInteger, Connection, String, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, mapped_column

from app import tracing
from app.database import errors
from app.extensions import Base, db
from app.redaction import LONGEST_CAUSE, cause

log = logging.getLogger(__name__)

TABLES = "procrastinate_"  # the beginning of the names of its tables

MOST_ATTEMPTS = 10  # of any job, whatever ended the others

NIGHTLY = "30 18 * * *"  # cron, in UTC; half past three in Korea


class JobsByDatabaseTime(JobManager):
    """Have a retry wait by the database's clock. By a worker's clock that is behind it would not wait at all."""

    async def retry_job(self, job: Job, retry_at: datetime | None = None, *rest: Any, **named: Any) -> None:
        wait = retry_at - datetime.now(UTC) if retry_at else timedelta()
        [row] = await self.connector.execute_query_all_async("SELECT clock_timestamp() AS now")
        await super().retry_job(job, row["now"] + wait, *rest, **named)


# The worker replaces this connector by one to its database, see app/jobs/worker.py.
queue = App(connector=PsycopgConnector())
queue.job_manager = JobsByDatabaseTime(queue.connector)


class _SessionConnector(BaseConnector):
    """Run procrastinate's statements in a transaction of ours: a migration's, or the session's."""

    def get_sync_connector(self) -> BaseConnector:
        return self

    def execute_query_all_with_connection(
        self, connection: Connection, query: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        if jobs := arguments.get("jobs"):  # the same to both drivers
            arguments["jobs"] = [job._replace(args=json.dumps(job.args)) for job in jobs]
        return [dict(row) for row in connection.exec_driver_sql(query, arguments).mappings()]


session_jobs = JobManager(_SessionConnector())

_NOW = text("SELECT clock_timestamp()")


class JobRequeued(Exception):
    """The worker is stopping and cannot wait for this job, so the job goes back into the queue."""


def is_transient(error: BaseException) -> bool:
    """Tell if every task is retried on it: the database cannot do this now, or the worker is stopping."""
    if isinstance(error, DBAPIError):
        return errors.takes_no_changes(error) or errors.is_transient(error)
    return isinstance(error, JobRequeued | PoolTimeout)


class ExponentialBackoff(RetryStrategy):
    """Retry transient errors beyond the limit. They are not the task's fault: if they used up its retries, the task
    would end without having stored that it failed.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if is_transient(exception) and job.attempts < MOST_ATTEMPTS:
            return RetryDecision(retry_in={"seconds": 4})
        return super().get_retry_decision(exception=exception, job=job)


def retrying(times: int, *errors: type[Exception]) -> ExponentialBackoff:
    """Retry a job with exponential backoff: after 4, 16, 64 … seconds, on these errors and on transient ones."""
    named: tuple[type[Exception], ...] = (JobRequeued, *errors)  # never empty, which would mean all
    return ExponentialBackoff(max_attempts=times, exponential_wait=4, retry_exceptions=named)


def nightly(name: str, *errors: type[Exception]) -> Callable[[Callable[[int], None]], Task[[int], None, [int]]]:
    """Register a task that runs every night, once however many workers defer it, and is retried on these errors."""
    task = queue.task(name=name, queueing_lock=name, retry=retrying(3, *errors))
    return lambda function: queue.periodic(cron=NIGHTLY)(task(function))


def defer(task: str, /, *, after: TimeDeltaParams | None = None, **arguments: str | int) -> None:
    """Add a job to the session's transaction, which waits at least as long as `after` says, such as {"hours": 1}.

    Raises: KeyError: no task has this name; SQLAlchemyError as any other statement of the transaction.
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
    """Add a job to the transaction of any connection. Of those that could run, the highest priority goes first."""
    job = configure_task(
        name=queue.tasks[task].name,
        job_manager=session_jobs,
        connection=connection,
        schedule_at=connection.scalar(_NOW) + timedelta(**after) if after else None,
        priority=priority,
    )
    span = tracing.current()
    job_id = job.defer(**arguments)
    if span and span.request_id:
        connection.execute(insert(JobRecord).values(id=job_id, request_id=span.request_id))


def status_lines(connection: Connection) -> dict[str, str]:
    """Say for `flask release status` how many jobs could run now, and how many failed or wait to be tried again."""
    try:
        with connection.begin_nested():
            jobs = connection.execute(_STATUS).one()
    except ProgrammingError:
        return {"queue": "none: the migration that creates it has not run"}
    waiting = f"jobs waiting: {jobs.waiting}, the first for {jobs.oldest} s" if jobs.waiting else "no job waits"
    retried = f", and {jobs.retried} to be tried again" if jobs.retried else ""
    failed = f"{jobs.failed}{retried}, the newest: {jobs.newest}" if jobs.newest else "none"
    return {"queue": waiting, "failed jobs": failed}


class JobRecord(Base):
    __tablename__ = "job_records"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # the job's
    request_id: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(String(LONGEST_CAUSE))
    failed_at: Mapped[datetime | None]


_REQUEST = select(JobRecord.request_id).where(JobRecord.id == bindparam("job"))
_FAILURE = insert(JobRecord).values(id=bindparam("job"), error=bindparam("error"), failed_at=func.now())
_LAST_FAILURE = _FAILURE.on_conflict_do_update(
    index_elements=["id"], set_={"error": _FAILURE.excluded.error, "failed_at": func.now()}
)
_STATUS = text(
    "WITH backlog AS ("
    " SELECT count(*) AS waiting,"
    " extract(epoch FROM now() - min(coalesce(job.scheduled_at, deferred.at)))::int AS oldest"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_events deferred"
    " ON deferred.job_id = job.id AND deferred.type = 'deferred'"
    " WHERE job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())"
    "), unhappy AS ("
    " SELECT job.id, job.status, job.task_name, failed_at, coalesce(error, 'no cause is known') AS error"
    " FROM procrastinate_jobs job LEFT JOIN job_records USING (id)"
    " WHERE job.status = 'failed' OR job.status = 'todo' AND failed_at IS NOT NULL"
    ") SELECT (SELECT waiting FROM backlog), (SELECT oldest FROM backlog),"
    " count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'todo') AS retried,"
    " (SELECT concat('job ', id, ', ', task_name,"
    " to_char(failed_at AT TIME ZONE 'UTC', ', YYYY-MM-DD HH24:MI UTC'), ': ', error)"
    " FROM unhappy ORDER BY failed_at DESC NULLS LAST, id DESC LIMIT 1) AS newest FROM unhappy"
)


def request_of(job: int) -> str | None:
    """Return the request that deferred the job, at first: a job may defer others."""
    request_id = db.session.scalar(_REQUEST, {"job": job})
    db.session.commit()
    return request_id


def add_failure(job: int | None, error: BaseException) -> None:
    """Store why the job failed, in the session's transaction."""
    db.session.execute(_LAST_FAILURE, {"job": job, "error": cause(error)})


def note_failure(job: int, error: BaseException) -> None:
    """Store why the job failed, in a transaction of its own. The log has it if the database does not take it now."""
    try:
        db.session.rollback()
        add_failure(job, error)
        db.session.commit()
    except SQLAlchemyError as lost:
        log.warning("why job %d failed could not be stored: %s", job, cause(lost))
