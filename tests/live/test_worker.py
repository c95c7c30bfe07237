"""The worker: every job is done once as far as anybody can see, whatever becomes of the processes and the database."""

import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from app.accounts.models import User
from app.dev import ports, postgres
from app.extensions import db
from app.jobs import DEAD_AFTER
from app.wordcounts import rate_limits, service
from tests.databases import Environment, migrated_database, upgrade
from tests.live.workers import Queue, running_queue
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.page_server import PageServer, page

JOBS = 1000
PAGE = page(b"<p>two words")
OF_WORKERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'semicircle-worker'"
SESSIONS = f"SELECT count(*) {OF_WORKERS}"
BACKENDS = f"SELECT pid {OF_WORKERS}"
STATUSES = "SELECT status, count(*) FROM results GROUP BY status"

NEXT_JOB = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    " VALUES ('next', 'jobs.requeue_stalled_jobs', '{\"timestamp\": 0}')"
)
LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'next'"

LATER = (
    "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - make_interval(secs => :seconds) RETURNING id"
)

OPTION = "from app.jobs import queue; queue.worker_defaults[{!r}] = {!r}".format
NEVER_LOOKS = OPTION("fetch_job_polling_interval", 600.0)
IS_TOLD_NOTHING = OPTION("listen_notify", False)
# Workers that wait for seconds where others wait for twenty.
SETTING = "import importlib; importlib.import_module('app.worker').{} = {}".format
IMPATIENT = SETTING("GRACE_PERIOD", 1.0)
HURRIED = SETTING("EXIT_AFTER", 2.0)


