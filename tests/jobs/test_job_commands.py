"""`flask jobs`: what failed and why, once more or never again; what cannot be done is refused in a sentence."""

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db
from app.jobs.queue import defer
from config import TestingConfig
from tests.databases import Environment, empty_database

FAIL = "UPDATE procrastinate_jobs SET status = 'failed', attempts = 4 WHERE id = :job"
NEWEST = "SELECT max(id) FROM procrastinate_jobs"
LEFT = "SELECT id, status::text, attempts FROM procrastinate_jobs ORDER BY id"


def run(app: Flask, *words: object) -> Result:
    return app.test_cli_runner().invoke(args=["jobs", *(str(word) for word in words)])


def left() -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.session.execute(text(LEFT))]


@pytest.fixture
def waiting(app: Flask) -> int:
    defer("storage.delete", key="photos/hidden.webp")
    db.session.commit()
    return int(db.session.scalar(text(NEWEST)))


@pytest.fixture
def failed(app: Flask, waiting: int) -> int:
    defer("storage.delete", key="photos/hidden.webp")
    job = int(db.session.scalar(text(NEWEST)))
    db.session.execute(text(FAIL), {"job": job})
    record = "INSERT INTO job_records VALUES (:job, 'the-id', 'ValueError: why', '2026-01-02 03:04:05Z')"
    db.session.execute(text(record), {"job": job})
    db.session.commit()
    return job


def test_an_empty_list_says_so(app: Flask) -> None:
    assert run(app, "list").stdout == "No job waits, runs or has failed.\n"
    assert run(app, "list", "--failed").stdout == "No job has failed.\n"


def test_the_list_says_what_failed_why_and_who_asked_and_not_what_for(app: Flask, waiting: int, failed: int) -> None:
    listed = run(app, "list").stdout.splitlines()
    assert listed[0] == (
        f"{failed}  failed  storage.delete  attempts=4  2026-01-02 03:04:05 UTC  request_id=the-id  ValueError: why"
    )
    assert listed[1].startswith(f"{waiting}  todo  storage.delete  attempts=0  ")
    assert run(app, "list", "--failed").stdout.splitlines() == listed[:1]
    assert "hidden" not in str(listed)


def test_without_a_database_or_without_its_queue_it_says_what_to_look_at(
    server_environment: Environment,
) -> None:
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


def test_only_a_failed_job_that_is_there_is_retried(app: Flask, waiting: int) -> None:
    refused, absent = run(app, "retry", waiting), run(app, "retry", waiting + 1)
    assert (refused.exit_code, absent.exit_code, left()) == (1, 1, [(waiting, "todo", 0)])
    said = f"Error: Job {waiting} is todo: only one that failed or pauses is retried. Nothing was changed.\n"
    assert refused.stderr == said
    assert absent.stderr.startswith(f"Error: There is no job {waiting + 1}:")


def test_the_pause_of_one_that_is_to_be_tried_again_is_ended(app: Flask, waiting: int, failed: int) -> None:
    pause = "UPDATE procrastinate_jobs SET attempts = 7, scheduled_at = now() + interval '18 hours' WHERE id = :job"
    db.session.execute(text(pause), {"job": waiting})
    db.session.commit()
    assert run(app, "retry", waiting).stdout == f"Job {waiting} pauses no longer.\n"
    assert left() == [(waiting, "todo", 7), (failed, "failed", 4)]
    assert db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at > now()")) == 0


def test_one_of_which_only_one_may_wait_is_not_put_back_beside_another(app: Flask, waiting: int, failed: int) -> None:
    db.session.execute(text("UPDATE procrastinate_jobs SET queueing_lock = 'nightly'"))
    db.session.commit()
    refused = run(app, "retry", failed)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: Another job like {failed} waits already")
    assert left() == [(waiting, "todo", 0), (failed, "failed", 4)]


def test_a_job_is_dropped_and_no_other_and_none_that_runs(app: Flask, waiting: int, failed: int) -> None:
    assert run(app, "drop", failed).stdout == f"Job {failed} is dropped.\n"
    assert left() == [(waiting, "todo", 0)]
    db.session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    db.session.commit()
    refused = run(app, "drop", waiting)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: A worker runs job {waiting}:")
    assert left() == [(waiting, "doing", 0)]
