"""The worker process: every job has its effect once, whatever happens to the processes and the database."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.jobs.tasks import DEAD_AFTER
from app.jobs.worker import GRACE_PERIOD
from app.wordcounts.fetching.client import DEADLINE_SECONDS
from tests.databases import Environment, migrated_database
from tests.live.conftest import connect
from tests.live.test_worker import AGE_HEARTBEATS, NEVER_POLLS, SETTING, end
from tests.queued import run_queued
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.live.counting import STATUSES, UNFINISHED, CountingQueue, Slow, counting_queue
from tests.wordcounts.page_server import PageServer

pytestmark = pytest.mark.servers

JOBS = 10
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'semicircle-worker queue'"
)


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer) -> Iterator[CountingQueue]:
    with migrated_database(server_environment) as environment, counting_queue(environment, tmp_path, pages) as queue:
        yield queue


def test_an_idle_worker_is_notified_of_a_job_also_after_the_database_has_restarted(
    queue: CountingQueue, pages: PageServer, server_environment: Environment, tmp_path: Path
) -> None:
    """A restart ends each session, and lets nobody in until it is over."""
    name = make_url(queue.environment["DATABASE_URL"]).database
    with queue.worker(NEVER_POLLS), connect(server_environment) as server, server.cursor() as cursor:
        queue.ask(pages.url("/1"))
        wait_until(lambda: queue.has_counted(1), "it is counted")
        assert queue.rows("SELECT total_words, result_all FROM results") == [(2, {"two": 1, "words": 1})]
        wait_until(lambda: not queue.rows(UNFINISHED), "the queue knows")
        server.autocommit = True
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        wait_until(lambda: "the queue does not answer" in (tmp_path / "worker-0.log").read_text(), "it notices")
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        queue.defer_next()
        wait_until(queue.has_done_the_next, "it runs the next job")


@pytest.mark.timeout(300)
def test_the_jobs_of_a_killed_worker_are_run_by_others_within_90_seconds_and_none_twice(
    queue: CountingQueue, slow: Slow, pages: PageServer
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
def test_on_sigterm_it_finishes_its_job_takes_no_other_and_exits_0(
    queue: CountingQueue, pages: PageServer, slow: Slow
) -> None:
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


def test_a_job_that_outlasts_the_grace_period_is_requeued(queue: CountingQueue, pages: PageServer, slow: Slow) -> None:
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
