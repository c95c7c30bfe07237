"""Go over every route again and again, and note the answers."""

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.bench.client import Answer, Client

VISITORS = 4  # at once, each on connections of its own
CHECK_EVERY = 0.25  # seconds; a platform asks less often
EXPORT = "/mypage/export"
NO_RETRY_AFTER = {"/readyz", "/healthz"}  # a platform asks these again anyway

Request = tuple[str, str, dict[str, str]]  # method, path, fields of a form


@dataclass
class Outcome:
    """What came of the requests of one outage. Times are in seconds."""

    name: str
    answers: list[tuple[str, Answer]] = field(default_factory=list)  # with the path
    health: list[Answer] = field(default_factory=list)
    well_after: float = 0.0

    @property
    def bare(self) -> list[str]:
        """Return 500s, what gunicorn wrote itself, and requests without an answer, or without all of it.

        But an export that had begun is cut off, so that nobody takes it for whole.
        """
        return [
            f"{answer.status} {path}"
            for path, answer in self.answers
            if answer.status == 500 or not answer.is_ours or (answer.is_cut_off and path != EXPORT)
        ]

    @property
    def unavailable(self) -> int:
        return sum(answer.status == 503 for _, answer in self.answers)

    @property
    def no_retry_after(self) -> int:
        refused = ((path, answer) for path, answer in self.answers if answer.status == 503)
        return sum("Retry-After" not in answer.headers for path, answer in refused if path not in NO_RETRY_AFTER)

    @property
    def slowest(self) -> float:
        return max((answer.seconds for _, answer in self.answers), default=0.0)

    @property
    def slowest_path(self) -> str:
        return max(self.answers, key=lambda pair: pair[1].seconds)[0] if self.answers else ""

    @property
    def slowest_health(self) -> float:
        return max((answer.seconds for answer in self.health), default=0.0)

    @property
    def unhealthy(self) -> int:
        return sum(answer.status != 200 for answer in self.health)


class Visits:
    """Let clients go over the requests, again and again, each from a place of its own, until they are told to stop."""

    def __init__(self, outcome: Outcome, clients: Iterable[Client], requests: list[Request]) -> None:
        self._outcome, self._clients, self._requests = outcome, list(clients), requests
        self._stop = threading.Event()
        self._unfinished = len(self._clients)
        self._lock = threading.Lock()
        self.all_seen = threading.Event()  # every client has sent every request once

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._visit, args=pair) for pair in enumerate(self._clients)]
        threads.append(threading.Thread(target=self._check))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _visit(self, number: int, client: Client) -> None:
        first = number * len(self._requests) // len(self._clients)
        order = self._requests[first:] + self._requests[:first]
        for method, path, fields in order:
            self._send(client, method, path, fields)
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished:
                self.all_seen.set()
        for method, path, fields in itertools.cycle(order):
            if self._stop.is_set():
                return
            self._send(client, method, path, fields)

    def _send(self, client: Client, method: str, path: str, fields: dict[str, str]) -> None:
        self._outcome.answers.append((path, client.request(method, path, fields=fields or None)))

    def _check(self) -> None:
        client = Client(int(self._clients[0].url.rpartition(":")[2]))
        while not self._stop.wait(CHECK_EVERY):
            self._outcome.health.append(client.get("/healthz"))


def seconds_until_well(client: Client, path: str, within: float, in_a_row: int = 10) -> float:
    """Return the seconds until the first of `in_a_row` good answers; each web process has its own circuit breaker."""
    began = time.perf_counter()
    since, good = began, 0
    while good < in_a_row and time.perf_counter() - began < within:
        asked = time.perf_counter()
        if client.get(path).status == 200:
            since = since if good else asked
            good += 1
        else:
            good = 0
            time.sleep(0.02)
    return since - began if good else within
