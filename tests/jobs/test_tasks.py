"""The queue's tables and its own tasks: stalled jobs are requeued, failed ones purged, periodic ones deferred once."""

import asyncio
import re
from datetime import timedelta

import flask_migrate
from flask import Flask
from procrastinate.periodic import PeriodicDeferrer
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from app.accounts import letters
from app.extensions import Base, db
from app.jobs.connection import connector
from app.jobs.queue import MOST_ATTEMPTS, queue
from app.jobs.tasks import (
    DEAD_AFTER,
    FAILED_JOBS_KEPT,
    LONGEST_JOB,
    PRIORITY,
    defer_batch,
    purge_failed_jobs,
    purge_lost_records,
    requeue_stalled_jobs,
)
from app.soft_delete import BATCH
from online_migrations.connection import read_only_connection
from online_migrations.doctor import diagnose
from tests.accounts.conftest import won
from tests.databases import Environment, empty_database
from tests.online_migrations.dumps import psql, schema_dump

WORKER = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :ago)) RETURNING id"
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, attempts, queueing_lock)"
    " VALUES ('default', 'storage.delete', CAST(:status AS procrastinate_job_status), :worker, :attempts, :lock)"
    " RETURNING id"
)
STARTED = (
    "INSERT INTO procrastinate_events (job_id, type, at) VALUES (:job, 'started', now() - make_interval(secs => :ago))"
)


def worker(seconds_ago: float = DEAD_AFTER + 1) -> int:
    """Register a worker whose last heartbeat was so many seconds ago; by default it is dead."""
    return int(db.session.execute(text(WORKER), {"ago": seconds_ago}).scalar_one())


def job(
    worker: int | None, *, started: float = 1, attempts: int = 0, status: str = "doing", lock: str | None = None
) -> int:
    """Return the id of a job that this worker started so many seconds ago."""
    values = {"status": status, "worker": worker, "attempts": attempts, "lock": lock}
    number = int(db.session.execute(text(JOB), values).scalar_one())
    db.session.execute(text(STARTED), {"job": number, "ago": started})
    return number


def state(number: int) -> tuple[str, int]:
    found = text("SELECT status::text, attempts FROM procrastinate_jobs WHERE id = :job")
    status, attempts = db.session.execute(found, {"job": number}).one()
    return status, attempts


def test_it_requeues_what_no_living_worker_does_and_fails_what_was_attempted_most_times(app: Flask) -> None:
    again = job(worker(1), started=LONGEST_JOB + 1)
    db.session.execute(text(STARTED), {"job": again, "ago": 1})
    expected = {
        job(worker()): ("todo", 1),
        job(None): ("todo", 1),  # of a worker that is no longer registered
        job(worker(1), started=LONGEST_JOB + 1): ("todo", 1),  # though its worker lives
        job(worker(), attempts=MOST_ATTEMPTS - 1): ("todo", MOST_ATTEMPTS),
        job(worker(), attempts=MOST_ATTEMPTS): ("failed", MOST_ATTEMPTS + 1),
        job(worker(DEAD_AFTER - 5), started=LONGEST_JOB - 5): ("doing", 0),
        again: ("doing", 0),
        **{
            job(worker(3600), status=status, started=3600): (status, 0)
            for status in ("todo", "succeeded", "failed", "cancelled", "aborted")
        },
    }
    # A job with a queueing lock fails, since one may wait anew already.
    locked = [job(worker(), lock="a") for _ in range(2)]
    waiting = job(None, status="todo", lock="a")
    requeue_stalled_jobs(0)
    assert {number: state(number) for number in expected} == expected
    assert [state(number)[0] for number in (*locked, waiting)] == ["failed", "failed", "todo"]


def test_two_workers_requeue_each_job_once(migrated: Flask) -> None:
    stalled = [job(worker()) for _ in range(20)]
    db.session.commit()
    won(migrated, requeue_stalled_jobs, [0, 0])
    assert [state(number) for number in stalled] == [("todo", 1)] * len(stalled)


def test_it_leaves_a_job_that_its_worker_is_finishing_just_now(migrated: Flask) -> None:
    """A worker that was only slow. Its transaction holds the lock on the job, and is not waited for."""
    stalled = job(worker())
    db.session.commit()
    with db.engine.connect() as slow_worker:
        slow_worker.execute(text("SELECT procrastinate_finish_job_v1(:job, 'succeeded', false)"), {"job": stalled})
        requeue_stalled_jobs(0)
        slow_worker.commit()
    assert state(stalled) == ("succeeded", 1)


