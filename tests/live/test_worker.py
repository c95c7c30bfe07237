"""The worker process: every job has its effect once, whatever happens to the processes and the database."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.extensions import db
from app.jobs.tasks import DEAD_AFTER, requeue_stalled_jobs, resume_lost_backfills
from online_migrations.backfills.store import DONE
from tests.databases import Environment, migrated_database
from tests.live.conftest import Queue, running_queue
from tests.online_migrations.backfilling import begin
from tests.online_migrations.migrating import connected
from tests.silent_proxy import Connection, SilentProxy
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


NEXT_JOB_WITHIN = 60.0  # seconds
IMPATIENT = """
from app import database_timeout
from app.jobs import connection
from procrastinate import connector
connection.ANSWER_TIMEOUT, connection.POOL_TIMEOUT = 2.0, 7.0
database_timeout.STATEMENT_SECONDS = connector.LISTEN_TIMEOUT = 3.0
"""
EXITS_SOON = f"{SETTING('GRACE_PERIOD', 2)}; {SETTING('EXIT_AFTER', 4)}; {SETTING('IDLE_EXIT_AFTER', 2)}"


@pytest.fixture
def proxied(queue: Queue, proxy: SilentProxy) -> Queue:
    """Return the queue, whose workers reach the database through the proxy; the test does not."""
    return replace(queue, environment=proxy.through(queue.environment))


def assert_it_does_its_next_job(queue: Queue) -> None:
    queue.defer_next()
    wait_until(queue.has_done_the_next, "it does its next job", NEXT_JOB_WITHIN)


def listens(connection: Connection) -> bool:
    return b"LISTEN" in connection.said


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_it_hears_of_jobs_again_though_only_the_listening_session_fell_silent(
    proxied: Queue, proxy: SilentProxy
) -> None:
    with proxied.worker(f"{NEVER_POLLS}; {IMPATIENT}"):
        wait_until(lambda: any(map(listens, proxy.connections)), "it listens")
        assert proxy.silence(which=listens) == 1
        wait_until(lambda: sum(map(listens, proxy.connections)) > 1, "it listens anew", NEXT_JOB_WITHIN)
        assert_it_does_its_next_job(proxied)


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_sigterm_ends_it_while_the_database_is_silent(proxied: Queue, proxy: SilentProxy) -> None:
    """Also an idle worker may be in a periodic job, which has the grace period."""
    with proxied.worker(f"{EXITS_SOON}; {IMPATIENT}") as worker, proxy.stopped():
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
