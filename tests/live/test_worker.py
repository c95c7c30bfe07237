"""The worker process: every job has its effect once, whatever happens to the processes and the database."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import Environment, migrated_database
from tests.live.conftest import Queue
from tests.silent_proxy import Connection, SilentProxy
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

AGED = "last_heartbeat = last_heartbeat - make_interval(secs => :seconds)"
AGE_HEARTBEATS = f"UPDATE procrastinate_workers SET {AGED} RETURNING id"

NEVER_POLLS = "from app.jobs.queue import queue; queue.worker_defaults['fetch_job_polling_interval'] = 600.0"
SETTING = "import importlib; importlib.import_module('app.jobs.worker').{} = {}".format


@pytest.fixture
def queue(server_environment: Environment, tmp_path: Path) -> Iterator[Queue]:
    with migrated_database(server_environment) as environment:
        yield Queue.of(environment, tmp_path)


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> int:
    worker.send_signal(number)
    return worker.wait(timeout=25)  # seconds; a platform waits for 30


NEXT_JOB_WITHIN = 60.0  # seconds
IMPATIENT = """
from app.database import patience
from app.jobs import connection
from procrastinate import connector
connection.ANSWER_TIMEOUT, connection.POOL_TIMEOUT = 2.0, 7.0
patience.STATEMENT_SECONDS = connector.LISTEN_TIMEOUT = 3.0
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
