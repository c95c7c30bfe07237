"""A worker whose database falls silent on open connections: it gives them up, and does its next job within a minute."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import Environment, migrated_database
from tests.live.test_worker import NEVER_POLLS, SETTING
from tests.live.workers import Queue, running_queue
from tests.silent_proxy import Connection, SilentProxy, silent_proxy
from tests.waiting import wait_until

pytestmark = [pytest.mark.minutes, pytest.mark.timeout(400)]

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
def proxy(server_environment: Environment) -> Iterator[SilentProxy]:
    with silent_proxy(server_environment) as proxy:
        yield proxy


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path, proxy: SilentProxy) -> Iterator[Queue]:
    """Yield a queue whose workers reach the database through the proxy; the test does not."""
    with migrated_database(server_environment) as environment, running_queue(environment, tmp_path) as queue:
        yield replace(queue, environment=proxy.through(queue.environment))


def assert_it_does_its_next_job(queue: Queue) -> None:
    queue.defer_next()
    wait_until(queue.has_done_the_next, "it does its next job", NEXT_JOB_WITHIN)


def listens(connection: Connection) -> bool:
    return b"LISTEN" in connection.said


def test_it_hears_of_jobs_again_though_only_the_listening_session_fell_silent(queue: Queue, proxy: SilentProxy) -> None:
    with queue.worker(f"{NEVER_POLLS}; {IMPATIENT}"):
        wait_until(lambda: any(map(listens, proxy.connections)), "it listens")
        assert proxy.silence(which=listens) == 1
        wait_until(lambda: sum(map(listens, proxy.connections)) > 1, "it listens anew", NEXT_JOB_WITHIN)
        assert_it_does_its_next_job(queue)


def test_sigterm_ends_it_while_the_database_is_silent(queue: Queue, proxy: SilentProxy) -> None:
    """Also an idle worker may be in a periodic job, which has the grace period."""
    with queue.worker(f"{EXITS_SOON}; {IMPATIENT}") as worker, proxy.stopped():
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
