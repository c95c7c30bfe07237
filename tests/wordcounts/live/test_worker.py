"""A word count from end to end; and the worker: it has its effect once, whatever happens to processes and database."""

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app.database.patience import STATEMENT_SECONDS
from app.jobs.connection import POOL_TIMEOUT
from app.jobs.tasks import DEAD_AFTER
from app.jobs.worker import GRACE_PERIOD
from app.wordcounts.fetching import DEADLINE_SECONDS
from tests.databases import Environment, migrated_database
from tests.live.conftest import PASSWORD, Browser, Service, connect, running_service
from tests.live.test_worker import (
    AGE_HEARTBEATS,
    EXITS_SOON,
    IMPATIENT,
    NEVER_POLLS,
    NEXT_JOB_WITHIN,
    assert_it_does_its_next_job,
    end,
)
from tests.pgbouncer import behind_pooler
from tests.silent_proxy import TO_CLIENT, TO_SERVER, SilentProxy
from tests.waiting import WITHIN, wait_until
from tests.wordcounts.live.conftest import STATUSES, UNFINISHED, CountingQueue, Slow
from tests.wordcounts.page_server import PageServer, page

pytestmark = pytest.mark.servers

JOBS = 10
OURS = "datname = current_database() AND application_name = 'semicircle-worker queue'"
SESSIONS = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS}"


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


def test_on_sigterm_it_finishes_its_job_alone_and_exits_0(queue: CountingQueue, pages: PageServer, slow: Slow) -> None:
    assert DEADLINE_SECONDS < GRACE_PERIOD, "the fetch of a page does not outlast it"
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


# Words that the database does not hear, or the worker, and what was said on that connection before.
TRAPS = (
    (b"wordcounts.count", TO_CLIENT, b""),  # the queue says which job it is to do
    (b"UPDATE results", TO_SERVER, b""),  # the job stores something
    (b"COMMIT", TO_CLIENT, b"UPDATE results"),  # it is stored, and the worker is not told
    (b"procrastinate_finish_job", TO_SERVER, b""),  # the worker says that it is done
)


@pytest.fixture
def proxied(queue: CountingQueue, proxy: SilentProxy) -> CountingQueue:
    """Return the queue, whose workers reach the database through the proxy; the test does not."""
    return replace(queue, environment=proxy.through(queue.environment))


def assert_counted(queue: CountingQueue, number: int) -> None:
    wait_until(lambda: queue.has_counted(number), "it is counted", NEXT_JOB_WITHIN)
    wait_until(lambda: not queue.rows(UNFINISHED), "the queue knows", NEXT_JOB_WITHIN)


def notices(queue: CountingQueue) -> int:
    """Return how often the first worker has noticed that the queue does not answer."""
    return (queue.folder / "worker-0.log").read_text().count("the queue does not answer")


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_it_goes_on_though_the_database_falls_silent_while_a_page_is_fetched_and_then_does_not_accept(
    proxied: CountingQueue, proxy: SilentProxy, pages: PageServer, slow: Slow
) -> None:
    """Its own clocks allow two connections in a row, the pool's and one more, to be silent within the minute."""
    assert 2 * POOL_TIMEOUT + STATEMENT_SECONDS < NEXT_JOB_WITHIN
    with proxied.worker(IMPATIENT) as worker:
        proxied.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        proxy.silence()
        slow.may_answer.set()
        assert_it_does_its_next_job(proxied)
        assert_counted(proxied, 1)
        before = notices(proxied)
        with proxy.stopped():
            proxied.defer_next()
            wait_until(lambda: notices(proxied) > before, "it notices")
        wait_until(proxied.has_done_the_next, "it does its next job", NEXT_JOB_WITHIN)
        assert worker.poll() is None


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_a_job_is_done_wherever_the_database_falls_silent_in_it_and_the_next_one_too(
    proxied: CountingQueue, proxy: SilentProxy, pages: PageServer
) -> None:
    with proxied.worker(IMPATIENT):
        for number, (words, direction, after) in enumerate(TRAPS, 1):
            proxy.silence_at(words, direction, after)
            proxied.ask(pages.url("/1"))
            assert proxy.trapped.wait(WITHIN), words
            assert_it_does_its_next_job(proxied)
            assert_counted(proxied, number)
    assert proxied.rows("SELECT total_words FROM results") == [(2,)] * len(TRAPS)


@pytest.mark.minutes
@pytest.mark.timeout(400)
def test_sigterm_ends_it_in_a_job_while_the_database_is_silent(
    proxied: CountingQueue, proxy: SilentProxy, pages: PageServer, slow: Slow
) -> None:
    with proxied.worker(f"{EXITS_SOON}; {IMPATIENT}") as worker:
        proxied.ask(pages.url("/slow"))
        assert slow.asked.acquire(timeout=WITHIN)
        with proxy.stopped():
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0


MOON = page("<title>반달</title><p>The moon, the half moon. 달이 달이".encode())


@pytest.fixture
def moon(server_environment: Environment, tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """Yield the service in the only configuration that may fetch from this machine, and the URL of a page here."""
    with (
        PageServer({"/moon": MOON}) as server,
        migrated_database(server_environment) as environment,
        behind_pooler({**environment, "TEST_PAGE_SERVERS": f"127.0.0.1:{server.port}"}) as pooled,
        running_service(pooled, tmp_path, "config.TestingConfig") as service,
    ):
        yield service, server.url("/moon")


def counted(browser: Browser, url: str) -> tuple[str, str]:
    """Return the path of the result, and its page once it is counted."""
    asked = browser.post("/wordcounts", url=url)
    assert asked.status == 302, asked.data.decode()
    path = asked.headers["Location"]
    wait_until(lambda: b"data-poll" not in browser.get(path).data, "it is counted")
    return path, browser.get(path).data.decode()


def test_from_the_url_to_the_words_to_deletion(moon: tuple[Service, str]) -> None:
    service, url = moon
    alice = service.browser()
    assert alice.sign_up("alice", PASSWORD).status == 302
    path, shown = counted(alice, url)
    assert re.fullmatch(r"/wordcounts/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", path)
    assert '<bdi lang="ko">반달</bdi></h2>' in shown
    assert "<bdi>the</bdi>" not in shown
    assert "<bdi>the</bdi>" in alice.get(f"{path}?stop_words=keep").data.decode()

    words = json.loads(alice.get(f"{path}.json?stop_words=keep").data)["words"]
    expected = {"the": 2, "moon": 2, "달이": 2, "half": 1}
    assert {word["word"]: word["count"] for word in words} == expected
    csv = alice.get(f"{path}.csv?stop_words=keep").data
    assert csv.startswith(b"\xef\xbb\xbfrank,word,count,density\r\n1,moon,2,")

    again = alice.post(f"{path}/again").headers["Location"]
    wait_until(lambda: b"data-poll" not in alice.get(again).data, "it is counted again")
    assert alice.get("/wordcounts").data.count("반달".encode()) >= 2
    for result in (path, again):
        assert alice.post(f"{result}/delete").status == 302
        assert alice.get(result).status == 404
