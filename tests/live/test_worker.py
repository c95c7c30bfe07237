"""The worker process: every job has its effect once, whatever happens to the processes and the database."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url

from app.jobs.tasks import DEAD_AFTER
from app.jobs.worker import GRACE_PERIOD
from app.wordcounts.fetching.client import DEADLINE_SECONDS
from tests.databases import Environment, migrated_database
from tests.live.conftest import Slow, connect
from tests.live.workers import Queue, running_queue
from tests.queued import run_queued
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.page_server import PageServer

pytestmark = pytest.mark.servers

JOBS = 30
OF_WORKERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'semicircle-worker queue'"
SESSIONS = f"SELECT count(*) {OF_WORKERS}"
BACKENDS = f"SELECT pid {OF_WORKERS}"
STATUSES = "SELECT status, count(*) FROM results GROUP BY status"

AGE_HEARTBEATS = (
    "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - make_interval(secs => :seconds) RETURNING id"
)

OPTION = "from app.jobs.queue import queue; queue.worker_defaults[{!r}] = {!r}".format
NEVER_POLLS = OPTION("fetch_job_polling_interval", 600.0)
NEVER_LISTENS = OPTION("listen_notify", False)
# Shorter waits after SIGTERM.
SETTING = "import importlib; importlib.import_module('app.jobs.worker').{} = {}".format
SHORT_GRACE_PERIOD = SETTING("GRACE_PERIOD", 1.0)
EXITS_SOON = SETTING("EXIT_AFTER", 2.0)
FETCHES_BRIEFLY = "from app.wordcounts.fetching import client; client.fetch.__kwdefaults__['deadline_seconds'] = 2.0"


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer) -> Iterator[Queue]:
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path, pages) as queue:
        yield queue


def waiting_jobs(queue: Queue) -> int:
    count = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'wordcounts.count'"
    [(jobs,)] = queue.rows(count)
    return int(jobs)


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
    worker.send_signal(number)
    return worker.wait(timeout=25)  # seconds; a platform waits for 30


@pytest.mark.smoke
def test_an_idle_worker_is_notified_of_a_job(queue: Queue, pages: PageServer) -> None:
    """And stores the counts."""
    with queue.worker(NEVER_POLLS):
        queue.ask(pages.url("/1"))
        wait_until(lambda: queue.has_counted(1), "it is counted")
    assert queue.rows("SELECT total_words, result_all FROM results") == [(2, {"two": 1, "words": 1})]
    assert queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'wordcounts.count'") == [(0,)]


def test_a_worker_that_is_not_notified_polls_until_ctrl_c(queue: Queue, pages: PageServer) -> None:
    with queue.worker(NEVER_LISTENS) as worker:
        queue.ask(pages.url("/1"))
        wait_until(lambda: queue.has_counted(1), "it is counted")
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGINT)  # an impatient second Ctrl-C
        assert worker.wait(timeout=25) == 0


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_two_workers_share_many_jobs_and_run_none_twice(queue: Queue, pages: PageServer) -> None:
    queue.ask(*(pages.url(f"/{number}") for number in range(JOBS)))
    with queue.worker(), queue.worker():
        wait_until(lambda: queue.has_counted(JOBS), "all are counted", within=300)
    fetched = [head.split(" ")[1] for head in pages.requests]
    assert len(fetched) == len(set(fetched)) == JOBS


@pytest.mark.timeout(200)
def test_the_job_of_a_killed_worker_is_run_by_another_within_90_seconds(
    queue: Queue, slow: Slow, pages: PageServer
) -> None:
    """The test does not wait until the worker is taken for dead: it makes the last heartbeat older."""
    with queue.worker() as killed:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(killed, signal.SIGKILL) == -signal.SIGKILL
    slow.may_answer.set()
    assert len(queue.rows(AGE_HEARTBEATS, seconds=DEAD_AFTER)) == 1
    with queue.worker():
        wait_until(lambda: queue.has_counted(1), "another worker runs it", within=90 - DEAD_AFTER)
    assert len(pages.requests) == 2


@pytest.mark.smoke
def test_on_sigterm_it_finishes_its_job_takes_no_other_and_exits_0(queue: Queue, pages: PageServer, slow: Slow) -> None:
    [(of_others,)] = queue.rows(SESSIONS)
    with queue.worker() as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: queue.rows(SESSIONS) == [(of_others + 1,)], "it stops listening")
        queue.ask(pages.url("/1"))
        worker.send_signal(signal.SIGTERM)  # a second one changes nothing
        slow.may_answer.set()
        assert worker.wait(timeout=25) == 0
    assert sorted(queue.rows(STATUSES)) == [("done", 1), ("queued", 1)]
    assert queue.rows("SELECT count(*) FROM procrastinate_workers") == [(0,)]


def test_a_job_that_outlasts_the_grace_period_is_requeued(queue: Queue, pages: PageServer, slow: Slow) -> None:
    with queue.worker(SHORT_GRACE_PERIOD) as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(worker, signal.SIGTERM) == 0
    assert queue.rows("SELECT status, error FROM results") == [("running", None)]  # in the middle of it
    assert waiting_jobs(queue) == 1
    slow.may_answer.set()
    with queue.app.app_context():
        run_queued(queue.app)  # as another worker would
    assert queue.has_counted(1)


def test_it_exits_in_time_though_the_database_hangs(queue: Queue) -> None:
    others = set(queue.rows(BACKENDS))
    with queue.worker(EXITS_SOON) as worker:
        backends = [psutil.Process(pid) for (pid,) in set(queue.rows(BACKENDS)) - others]
        assert backends
        for backend in backends:
            backend.suspend()
        try:
            assert end(worker, signal.SIGTERM) == 0
        finally:
            for backend in backends:
                backend.resume()


def test_it_exits_in_time_though_a_page_never_answers(queue: Queue, pages: PageServer, slow: Slow) -> None:
    assert DEADLINE_SECONDS < GRACE_PERIOD
    with queue.worker(FETCHES_BRIEFLY) as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(worker, signal.SIGTERM) == 0
    assert queue.rows("SELECT status, error FROM results") == [("queued", "deadline")]
    assert waiting_jobs(queue) == 1


def test_an_idle_worker_reconnects_when_the_database_restarts(
    queue: Queue, server_environment: Environment, tmp_path: Path
) -> None:
    """It ends each session, and lets nobody in until it has started."""
    name = make_url(queue.environment["DATABASE_URL"]).database
    with queue.worker(), connect(server_environment) as server, server.cursor() as cursor:
        server.autocommit = True
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: "the queue does not answer" in (tmp_path / "worker-0.log").read_text(), "it notices")
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        queue.defer_next()
        wait_until(queue.has_done_the_next, "it runs the next job")
