"""A dead worker's job is requeued for another worker. A job that kills its worker each time fails in the end."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.jobs.queue import MOST_ATTEMPTS
from app.jobs.tasks import DEAD_AFTER, LONGEST_JOB, requeue_stalled_jobs

WORKER = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :ago)) RETURNING id"
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, attempts, queueing_lock)"
    " VALUES ('default', 'mypage.delete_photo', CAST(:status AS procrastinate_job_status), :worker, :attempts, :lock)"
    " RETURNING id"
)
STARTED = (
    "INSERT INTO procrastinate_events (job_id, type, at) VALUES (:job, 'started', now() - make_interval(secs => :ago))"
)


def worker(seconds_ago: float) -> int:
    """A worker whose last heartbeat was so many seconds ago."""
    return int(db.session.execute(text(WORKER), {"ago": seconds_ago}).scalar_one())


def dead_worker() -> int:
    return worker(DEAD_AFTER + 1)


def job(
    worker: int | None, *, started: float = 1, attempts: int = 0, status: str = "doing", lock: str | None = None
) -> int:
    """The id of a job that this worker started so many seconds ago."""
    values = {"status": status, "worker": worker, "attempts": attempts, "lock": lock}
    number = int(db.session.execute(text(JOB), values).scalar_one())
    db.session.execute(text(STARTED), {"job": number, "ago": started})
    return number


def state(number: int) -> tuple[str, int]:
    found = text("SELECT status::text, attempts FROM procrastinate_jobs WHERE id = :job")
    status, attempts = db.session.execute(found, {"job": number}).one()
    return status, attempts


@pytest.mark.parametrize("seconds_ago", [DEAD_AFTER + 1, 3600])
def test_it_requeues_the_job_of_a_dead_worker(app: Flask, seconds_ago: float) -> None:
    stalled = job(worker(seconds_ago))
    requeue_stalled_jobs(0)
    assert state(stalled) == ("todo", 1)


def test_it_requeues_the_job_of_a_worker_that_is_no_longer_registered(app: Flask) -> None:
    stalled = job(None)
    requeue_stalled_jobs(0)
    assert state(stalled) == ("todo", 1)


def test_it_leaves_the_job_of_a_living_worker(app: Flask) -> None:
    running = job(worker(DEAD_AFTER - 5), started=LONGEST_JOB - 5)
    requeue_stalled_jobs(0)
    assert state(running) == ("doing", 0)


def test_it_requeues_a_job_that_runs_too_long_though_its_worker_lives(app: Flask) -> None:
    stalled = job(worker(1), started=LONGEST_JOB + 1)
    requeue_stalled_jobs(0)
    assert state(stalled) == ("todo", 1)


def test_a_job_that_was_started_again_has_not_run_too_long(app: Flask) -> None:
    running = job(worker(1), started=LONGEST_JOB + 1)
    db.session.execute(text(STARTED), {"job": running, "ago": 1})
    requeue_stalled_jobs(0)
    assert state(running) == ("doing", 0)


def test_it_fails_a_job_with_a_queueing_lock_which_may_wait_anew_already(app: Flask) -> None:
    stalled = [job(dead_worker(), lock="a") for _ in range(2)]
    waiting = job(None, status="todo", lock="a")
    other = job(dead_worker())
    requeue_stalled_jobs(0)
    assert [state(number)[0] for number in (*stalled, waiting)] == ["failed", "failed", "todo"]
    assert state(other) == ("todo", 1)


def test_it_fails_a_job_that_was_attempted_most_times(app: Flask) -> None:
    stalled = job(dead_worker(), attempts=MOST_ATTEMPTS)
    last_chance = job(dead_worker(), attempts=MOST_ATTEMPTS - 1)
    requeue_stalled_jobs(0)
    assert state(stalled)[0] == "failed"
    assert state(last_chance) == ("todo", MOST_ATTEMPTS)


@pytest.mark.parametrize("status", ["todo", "succeeded", "failed", "cancelled", "aborted"])
def test_it_leaves_a_job_that_is_not_running(app: Flask, status: str) -> None:
    other = job(worker(3600), status=status, started=3600)
    requeue_stalled_jobs(0)
    assert state(other) == (status, 0)


def test_two_workers_requeue_each_job_once(migrated: Flask) -> None:
    stalled = [job(dead_worker()) for _ in range(20)]
    db.session.commit()
    together = Barrier(2)

    def requeue() -> None:
        with migrated.app_context():
            together.wait(10)
            requeue_stalled_jobs(0)

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(requeue) for _ in range(2)]:
            done.result()
    assert [state(number) for number in stalled] == [("todo", 1)] * len(stalled)


def test_it_leaves_a_job_that_its_worker_is_finishing_just_now(migrated: Flask) -> None:
    """A worker that was only slow. Its transaction holds the lock on the job, and is not waited for."""
    stalled = job(dead_worker())
    db.session.commit()
    with db.engine.connect() as slow_worker:
        slow_worker.execute(text("SELECT procrastinate_finish_job_v1(:job, 'succeeded', false)"), {"job": stalled})
        requeue_stalled_jobs(0)
        slow_worker.commit()
    assert state(stalled) == ("succeeded", 1)
    requeue_stalled_jobs(0)
    assert state(stalled) == ("succeeded", 1)
