"""The request that deferred a job, and why it failed: what is kept, and what `flask jobs` shows and does with it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from procrastinate import JobContext
from procrastinate.jobs import Job
from sqlalchemy import text

from app import create_app, tracing
from app.extensions import db
from app.jobs import commands
from app.jobs import queue as queue_of
from app.jobs.queue import JobRequeued, defer, note_failure, queue
from app.jobs.tasks import purge_lost_records
from app.jobs.worker import in_context
from app.storage import StorageUnavailable
from app.web.logs import LogfmtFormatter
from config import TestingConfig
from tests.database import commit
from tests.databases import Environment, empty_database
from tests.logfmt import parse

RECORDS = text("SELECT id, request_id, error FROM job_records ORDER BY id")
ASKED = "r" * 32


def records() -> list[tuple[Any, ...]]:
    return [tuple(row) for row in db.session.execute(RECORDS)]


def deferred() -> Job:
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
    tracing.begin(tracing.Span(tracing.WEB, ASKED))
    yield
    tracing.end()


@pytest.fixture
def job(app: Flask, asked: None) -> Job:
    defer("storage.delete", key="photos/x.webp")
    return deferred()


def test_the_request_is_noted_in_the_transaction_of_the_job_and_where_there_is_none_nothing(asked: None) -> None:
    defer("storage.delete", key="photos/x.webp")
    assert records() == [(deferred().id, ASKED, None)]
    db.session.rollback()
    assert records() == []
    tracing.end()
    defer("storage.delete", key="photos/x.webp")
    assert records() == []


def test_the_worker_logs_the_request_and_the_jobs_cost(app: Flask, job: Job, caplog: pytest.LogCaptureFixture) -> None:
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
    db.session.execute(text("UPDATE job_records SET failed_at = '2026-01-02 03:04:05Z'"))
    with pytest.raises(type(error)):
        work(app, job, error=error)
    assert records() == [(job.id, ASKED, told)]
    assert db.session.scalar(text("SELECT failed_at = now() FROM job_records"))
    written = line(caplog)
    assert (written["level"], written["outcome"], written["error"]) == ("warning", outcome, told)


def test_a_job_that_goes_back_into_the_queue_has_not_failed(app: Flask, job: Job) -> None:
    with pytest.raises(JobRequeued):
        work(app, job, error=JobRequeued())
    assert records() == [(job.id, ASKED, None)]


def test_a_cause_that_cannot_be_stored_is_logged_and_the_error_stays(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    commit(text("DROP TABLE job_records"))
    note_failure(job.id or 0, ValueError("why"))
    db.session.rollback()
    assert "could not be stored: UndefinedTable: relation" in caplog.text


def test_rows_of_jobs_that_are_gone_are_purged(job: Job) -> None:
    db.session.execute(text("INSERT INTO job_records (id, error) VALUES (0, 'gone')"))
    purge_lost_records(0)
    assert [row[0] for row in records()] == [job.id]


FAIL = "UPDATE procrastinate_jobs SET status = 'failed', attempts = 4 WHERE id = :job"
LEFT = "SELECT id, status::text, attempts FROM procrastinate_jobs ORDER BY id"


def run(app: Flask, *words: object) -> Result:
    return app.test_cli_runner().invoke(args=["jobs", *(str(word) for word in words)])


def refusal(app: Flask, *words: object) -> str:
    refused = run(app, *words)
    assert refused.exit_code == 1
    return refused.stderr


def left() -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.session.execute(text(LEFT))]


@pytest.fixture
def waiting(app: Flask) -> int:
    defer("storage.delete", key="photos/hidden.webp")
    db.session.commit()
    return deferred().id or 0


@pytest.fixture
def failed(app: Flask, waiting: int) -> int:
    defer("storage.delete", key="photos/hidden.webp")
    job = deferred().id or 0
    db.session.execute(text(FAIL), {"job": job})
    record = "INSERT INTO job_records VALUES (:job, 'the-id', 'ValueError: why', '2026-01-02 03:04:05Z')"
    commit(text(record), {"job": job})
    return job


def test_an_empty_list_says_so(app: Flask) -> None:
    assert run(app, "list").stdout == "No job waits, runs or has failed.\n"
    assert run(app, "list", "--failed").stdout == "No job has failed.\n"


def test_the_list_says_what_failed_why_and_who_asked_and_not_what_for(
    app: Flask, waiting: int, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = run(app, "list").stdout.splitlines()
    assert listed[0] == (
        f"{failed}  failed  storage.delete  attempts=4  2026-01-02 03:04:05 UTC  request_id=the-id  ValueError: why"
    )
    assert listed[1].startswith(f"{waiting}  todo  storage.delete  attempts=0  ")
    assert run(app, "list", "--failed").stdout.splitlines() == listed[:1]
    assert "hidden" not in str(listed)
    monkeypatch.setattr(commands, "MOST_LISTED", 1)
    assert run(app, "list").stdout.splitlines() == [listed[0], "… and older ones than these 1."]


def test_without_a_database_or_without_its_queue_it_says_what_to_look_at(server_environment: Environment) -> None:
    with empty_database(server_environment) as empty:
        for url in (empty["DATABASE_URL"], "postgresql://nobody@127.0.0.1:1/none"):
            app = create_app(TestingConfig({**empty, "DATABASE_URL": url}))
            for command in (["list"], ["retry", "1"], ["drop", "1"]):
                said = app.test_cli_runner().invoke(args=["jobs", *command])
                assert said.exit_code == 1
                assert "See that DATABASE_URL leads to the service's database" in said.output
                assert len(said.output.splitlines()) == 1


def test_a_failed_job_is_put_back_with_all_its_attempts(app: Flask, waiting: int, failed: int) -> None:
    done = run(app, "retry", failed)
    assert (done.exit_code, done.stdout) == (0, f"Job {failed} is back in the queue.\n")
    assert left() == [(waiting, "todo", 0), (failed, "todo", 0)]


def test_a_refusal_of_the_database_for_another_reason_is_told_as_it_is(app: Flask, waiting: int, failed: int) -> None:
    commit(text("ALTER TABLE procrastinate_jobs ADD CONSTRAINT tried CHECK (attempts > 0) NOT VALID"))
    assert "violates check constraint" in refusal(app, "retry", failed)
    assert left() == [(waiting, "todo", 0), (failed, "failed", 4)]


def test_what_waits_and_what_failed_is_counted_and_without_the_queues_tables_nothing(failed: int) -> None:
    connection = db.session.connection()
    db.session.execute(text("UPDATE procrastinate_events SET at = now() - interval '7 seconds'"))
    why = f"job {failed}, storage.delete, 2026-01-02 03:04 UTC: ValueError: why"
    waits = "jobs waiting: 1, the first for 7 s"
    assert queue_of.status_lines(connection) == {"queue": waits, "failed jobs": f"1, the newest: {why}"}
    db.session.execute(text("DROP TABLE procrastinate_jobs, job_records CASCADE"))
    assert queue_of.status_lines(connection) == {"queue": "none: the migration that creates it has not run"}
    assert db.session.scalar(text("SELECT count(*) FROM notes")) == 0, "the transaction goes on"


def test_only_a_failed_job_that_is_there_is_retried(app: Flask, waiting: int) -> None:
    said = f"Error: Job {waiting} is todo: only one that failed or pauses is retried. Nothing was changed.\n"
    assert refusal(app, "retry", waiting) == said
    assert refusal(app, "retry", waiting + 1).startswith(f"Error: There is no job {waiting + 1}:")
    assert left() == [(waiting, "todo", 0)]


def test_the_pause_of_one_that_is_to_be_tried_again_is_ended(app: Flask, waiting: int, failed: int) -> None:
    pause = "UPDATE procrastinate_jobs SET attempts = 7, scheduled_at = now() + interval '18 hours' WHERE id = :job"
    commit(text(pause), {"job": waiting})
    assert run(app, "retry", waiting).stdout == f"Job {waiting} pauses no longer.\n"
    assert left() == [(waiting, "todo", 7), (failed, "failed", 4)]
    assert db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at > now()")) == 0


def test_one_of_which_only_one_may_wait_is_not_put_back_beside_another(app: Flask, waiting: int, failed: int) -> None:
    commit(text("UPDATE procrastinate_jobs SET queueing_lock = 'nightly'"))
    assert refusal(app, "retry", failed).startswith(f"Error: Another job like {failed} waits already")
    assert left() == [(waiting, "todo", 0), (failed, "failed", 4)]


def test_a_job_is_dropped_and_no_other_and_none_that_runs(app: Flask, waiting: int, failed: int) -> None:
    assert run(app, "drop", failed).stdout == f"Job {failed} is dropped.\n"
    assert left() == [(waiting, "todo", 0)]
    commit(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    assert refusal(app, "drop", waiting).startswith(f"Error: A worker runs job {waiting}:")
    assert left() == [(waiting, "doing", 0)]