EARLIER = FAILED_JOBS_KEPT + timedelta(hours=1)
AGED = "UPDATE procrastinate_events SET at = now() - CAST(:ago AS interval) WHERE job_id = :job"
MANY = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, status) SELECT '', '', 'failed' FROM generate_series(1, :n)"
)

ENDED = (
    "INSERT INTO procrastinate_events (job_id, type, at)"
    " SELECT id, 'failed', now() - CAST(:ago AS interval) FROM procrastinate_jobs"
)


def ended(status: str, ago: timedelta) -> int:
    number = job(None, status=status)
    db.session.execute(text(AGED), {"job": number, "ago": ago})
    return number


def test_only_what_ended_longer_ago_is_purged(app: Flask) -> None:
    assert FAILED_JOBS_KEPT == letters.KEPT, "what a failed job would send is kept as long"
    have_ended, have_not_ended = ("failed", "cancelled", "aborted"), ("todo", "doing")
    for status in have_ended:
        ended(status, EARLIER)
    later = FAILED_JOBS_KEPT - timedelta(hours=1)
    kept = {ended(status, later) for status in have_ended} | {ended(status, EARLIER) for status in have_not_ended}
    purge_failed_jobs(0)
    assert set(db.session.scalars(text("SELECT id FROM procrastinate_jobs"))) == kept


def test_more_than_a_batch_is_purged(app: Flask) -> None:
    db.session.execute(text(MANY), {"n": 2 * BATCH + 1})
    db.session.execute(text(ENDED), {"ago": EARLIER})
    db.session.execute(text("INSERT INTO job_records (id) SELECT id FROM procrastinate_jobs"))
    purge_failed_jobs(0)
    purge_lost_records(0)
    left = "SELECT (SELECT count(*) FROM procrastinate_jobs), (SELECT count(*) FROM job_records)"
    assert db.session.execute(text(left)).one() == (0, 0)


def test_a_batch_waits_for_its_time_and_sleeps_a_pause_that_is_too_short_to_be_scheduled(app: Flask) -> None:
    for turn, delay in enumerate((0.25, 2.0)):
        defer_batch(db.session.connection(), "sizes", turn, delay)
    waits = "args['pause_ms']::int, priority, scheduled_at - clock_timestamp() > '1 second'"
    rows = db.session.execute(text(f"SELECT {waits} FROM procrastinate_jobs ORDER BY id"))
    assert [tuple(row) for row in rows] == [(250, PRIORITY, None), (0, PRIORITY, True)]


JOBS = "SELECT task_name, count(*) FROM procrastinate_jobs GROUP BY task_name"


async def defer(app: Flask, times: list[int]) -> None:
    """Defer all periodic tasks at these times, by two workers at once."""
    due = [(task, time) for time in times for task in queue.periodic_registry.periodic_tasks.values()]
    workers = [PeriodicDeferrer(queue.periodic_registry) for _ in range(2)]
    with queue.replace_connector(connector(app)):
        async with queue.open_async():
            await asyncio.gather(*(worker.defer_jobs(due) for worker in workers))


def test_two_workers_defer_each_task_once_and_not_again_while_its_job_is_queued(migrated: Flask) -> None:
    asyncio.run(defer(migrated, [1_000_000, 2_000_000]))
    jobs = db.session.execute(text(JOBS)).all()
    assert {number for _, number in jobs} == {1}
    assert "photos.sweep" in {task for task, _ in jobs}


SECTION = re.compile(r"^-- Name: (.*?); Type: .*?(?=^-- Name: |\Z)", re.MULTILINE | re.DOTALL)


def procrastinates(dump: str) -> dict[str, str]:
    """Return the SQL of each object that is the queue's, by its name."""
    return {found[1]: found[0].strip() for found in SECTION.finditer(dump) if "procrastinate" in found[1]}


def test_the_migrations_make_what_the_package_would(
    migrated_environment: Environment, server_environment: Environment
) -> None:
    with empty_database(server_environment) as other:
        psql(other, SchemaManager.get_schema())
        expected = procrastinates(schema_dump(other))
    assert len(expected) > 40
    assert procrastinates(schema_dump(migrated_environment)) == expected


def test_check_and_doctor_leave_it_alone_and_no_other_librarys_table(migrated: Flask) -> None:
    flask_migrate.check("migrations")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE not_procrastinate_jobs (id bigint)")
    with read_only_connection() as connection:
        assert [finding.rule for finding in diagnose(connection, Base.metadata)] == ["extra-table"]
