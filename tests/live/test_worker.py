"""The worker process: a backfill fills each row once, whatever happens to the processes and the database."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.extensions import db
from app.jobs.tasks import DEAD_AFTER, requeue_stalled_jobs, resume_lost_backfills
from online_migrations.backfills.store import DONE
from tests.databases import Environment, migrated_database
from tests.live.workers import Queue, running_queue
from tests.online_migrations.backfilling import begin
from tests.online_migrations.migrating import connected
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

ROWS = 3000  # of a backfill
AGED = "last_heartbeat = last_heartbeat - make_interval(secs => :seconds)"
AGE_HEARTBEATS = f"UPDATE procrastinate_workers SET {AGED} RETURNING id"

NEVER_POLLS = "from app.jobs.queue import queue; queue.worker_defaults['fetch_job_polling_interval'] = 600.0"
SETTING = "import importlib; importlib.import_module('app.jobs.worker').{} = {}".format


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path) -> Iterator[Queue]:
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path) as queue:
        yield queue


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
    worker.send_signal(number)
    return worker.wait(timeout=25)  # seconds; a platform waits for 30


TABLE = f"""
    CREATE TABLE things (id bigint PRIMARY KEY, size bigint);
    INSERT INTO things SELECT n FROM generate_series(1, {ROWS}) n;
"""
# A millisecond a row, so a batch of 50 rows takes its 50 ms, and whoever is killed is killed within one.
SET_SQL = "size = coalesce(size, 0) + id + 0 * length(pg_sleep(0.0005)::text)"
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
)


def wait_for_batches(queue: Queue) -> None:
    turn = "SELECT turn FROM schema_backfills"
    [(begun,)] = queue.rows(turn)
    wait_until(lambda: queue.rows(turn) >= [(begun + 2,)], "the next batches are filled")


def upkeep(queue: Queue) -> None:
    """Do now what a worker does every 20 seconds and every minute: those without a heartbeat are dead."""
    queue.rows(AGE_HEARTBEATS, seconds=DEAD_AFTER + 1)
    with queue.app.app_context():
        requeue_stalled_jobs(0)
        resume_lost_backfills(0)
        db.session.remove()


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_every_row_of_a_backfill_is_filled_once_by_workers_that_are_killed_cut_off_and_replaced(queue: Queue) -> None:
    with connected(queue.environment) as database:
        database.execute(TABLE)
        begin(database, SET_SQL)
    with queue.worker() as killed:
        wait_for_batches(queue)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    upkeep(queue)
    with queue.worker() as old:
        wait_for_batches(queue)
        queue.rows(END_SESSIONS)  # as a database that restarts does
        upkeep(queue)
        wait_for_batches(queue)
        with queue.worker():
            wait_for_batches(queue)
            assert end(old, signal.SIGTERM) == 0
            done = "SELECT state, rows_done FROM schema_backfills"
            wait_until(lambda: queue.rows(done) == [(DONE, ROWS)], "the new worker does the rest")
    assert queue.rows("SELECT count(*) FROM things WHERE size = id") == [(ROWS,)]