class Slow:
    """A page that is answered when the test says so."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        self.asked.release()
        self.may_answer.wait(60)
        connection.sendall(PAGE)


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.may_answer.set()


@pytest.fixture
def pages(slow: Slow) -> Iterator[PageServer]:
    numbered = {f"/{number}": PAGE for number in range(JOBS)}
    with PageServer({**numbered, "/slow": slow}) as server:
        yield server
        slow.may_answer.set()


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer) -> Iterator[Queue]:
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path, pages) as queue:
        yield queue


@pytest.fixture
def ask(queue: Queue, pages: PageServer) -> Callable[..., None]:
    """ask("/a", "/b"): have these pages counted, each five by a person of their own."""

    def ask(*paths: str) -> None:
        with queue.app.app_context():
            for start in range(0, len(paths), rate_limits.MAX_UNFINISHED):
                name = f"reader-{paths[start].strip('/')}"
                reader = User(email=f"{name}@example.com", nickname=name, nickname_key=name, password_hash="")
                db.session.add(reader)
                db.session.commit()
                for path in paths[start : start + rate_limits.MAX_UNFINISHED]:
                    service.ask(reader.id, pages.url(path))

    return ask


def are_done(queue: Queue, number: int) -> bool:
    return queue.rows(STATUSES) == [("done", number)]


def waiting_jobs(queue: Queue) -> int:
    count = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'wordcounts.count'"
    [(jobs,)] = queue.rows(count)
    return int(jobs)


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
    worker.send_signal(number)
    return worker.wait(timeout=25)  # seconds; a platform waits for 30


def test_an_idle_worker_begins_when_it_is_told_of_a_job(queue: Queue, ask: Callable[..., None]) -> None:
    """And stores what it counted."""
    with queue.worker(NEVER_LOOKS):
        ask("/1")
        wait_until(lambda: are_done(queue, 1), "it is counted")
    assert queue.rows("SELECT total_words, result_all FROM results") == [(2, {"two": 1, "words": 1})]
    assert queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'wordcounts.count'") == [(0,)]


def test_a_worker_that_is_told_of_nothing_looks_for_jobs_by_itself(queue: Queue, ask: Callable[..., None]) -> None:
    with queue.worker(IS_TOLD_NOTHING):
        ask("/1")
        wait_until(lambda: are_done(queue, 1), "it is counted")


def test_two_workers_do_a_thousand_jobs_and_none_twice(
    queue: Queue, ask: Callable[..., None], pages: PageServer
) -> None:
    ask(*(f"/{number}" for number in range(JOBS)))
    with queue.worker(), queue.worker():
        wait_until(lambda: are_done(queue, JOBS), "all are counted", within=300)
    fetched = [head.split(" ")[1] for head in pages.requests]
    assert len(fetched) == len(set(fetched)) == JOBS


def test_what_a_killed_worker_was_doing_another_does_within_90_seconds(
    queue: Queue, ask: Callable[..., None], slow: Slow, pages: PageServer
) -> None:
    """Of which the first ones, until it is taken for dead, are not waited for: its last sign of life is made older."""
    with queue.worker() as killed:
        ask("/slow")
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(killed, signal.SIGKILL) == -signal.SIGKILL
    slow.may_answer.set()
    assert len(queue.rows(LATER, seconds=DEAD_AFTER)) == 1
    with queue.worker():
        wait_until(lambda: are_done(queue, 1), "another one does it", within=90 - DEAD_AFTER)
    assert len(pages.requests) == 2


def test_told_to_stop_it_finishes_what_it_does_begins_nothing_and_exits_0(
    queue: Queue, ask: Callable[..., None], slow: Slow
) -> None:
    [(of_others,)] = queue.rows(SESSIONS)
    with queue.worker() as worker:
        ask("/slow")
        assert slow.asked.acquire(timeout=WITHIN)
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: queue.rows(SESSIONS) == [(of_others + 1,)], "it listens no more")
        ask("/1")
        slow.may_answer.set()
        assert worker.wait(timeout=25) == 0
    assert sorted(queue.rows(STATUSES)) == [("done", 1), ("queued", 1)]
    assert queue.rows("SELECT count(*) FROM procrastinate_workers") == [(0,)]


def test_what_it_cannot_finish_in_time_it_hands_back(queue: Queue, ask: Callable[..., None], slow: Slow) -> None:
    with queue.worker(IMPATIENT) as worker:
        ask("/slow")
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(worker, signal.SIGTERM) == 0
    assert queue.rows("SELECT status, error FROM results") == [("running", None)]  # in the middle of it
    assert waiting_jobs(queue) == 1
    slow.may_answer.set()
    with queue.worker():
        wait_until(lambda: are_done(queue, 1), "another one does it")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_told_twice_it_exits_0_too(queue: Queue, stop: signal.Signals) -> None:
    with queue.worker() as worker:
        worker.send_signal(stop)
        worker.send_signal(stop)
        assert worker.wait(timeout=25) == 0


def test_a_database_that_does_not_answer_does_not_hold_up_the_end(queue: Queue) -> None:
    others = set(queue.rows(BACKENDS))
    with queue.worker(HURRIED) as worker:
        backends = [psutil.Process(pid) for (pid,) in set(queue.rows(BACKENDS)) - others]
        assert backends
        for backend in backends:
            backend.suspend()
        try:
            assert end(worker, signal.SIGTERM) == 0
        finally:
            for backend in backends:
                backend.resume()


def test_a_page_that_never_answers_does_not_hold_up_the_end(queue: Queue, ask: Callable[..., None], slow: Slow) -> None:
    with queue.worker() as worker:
        ask("/slow")
        assert slow.asked.acquire(timeout=WITHIN)
        assert end(worker, signal.SIGTERM) == 0
    assert queue.rows("SELECT status, error FROM results") == [("queued", "deadline")]
    assert waiting_jobs(queue) == 1


def test_when_the_database_restarts_an_idle_worker_comes_back_to_it(tmp_path: Path, pages: PageServer) -> None:
    """On a database server of the test's own."""
    [port] = ports.find_free(1)
    server = postgres.start(tmp_path / "postgres", port, durable=False)
    environment = {
        "SECRET_KEY": "5d1f0c7a9b3e48d2a6c4e0f18b7d9352",
        "DATABASE_URL": postgres.url(port),
        "S3_BUCKET": "none",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    try:
        upgrade(environment)
        with running_queue(environment, tmp_path, pages) as queue, queue.worker():
            server.stop()
            server = postgres.start(tmp_path / "postgres", port, durable=False)
            with queue.app.app_context():
                db.session.execute(NEXT_JOB)
                db.session.commit()
            wait_until(lambda: queue.rows(LEFT) == [(0,)], "it does the next job")
    finally:
        server.stop()
