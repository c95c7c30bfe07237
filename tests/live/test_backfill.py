"""A long backfill and the processes that fill it: killed, replaced by a deploy, or of older code."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.extensions import db
from app.jobs.tasks import DEAD_AFTER, requeue_stalled_jobs, resume_lost_backfills
from app.release.backfills.table import DONE
from tests.databases import Environment, migrated_database
from tests.live.test_worker import AGE_HEARTBEATS
from tests.live.workers import Queue, running_queue
from tests.release.backfilling import begin
from tests.release.migrating import connected
from tests.waiting import wait_until
from tests.wordcounts.page_server import PageServer

pytestmark = pytest.mark.servers

ROWS = 3000
TABLE = f"""
    CREATE TABLE things (id bigint PRIMARY KEY, size bigint);
    INSERT INTO things SELECT n FROM generate_series(1, {ROWS}) n;
"""
# A millisecond a row, so a batch of 50 rows takes its 50 ms, and whoever is killed is killed within one.
SET_SQL = "size = coalesce(size, 0) + id + 0 * length(pg_sleep(0.0005)::text)"
KILLS = 2

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
)

WITHOUT_THE_TASK = "from app.jobs.queue import queue; del queue.tasks['release.fill_batch']"


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path) -> Iterator[Queue]:
    """Yield a queue with a backfill that was begun."""
    with migrated_database(server_environment) as environment:
        with connected(environment) as database:
            database.execute(TABLE)
            begin(database, SET_SQL)
        with PageServer({}) as pages, running_queue(environment, tmp_path, pages) as queue:
            yield queue


def turn(queue: Queue) -> int:
    [(turn,)] = queue.rows("SELECT turn FROM schema_backfills")
    return int(turn)


def wait_for_batches(queue: Queue, more: int) -> None:
    begun = turn(queue)
    wait_until(lambda: turn(queue) >= begun + more, "the next batches are filled")


def upkeep(queue: Queue) -> None:
    """Do now what a worker does every 20 seconds and every minute: those without a heartbeat are dead."""
    queue.rows(AGE_HEARTBEATS, seconds=DEAD_AFTER + 1)
    with queue.app.app_context():
        requeue_stalled_jobs(0)
        resume_lost_backfills(0)
        db.session.remove()


def is_done(queue: Queue) -> bool:
    return queue.rows("SELECT state FROM schema_backfills") == [(DONE,)]


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_every_row_is_filled_once_by_workers_that_are_killed_replaced_or_of_other_code(queue: Queue) -> None:
    with queue.worker(WITHOUT_THE_TASK):
        failed = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed' AND task_name = 'release.fill_batch'"
        wait_until(lambda: queue.rows(failed) == [(1,)], "the worker of other code has failed the job")
    for _ in range(KILLS):
        upkeep(queue)
        with queue.worker() as worker:
            wait_for_batches(queue, 2)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    upkeep(queue)
    with queue.worker():
        wait_for_batches(queue, 2)
        queue.rows(END_SESSIONS)  # as a database that restarts does
        upkeep(queue)
        wait_for_batches(queue, 2)
    upkeep(queue)
    with queue.worker() as old, queue.worker():
        wait_for_batches(queue, 2)
        old.send_signal(signal.SIGTERM)
        assert old.wait(timeout=25) == 0
        wait_until(lambda: is_done(queue), "the new worker does the rest")
    assert queue.rows("SELECT count(*) FROM things WHERE size = id") == [(ROWS,)]
    assert queue.rows("SELECT rows_done FROM schema_backfills") == [(ROWS,)]


def test_a_worker_fills_it_without_being_asked(queue: Queue) -> None:
    with queue.app.app_context():
        db.session.execute(text("UPDATE things SET size = id WHERE id > 100"))
        db.session.commit()
    with queue.worker():
        wait_until(lambda: is_done(queue), "it is done")
    assert queue.rows("SELECT count(*) FROM things WHERE size = id") == [(ROWS,)]
