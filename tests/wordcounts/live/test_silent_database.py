"""A worker whose database falls silent in a job: it does that job, and its next one within a minute."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.database_timeout import STATEMENT_SECONDS
from app.jobs.connection import POOL_TIMEOUT
from tests.databases import Environment, migrated_database
from tests.live.test_silent_database import (
    EXITS_SOON,
    IMPATIENT,
    NEXT_JOB_WITHIN,
    assert_it_does_its_next_job,
)
from tests.silent_proxy import TO_CLIENT, TO_SERVER, SilentProxy, silent_proxy
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.live.counting import UNFINISHED, CountingQueue, Slow, counting_queue
from tests.wordcounts.page_server import PageServer

pytestmark = [pytest.mark.servers, pytest.mark.minutes, pytest.mark.timeout(400)]

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
def queue(
    server_environment: Environment, tmp_path: Path, pages: PageServer, proxy: SilentProxy
) -> Iterator[CountingQueue]:
    """Yield a queue whose workers reach the database through the proxy; the test does not."""
    with migrated_database(server_environment) as environment, counting_queue(environment, tmp_path, pages) as queue:
        yield replace(queue, environment=proxy.through(queue.environment))


def assert_counted(queue: CountingQueue, number: int) -> None:
    wait_until(lambda: queue.has_counted(number), "it is counted", NEXT_JOB_WITHIN)
    wait_until(lambda: not queue.rows(UNFINISHED), "the queue knows", NEXT_JOB_WITHIN)


def notices(queue: CountingQueue) -> int:
    """Return how often the first worker has noticed that the queue does not answer."""
    return (queue.folder / "worker-0.log").read_text().count("the queue does not answer")


def test_it_goes_on_though_the_database_falls_silent_while_a_page_is_fetched_and_then_does_not_accept(
    queue: CountingQueue, proxy: SilentProxy, pages: PageServer, slow: Slow
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


def test_a_job_is_done_wherever_the_database_falls_silent_in_it_and_the_next_one_too(
    queue: CountingQueue, proxy: SilentProxy, pages: PageServer
) -> None:
    with queue.worker(IMPATIENT):
        for number, (words, direction, after) in enumerate(TRAPS, 1):
            proxy.silence_at(words, direction, after)
            queue.ask(pages.url("/1"))
            assert proxy.trapped.wait(WITHIN), words
            assert_it_does_its_next_job(queue)
            assert_counted(queue, number)
    assert queue.rows("SELECT total_words FROM results") == [(2,)] * len(TRAPS)


def test_sigterm_ends_it_in_a_job_while_the_database_is_silent(
    queue: CountingQueue, proxy: SilentProxy, pages: PageServer, slow: Slow
) -> None:
    with queue.worker(f"{EXITS_SOON}; {IMPATIENT}") as worker:
        queue.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        with proxy.stopped():
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0
