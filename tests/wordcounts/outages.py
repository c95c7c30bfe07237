"""Take the database away from a worker: when does it go on, is each job done, and how does it end?"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.silent_proxy import SilentProxy, silent_proxy
from tests.waiting import wait_until
from tests.wordcounts.live.conftest import PAGE, CountingQueue, counting_queue
from tests.wordcounts.page_server import PageServer
from tools.bench.service import production, release
from tools.bench.site import frozen
from tools.dev import ports, postgres
from tools.dev.processes import Child

JOBS = 20  # that wait when the outage begins
DONE_WITHIN = 180.0  # seconds that are waited at most
SILENT_EVERY = 15.0  # seconds


@dataclass
class Outcome:
    """
    Args:
        next_after: seconds from the end of the outage until a job that was deferred then is done.
        lost: pages that are not counted DONE_WITHIN later.
        doubled: counts that nobody asked for, or that hold more words than their page.
        again: pages that were fetched more than once: a job may run twice, and has its effect once.
        ended_after: seconds from SIGTERM, while the database does not answer.
    """

    name: str
    next_after: float
    lost: int
    doubled: int
    again: int
    ended_after: float


@dataclass
class Place:
    """A database of its own, and the proxy through which the worker reaches it."""

    folder: Path
    port: int
    database: Child
    proxy: SilentProxy


def silent(place: Place, seconds: float) -> None:
    """Silence the connections that are open, time and again; a new one works."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        place.proxy.silence()
        time.sleep(min(SILENT_EVERY, seconds))
    place.proxy.silence()


def hanging(place: Place, seconds: float) -> None:
    with frozen(place.database):
        time.sleep(seconds)


def restarted(place: Place, seconds: float) -> None:
    place.database.stop()
    time.sleep(seconds)
    place.database = postgres.start(place.folder / "postgres", place.port, durable=False)


KINDS: dict[str, Callable[[Place, float], None]] = {
    "worker: database silent": silent,
    "worker: database frozen": hanging,
    "worker: database restarted": restarted,
}


def measure(name: str, seconds: float) -> Outcome:
    """Cause one outage for so many seconds, while JOBS wait."""
    pages = {f"/{number}": PAGE for number in range(JOBS)}
    with _place() as place, PageServer(pages) as server:
        direct = production(place.port)
        release(direct)
        queue = counting_queue(direct, place.folder, server)
        through = {**queue.environment, "DATABASE_URL": postgres.url(place.proxy.port)}
        with replace(queue, environment=through).worker() as worker:
            queue.ask(*(server.url(path) for path in pages))
            KINDS[name](place, seconds)
            next_after = _seconds_until_the_next_is_done(queue)
            lost = _lost(queue)
            with place.proxy.stopped():
                began = time.monotonic()
                worker.send_signal(signal.SIGTERM)
                worker.wait()
                ended_after = time.monotonic() - began
        [(doubled,)] = queue.rows("SELECT count(*) - count(*) FILTER (WHERE total_words = 2) FROM results")
        fetched = [head.split(" ")[1] for head in server.requests]
        again = len({path for path in fetched if fetched.count(path) > 1})
        return Outcome(name, next_after, lost, int(doubled) - lost, again, ended_after)


def _seconds_until_the_next_is_done(queue: CountingQueue) -> float:
    began = time.monotonic()
    queue.defer_next()
    wait_until(queue.has_done_the_next, "the next job is done", DONE_WITHIN)
    return time.monotonic() - began


def _lost(queue: CountingQueue) -> int:
    end = time.monotonic() + DONE_WITHIN
    while not queue.has_counted(JOBS) and time.monotonic() < end:
        time.sleep(0.1)
    [(done,)] = queue.rows("SELECT count(*) FROM results WHERE status = 'done'")
    return JOBS - int(done)


@contextmanager
def _place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="worker-", ignore_cleanup_errors=True) as folder:
        [port] = ports.find_free(1)
        database = postgres.start(Path(folder) / "postgres", port, durable=False)
        with silent_proxy({"DATABASE_URL": postgres.url(port)}) as proxy:
            place = Place(Path(folder), port, database, proxy)
            try:
                yield place
            finally:
                place.database.stop()
