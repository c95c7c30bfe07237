"""A worker whose database falls silent on open connections: it gives them up, and does its next job within a minute."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.database_timeout import STATEMENT_SECONDS
from app.jobs.connection import POOL_TIMEOUT
from tests.databases import Environment, migrated_database
from tests.live.conftest import Slow
from tests.live.test_worker import NEVER_POLLS, SETTING, UNFINISHED
from tests.live.workers import Queue, running_queue
from tests.silent_proxy import TO_CLIENT, TO_SERVER, Connection, SilentProxy, silent_proxy
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.page_server import PageServer

pytestmark = [pytest.mark.minutes, pytest.mark.timeout(400)]

NEXT_JOB_WITHIN = 60.0  # seconds
IMPATIENT = """
from app import database_timeout
from app.jobs import connection
from procrastinate import connector
connection.ANSWER_TIMEOUT, connection.POOL_TIMEOUT = 2.0, 7.0
database_timeout.STATEMENT_SECONDS = connector.LISTEN_TIMEOUT = 3.0
"""
STUCK_SOON = f"{SETTING('STUCK_AFTER', 3)}; {SETTING('LONGEST_JOB', 3)}"
EXITS_SOON = f"{SETTING('GRACE_PERIOD', 2)}; {SETTING('EXIT_AFTER', 4)}; {SETTING('IDLE_EXIT_AFTER', 2)}"
# A job that blocks the event loop, whatever one of ours may do.
BLOCKING = """
import time
from app.jobs.queue import queue
@queue.task(name="blocking")
async def block(): time.sleep(600)
"""
DEFER_BLOCKING = "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('next', 'blocking') RETURNING id"
# Words that the database does not hear, or the worker, and what was said on that connection before.
TRAPS = (
    (b"wordcounts.count", TO_CLIENT, b""),  # the queue says which job it is to do
    (b"UPDATE results", TO_SERVER, b""),  # the job stores something
    (b"COMMIT", TO_CLIENT, b"UPDATE results"),  # it is stored, and the worker is not told
    (b"procrastinate_finish_job", TO_SERVER, b""),  # the worker says that it is done
)


@pytest.fixture
def proxy(server_environment: Environment) -> Iterator[SilentProxy]:
    with silent_proxy(server_environment) as proxy:
        yield proxy


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, pages: PageServer, proxy: SilentProxy) -> Iterator[Queue]:
    """Yield a queue whose workers reach the database through the proxy; the test does not."""
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path, pages) as queue:
        yield replace(queue, environment=proxy.through(queue.environment))


def assert_it_does_its_next_job(queue: Queue) -> None:
    queue.defer_next()
    wait_until(queue.has_done_the_next, "it does its next job", NEXT_JOB_WITHIN)


def assert_counted(queue: Queue, number: int) -> None:
    wait_until(lambda: queue.has_counted(number), "it is counted", NEXT_JOB_WITHIN)
    wait_until(lambda: not queue.rows(UNFINISHED), "the queue knows", NEXT_JOB_WITHIN)


def notices(queue: Queue) -> int:
    """Return how often the first worker has noticed that the queue does not answer."""
    return (queue.folder / "worker-0.log").read_text().count("the queue does not answer")


def listens(connection: Connection) -> bool:
    return b"LISTEN" in connection.said


def test_it_goes_on_though_the_database_falls_silent_while_a_page_is_fetched_and_then_does_not_accept(
    queue: Queue, proxy: SilentProxy, pages: PageServer, slow: Slow
) -> None:
    """Its own clocks allow two connections in a row, the pool's and one more, to be silent within the minute."""
    assert 2 * POOL_TIMEOUT + STATEMENT_SECONDS < NEXT_JOB_WITHIN
    with queue.worker(IMPATIENT) as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        proxy.silence()
        slow.may_answer.set()
        assert_it_does_its_next_job(queue)
        assert_counted(queue, 1)
        before = notices(queue)
        with proxy.stopped():
            queue.defer_next()
            wait_until(lambda: notices(queue) > before, "it notices")
        wait_until(queue.has_done_the_next, "it does its next job", NEXT_JOB_WITHIN)
        assert worker.poll() is None


def test_it_hears_of_jobs_again_though_the_connection_that_listens_alone_fell_silent(
    queue: Queue, proxy: SilentProxy
) -> None:
    with queue.worker(f"{NEVER_POLLS}; {IMPATIENT}"):
        wait_until(lambda: any(map(listens, proxy.connections)), "it listens")
        assert proxy.silence(which=listens) == 1
        wait_until(lambda: sum(map(listens, proxy.connections)) > 1, "it listens anew", NEXT_JOB_WITHIN)
        assert_it_does_its_next_job(queue)


def test_a_job_is_done_wherever_the_database_falls_silent_in_it_and_the_next_one_too(
    queue: Queue, proxy: SilentProxy, pages: PageServer
) -> None:
    with queue.worker(IMPATIENT):
        for number, (words, direction, after) in enumerate(TRAPS, 1):
            proxy.silence_at(words, direction, after)
            queue.ask(pages.url("/1"))
            assert proxy.trapped.wait(WITHIN), words
            assert_it_does_its_next_job(queue)
            assert_counted(queue, number)
    assert queue.rows("SELECT total_words FROM results") == [(2,)] * len(TRAPS)


@pytest.mark.parametrize("job", [False, True], ids=["idle", "with a job"])
def test_sigterm_ends_it_while_the_database_is_silent(
    queue: Queue, proxy: SilentProxy, pages: PageServer, slow: Slow, job: bool
) -> None:
    """Also an idle worker may be in a periodic job, which has the grace period."""
    with queue.worker(f"{EXITS_SOON}; {IMPATIENT}") as worker:
        if job:
            queue.ask(pages.url("/slow"))
            assert slow.asked.acquire(timeout=WITHIN)
        with proxy.stopped():
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0


def test_a_worker_that_is_stuck_ends_itself_and_its_job_is_for_another(queue: Queue) -> None:
    with queue.worker(f"{STUCK_SOON}\n{BLOCKING}") as worker:
        queue.rows(DEFER_BLOCKING)
        assert worker.wait(timeout=WITHIN) == 1
    assert "the worker is stuck" in (queue.folder / "worker-0.log").read_text()
    assert queue.rows("SELECT status FROM procrastinate_jobs WHERE task_name = 'blocking'") == [("doing",)]
