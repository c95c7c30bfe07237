"""The worker process: every job has its effect once, whatever happens to the processes and the database.

That holds for the batches of a long backfill, too.
"""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.extensions import db
from app.jobs.tasks import DEAD_AFTER, requeue_stalled_jobs, resume_lost_backfills
from app.jobs.worker import GRACE_PERIOD
from app.release.backfills.table import DONE
from app.wordcounts.fetching.client import DEADLINE_SECONDS
from tests.databases import Environment, migrated_database
from tests.live.conftest import Slow, connect
from tests.live.workers import STATUSES, Queue, running_queue
from tests.queued import run_queued
from tests.release.backfilling import begin
from tests.release.migrating import connected
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.page_server import PageServer

pytestmark = pytest.mark.servers

JOBS = 10
ROWS = 3000  # of a backfill
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'semicircle-worker queue'"
)

AGE_HEARTBEATS = (
    "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - make_interval(secs => :seconds) RETURNING id"
)

UNFINISHED = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'wordcounts.count'"
NEVER_POLLS = "from app.jobs.queue import queue; queue.worker_defaults['fetch_job_polling_interval'] = 600.0"
SETTING = "import importlib; importlib.import_module('app.jobs.worker').{} = {}".format


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer) -> Iterator[Queue]:
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path, pages) as queue:
        yield queue


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
    worker.send_signal(number)
    return worker.wait(timeout=25)  # seconds; a platform waits for 30


def test_an_idle_worker_is_notified_of_a_job_also_after_the_database_has_restarted(
    queue: Queue, pages: PageServer, server_environment: Environment, tmp_path: Path
) -> None:
    """A restart ends each session, and lets nobody in until it is over."""
    name = make_url(queue.environment["DATABASE_URL"]).database
    with queue.worker(NEVER_POLLS), connect(server_environment) as server, server.cursor() as cursor:
        queue.ask(pages.url("/1"))
        wait_until(lambda: queue.has_counted(1), "it is counted")
        assert queue.rows("SELECT total_words, result_all FROM results") == [(2, {"two": 1, "words": 1})]
        assert queue.rows(UNFINISHED) == []
        server.autocommit = True
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: "the queue does not answer" in (tmp_path / "worker-0.log").read_text(), "it notices")
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        queue.defer_next()
        wait_until(queue.has_done_the_next, "it runs the next job")


@pytest.mark.timeout(300)
def test_the_jobs_of_a_killed_worker_are_run_by_others_within_90_seconds_and_none_twice(
    queue: Queue, slow: Slow, pages: PageServer
) -> None:
    """The test does not wait until the worker is taken for dead: it makes the last heartbeat older."""
    with queue.worker() as killed:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(killed, signal.SIGKILL) == -signal.SIGKILL
    slow.may_answer.set()
    queue.ask(*(pages.url(f"/{number}") for number in range(JOBS)))
    assert len(queue.rows(AGE_HEARTBEATS, seconds=DEAD_AFTER)) == 1
    with queue.worker(), queue.worker():
        wait_until(lambda: queue.has_counted(JOBS + 1), "others run them", within=90 - DEAD_AFTER)
    fetched = [head.split(" ")[1] for head in pages.requests]
    assert sorted(fetched) == sorted([*(f"/{number}" for number in range(JOBS)), "/slow", "/slow"])


@pytest.mark.smoke
def test_on_sigterm_it_finishes_its_job_takes_no_other_and_exits_0(queue: Queue, pages: PageServer, slow: Slow) -> None:
    [(of_others,)] = queue.rows(SESSIONS)
    with queue.worker() as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: queue.rows(SESSIONS) == [(of_others + 1,)], "it stops listening")
        queue.ask(pages.url("/1"))
        worker.send_signal(signal.SIGINT)  # an impatient second one changes nothing
        slow.may_answer.set()
        assert worker.wait(timeout=25) == 0
    assert sorted(queue.rows(STATUSES)) == [("done", 1), ("queued", 1)]
    assert queue.rows("SELECT count(*) FROM procrastinate_workers") == [(0,)]


def test_a_job_that_outlasts_the_grace_period_is_requeued(queue: Queue, pages: PageServer, slow: Slow) -> None:
    assert DEADLINE_SECONDS < GRACE_PERIOD, "the fetch of a page does not outlast it"
    with queue.worker(SETTING("GRACE_PERIOD", 1.0)) as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(worker, signal.SIGTERM) == 0
    assert queue.rows("SELECT status, error FROM results") == [("running", None)]  # in the middle of it
    assert queue.rows(UNFINISHED) == [("todo",)]
    slow.may_answer.set()
    with queue.app.app_context():
        run_queued(queue.app)  # as another worker would
    assert queue.has_counted(1)


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
