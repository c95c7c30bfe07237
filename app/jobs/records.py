"""What is remembered of a job beside the queue: the request that deferred it (correlation id), and why it failed last.

A row has the id of its job. Most jobs have none: nobody asked for them, and they did not fail.
"""

import logging
from datetime import datetime

from sqlalchemy import BigInteger, Connection, DateTime, Row, String, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from app import tracing
from app.extensions import Base, db
from app.redaction import LONGEST_CAUSE, cause

log = logging.getLogger(__name__)


class JobRecord(Base):
    __tablename__ = "job_records"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # the job's
    request_id: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(String(LONGEST_CAUSE))
    failed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


_REQUEST = select(JobRecord.request_id).where(JobRecord.id == bindparam("job"))
_FAILURE = insert(JobRecord).values(id=bindparam("job"), error=bindparam("error"), failed_at=func.now())
_LAST_FAILURE = _FAILURE.on_conflict_do_update(
    index_elements=["id"], set_={"error": _FAILURE.excluded.error, "failed_at": func.now()}
)
_PURGE = text(
    "DELETE FROM job_records WHERE NOT EXISTS (SELECT FROM procrastinate_jobs job WHERE job.id = job_records.id)"
)
_FAILED = text(
    "WITH unhappy AS ("
    " SELECT job.id, job.status, job.task_name, failed_at, coalesce(error, 'no cause is known') AS error"
    " FROM procrastinate_jobs job LEFT JOIN job_records USING (id)"
    " WHERE job.status = 'failed' OR job.status = 'todo' AND failed_at IS NOT NULL"
    ") SELECT count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'todo') AS retried,"
    " (SELECT concat('job ', id, ', ', task_name,"
    " to_char(failed_at AT TIME ZONE 'UTC', ', YYYY-MM-DD HH24:MI UTC'), ': ', error)"
    " FROM unhappy ORDER BY failed_at DESC NULLS LAST, id DESC LIMIT 1) AS newest FROM unhappy"
)


def note_request(connection: Connection, job: int) -> None:
    """Note the request at work, in the transaction that has deferred the job; nothing where none is."""
    span = tracing.current()
    if span and span.request_id:
        connection.execute(insert(JobRecord).values(id=job, request_id=span.request_id))


def request_of(job: int) -> str | None:
    """The request that deferred the job, at first: a job may defer others."""
    request_id = db.session.scalar(_REQUEST, {"job": job})
    db.session.commit()
    return request_id


def add_failure(job: int | None, error: BaseException) -> None:
    """Store why the job failed, in the session's transaction."""
    db.session.execute(_LAST_FAILURE, {"job": job, "error": cause(error)})


def note_failure(job: int, error: BaseException) -> None:
    """Store why the job failed, in a transaction of its own. The log has it, if the database does not take it now."""
    try:
        db.session.rollback()
        add_failure(job, error)
        db.session.commit()
    except SQLAlchemyError as lost:
        log.warning("why job %d failed could not be stored: %s", job, cause(lost))


def purge_lost_records() -> None:
    """Delete the rows of jobs that are gone."""
    db.session.execute(_PURGE)
    db.session.commit()


def failed_jobs(connection: Connection) -> Row[tuple[int, int, str | None]] | None:
    """For `flask release status`.

    Returns: `failed`, the number of jobs that ended so; `retried`, of those that wait for another attempt; `newest`,
    the last of all these and why. None if a migration that this needs has not run.
    """
    try:
        with connection.begin_nested():
            return connection.execute(_FAILED).one()
    except ProgrammingError:
        return None
