"""Remembering of a job the request that deferred it, and why it failed."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from procrastinate import JobContext
from procrastinate.jobs import Job
from sqlalchemy import text

from app import tracing
from app.extensions import db
from app.jobs.queue import JobRequeued, defer, note_failure, queue
from app.jobs.tasks import purge_lost_records
from app.jobs.worker import in_context
from app.storage import StorageUnavailable
from app.web.logs import LogfmtFormatter
from tests.logfmt import parse
from tests.visitor import Visitor

RECORDS = text("SELECT id, request_id, error FROM job_records ORDER BY id")
ASKED = "r" * 32


def records() -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.session.execute(RECORDS)]


def deferred() -> Job:
    """Return the job that was deferred last."""
    newest = text("SELECT * FROM procrastinate_jobs ORDER BY id DESC LIMIT 1")
    return Job.from_row(dict(db.session.execute(newest).mappings().one()))


def work(app: Flask, job: Job, *, error: Exception | None = None) -> None:
    """Run a job's middleware around a task that does nothing, or fails."""

    def task() -> None:
        if error:
            raise error

    context: Any = JobContext(app=queue, job=job, start_timestamp=0, abort_reason=lambda: None)
    in_context(app)(task, context, None)


def line(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    return parse(LogfmtFormatter().format(caplog.records[-1]))


@pytest.fixture
def asked(app: Flask) -> Iterator[None]:
    """Have a request at work."""
    tracing.begin(tracing.Span(tracing.WEB, ASKED))
    yield
    tracing.end()


@pytest.fixture
def job(app: Flask, asked: None) -> Job:
    """Defer a job of a request."""
    defer("storage.delete", key="photos/x.webp")
    return deferred()


def test_the_request_is_noted_in_the_transaction_of_the_job_and_where_there_is_none_nothing(
    app: Flask, asked: None
) -> None:
    defer("storage.delete", key="photos/x.webp")
    assert records() == [(deferred().id, ASKED, None)]
    db.session.rollback()
    assert records() == []
    tracing.end()
    defer("storage.delete", key="photos/x.webp")
    assert records() == []


def test_a_page_that_defers_a_job_notes_its_own_id(app: Flask, signed_in: Visitor) -> None:
    data = {"csrf_token": signed_in.csrf_token(), "url": "https://example.com"}
    signed_in.post("/wordcounts", data=data, headers={"X-Request-ID": ASKED})
    assert records() == [(deferred().id, ASKED, None)]


def test_the_worker_logs_the_request_and_what_the_job_cost(
    app: Flask, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.jobs.worker")
    work(app, job)
    written = line(caplog)
    assert float(written["sql_ms"]) > 0
    assert int(written["sql_count"]) > 0
    assert (written["ms"].isdigit(), written["bucket_ms"]) == (True, "0.0")
    assert (written["level"], written["logger"], written["at"]) == ("info", "app.jobs.worker", "job")
    assert (written["task"], written["job"], written["attempt"]) == ("storage.delete", str(job.id), "0")
    assert (written["request_id"], written["outcome"], "error" in written) == (ASKED, "done", False)
    assert tracing.current() is None


@pytest.mark.parametrize(
    ("error", "outcome", "told"),
    [
        (StorageUnavailable("first\nof a@b.c"), "retried", "StorageUnavailable: of (not logged)"),
        (ValueError("x\0y"), "failed", "ValueError: x?y"),
    ],
)
def test_why_it_failed_is_logged_and_kept_and_a_later_cause_replaces_it(
    app: Flask, job: Job, caplog: pytest.LogCaptureFixture, error: Exception, outcome: str, told: str
) -> None:
    with pytest.raises(KeyError):
        work(app, job, error=KeyError("an earlier one"))
    with pytest.raises(type(error)):
        work(app, job, error=error)
    assert records() == [(job.id, ASKED, told)]
    written = line(caplog)
    assert (written["level"], written["outcome"], written["error"]) == ("warning", outcome, told)


def test_a_job_that_goes_back_into_the_queue_has_not_failed(app: Flask, job: Job) -> None:
    with pytest.raises(JobRequeued):
        work(app, job, error=JobRequeued())
    assert records() == [(job.id, ASKED, None)]


def test_a_cause_that_cannot_be_stored_is_logged_and_the_error_stays_the_tasks_own(
    app: Flask, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    db.session.execute(text("DROP TABLE job_records"))
    db.session.commit()
    note_failure(job.id or 0, ValueError("why"))
    db.session.rollback()
    assert "could not be stored: UndefinedTable: relation" in caplog.text


def test_rows_of_jobs_that_are_gone_are_purged(app: Flask, job: Job) -> None:
    db.session.execute(text("INSERT INTO job_records (id, error) VALUES (0, 'gone')"))
    purge_lost_records(0)
    assert [row[0] for row in records()] == [job.id]
