"""What is around each task that a worker runs (middleware): an application context, a span, a log line, and the cause
where it failed.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from procrastinate import JobContext
from procrastinate.jobs import Job
from procrastinate.worker import Worker

from app import error_reports, tracing
from app.jobs import records
from app.jobs.backfill import fill_batch, resume_lost_backfills
from app.jobs.queue import JobRequeued, queue
from app.jobs.upkeep import requeue_stalled_jobs
from app.redaction import cause

log = logging.getLogger(__name__)

# These run several times a minute, the batches of a backfill several times a second. No request defers them.
FREQUENT = {requeue_stalled_jobs.name, fill_batch.name, resume_lost_backfills.name}


def in_context(app: Flask) -> Callable[..., Any]:
    """The middleware of all tasks. The context brings a database session."""

    def run(call_next: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
        job, began, failure = context.job, time.monotonic(), None
        span = tracing.Span(tracing.WORKER, None, job.task_name)
        tracing.begin(span)
        try:
            with app.app_context():
                try:
                    if job.id and job.task_name not in FREQUENT:
                        span.request_id = records.request_of(job.id)
                    return call_next()
                except Exception as error:
                    failure = error
                    if not is_retried(job, error):
                        error_reports.report(app, error)
                    if job.id and not isinstance(error, JobRequeued):
                        records.note_failure(job.id, error)
                    raise
        finally:
            _log_job(job, span, time.monotonic() - began, failure)
            tracing.end()

    return run


def is_retried(job: Job, error: Exception) -> bool:
    return queue.tasks[job.task_name].get_retry_exception(exception=error, job=job) is not None


def _log_job(job: Job, span: tracing.Span, seconds: float, failure: Exception | None) -> None:
    outcome = "done"
    if failure:
        outcome = "retried" if is_retried(job, failure) else "failed"
    fields = {
        "at": "job",
        "task": job.task_name,
        "job": job.id,
        "attempt": job.attempts,
        "outcome": outcome,
        "ms": round(seconds * 1000),
        "sql_count": span.statements,
        "sql_ms": span.sql_seconds * 1000,
        "bucket_ms": span.bucket_seconds * 1000,
        **({"error": cause(failure)} if failure else {}),
    }
    usual = logging.DEBUG if job.task_name in FREQUENT else logging.INFO
    log.log(logging.WARNING if failure else usual, "", extra={"request_id": span.request_id, "fields": fields})
