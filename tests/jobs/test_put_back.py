"""What a dead worker was doing is done by another; what kills its worker each time is done no more."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.jobs import DEAD_AFTER, LONGEST_JOB, MOST_ATTEMPTS, put_back

WORKER = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :ago)) RETURNING id"
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, attempts)"
    " VALUES ('default', 'mypage.delete_photo', CAST(:status AS procrastinate_job_status), :worker, :attempts)"
    " RETURNING id"
)
STARTED = (
    "INSERT INTO procrastinate_events (job_id, type, at) VALUES (:job, 'started', now() - make_interval(secs => :ago))"
)


def worker(ago: float) -> int:
    """A worker that gave its last sign of life so many seconds ago."""
    return int(db.session.execute(text(WORKER), {"ago": ago}).scalar_one())


def job(worker: int | None, *, started: float = 1, attempts: int = 0, status: str = "doing") -> int:
    values = {"status": status, "worker": worker, "attempts": attempts}
    number = int(db.session.execute(text(JOB), values).scalar_one())
    db.session.execute(text(STARTED), {"job": number, "ago": started})
    return number


def state(number: int) -> tuple[str, int]:
    found = text("SELECT status::text, attempts FROM procrastinate_jobs WHERE id = :job")
    status, attempts = db.session.execute(found, {"job": number}).one()
    return status, attempts


@pytest.mark.parametrize("ago", [DEAD_AFTER + 1, 3600])
def test_a_job_of_a_dead_worker_waits_again(app: Flask, ago: float) -> None:
    lost = job(worker(ago))
    put_back(0)
    assert state(lost) == ("todo", 1)


def test_a_job_whose_worker_is_forgotten_waits_again(app: Flask) -> None:
    lost = job(None)
    put_back(0)
    assert state(lost) == ("todo", 1)


def test_a_job_of_a_living_worker_is_left_to_it(app: Flask) -> None:
    running = job(worker(DEAD_AFTER - 5), started=LONGEST_JOB - 5)
    put_back(0)
    assert state(running) == ("doing", 0)


def test_a_job_that_takes_longer_than_any_was_lost_though_its_worker_lives(app: Flask) -> None:
    lost = job(worker(1), started=LONGEST_JOB + 1)
    put_back(0)
    assert state(lost) == ("todo", 1)


def test_what_comes_again_by_itself_is_not_put_back_beside_the_one_that_came(app: Flask) -> None:
    for _ in range(2):
        lost = job(worker(DEAD_AFTER + 1))
        db.session.execute(text("UPDATE procrastinate_jobs SET queueing_lock = 'a' WHERE id = :id"), {"id": lost})
    other = job(worker(DEAD_AFTER + 1))
    put_back(0)
    assert state(lost)[0] == "failed"
    assert state(other) == ("todo", 1)


def test_a_job_that_takes_its_worker_with_it_each_time_is_given_up(app: Flask) -> None:
    lost = job(worker(DEAD_AFTER + 1), attempts=MOST_ATTEMPTS)
    put_back(0)
    assert state(lost)[0] == "failed"


@pytest.mark.parametrize("status", ["todo", "succeeded", "failed", "cancelled", "aborted"])
def test_what_does_not_run_is_left_as_it_is(app: Flask, status: str) -> None:
    other = job(worker(3600), status=status, started=3600)
    put_back(0)
    assert state(other) == (status, 0)
