"""HTTP load: a closed loop, an open loop, and many clients at the same moment."""

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Barrier, Event
from typing import NamedTuple, TypeVar

from tests.samples import samples
from tools.bench.client import Answer, Client

RATE = 20.0  # pages a second of the open loop
PAGES = ("/notes", "/todos", "/mypage", *(each.path for each in samples()))
GIVE_UP = 30  # seconds without any answer
NO_ANSWER = 0

Result = TypeVar("Result")


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None = None


@dataclass
class Outcome:
    # Seconds until the last byte, of every request that was answered as expected.
    latencies: list[float] = field(default_factory=list)
    failed: Counter[int] = field(default_factory=Counter)  # how often each other status came; 0 is no answer
    elapsed: float = 0.0  # seconds


def closed_loop(port: int, requests: Sequence[Request], expected: int, clients: int, seconds: float) -> Outcome:
    """Let each client send its next request as soon as it is answered, on a connection that it keeps open.

    They take the requests in turn, again and again, for so many seconds; what was sent by then is still waited for.
    Every other status than the expected one is a failure.
    """
    outcome, turns = Outcome(), itertools.cycle(requests)
    began = time.perf_counter()

    def visit(connection: HTTPConnection) -> None:
        status, now = expected, began
        while status != NO_ANSWER and (now == began or now < began + seconds):
            sent = time.perf_counter()
            status = status_of(connection, next(turns))
            now = time.perf_counter()
            if status == expected:
                outcome.latencies.append(now - sent)
            else:
                outcome.failed[status] += 1
        connection.close()

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(visit, [HTTPConnection("127.0.0.1", port, timeout=GIVE_UP) for _ in range(clients)]))
    outcome.elapsed = time.perf_counter() - began
    return outcome


def status_of(connection: HTTPConnection, request: Request) -> int:
    """Send a request and read its answer. A redirect to sign-in is no answer: whoever asked is signed in."""
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return NO_ANSWER
    return NO_ANSWER if "/sign-in" in answer.headers.get("Location", "") else answer.status


def open_loop(ask: Callable[[int], Result], rate: float, seconds: float) -> list[Result]:
    """Send requests, by their numbers, that start at their time, however long the ones before take, as readers do."""
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        answers = []
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            answers.append(threads.submit(ask, number))
        return [answer.result() for answer in answers]


def read_pages(client: Client, seconds: float) -> list[Answer]:
    return open_loop(lambda number: client.get(PAGES[number % len(PAGES)]), RATE, seconds)


def p95(answers: list[Answer]) -> float:
    """Return seconds."""
    return statistics.quantiles((answer.seconds for answer in answers), n=20)[-1]


@contextmanager
def meanwhile(*tasks: Callable[[Event], object]) -> Iterator[None]:
    """Let functions run beside the block, each in a thread of its own, until the event that they are given is set."""
    stop = Event()
    with ThreadPoolExecutor(len(tasks)) as threads:
        running = [threads.submit(task, stop) for task in tasks]
        try:
            yield
        finally:
            stop.set()
        for each in running:
            each.result()


def statuses_at_once(act: Callable[[int, Client], int], clients: list[Client]) -> Counter[int]:
    """Let all clients act at the same moment, and count what each returned."""
    barrier = Barrier(len(clients))

    def wait_and_act(number: int) -> int:
        barrier.wait()
        return act(number, clients[number])

    with ThreadPoolExecutor(len(clients)) as threads:
        return Counter(threads.map(wait_and_act, range(len(clients))))
