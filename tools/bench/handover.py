"""Count the requests that fail while one process takes over from another that is told to stop: SIGTERM, SIGINT to all.

A small router keeps connections open, as a platform's does. It opens new ones to the old process until that refuses
them, then to the new one. It never sends a request twice, so each failure is counted.
Run: .venv/bin/python -m tools.bench.handover [--rate 50] [--rounds 5]
"""

import argparse
import itertools
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPException

from tools.bench.load import open_loop
from tools.bench.service import PAGE, THROUGH_TLS, database, running

SECONDS = 4.0  # of requests before the signal, and after it
KEPT = 8  # connections that stay idle, as other readers leave them
NEW_EVERY = 3  # requests; then a connection is not kept, so that new ones are opened all the time


class Router:
    """Send requests to the first process that lets it in, on connections that it keeps open."""

    def __init__(self, *ports: int) -> None:
        self._ports = ports
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        self._count = itertools.count(1)

    def get(self) -> str:
        """Return the status, or the name of what failed."""
        connection = self._kept() or self._new()
        try:
            connection.request("GET", PAGE, headers=THROUGH_TLS)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return type(error).__name__
        if answer.will_close or next(self._count) % NEW_EVERY == 0:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return str(answer.status)

    def _kept(self) -> HTTPConnection | None:
        """Take the connection that was idle longest and is not closed."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop(0)
                if not select.select([connection.sock], [], [], 0)[0]:
                    return connection
                connection.close()
        return None

    def _new(self) -> HTTPConnection:
        for port in self._ports:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            with suppress(ConnectionRefusedError):
                connection.connect()
                break
        return connection


def kept_alive(port: int) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", PAGE, headers=THROUGH_TLS)
    connection.getresponse().read()
    return connection


def handover(environment: dict[str, str], arguments: str, rate: float, stop: Callable[[int], None]) -> Counter[str]:
    with ExitStack() as stack:
        old, new = (stack.enter_context(running(environment, arguments)) for _ in range(2))
        for _ in range(KEPT):
            stack.enter_context(closing(kept_alive(old.port)))
        router = Router(old.port, new.port)
        with ThreadPoolExecutor(1) as side:
            answers = side.submit(open_loop, lambda _: router.get(), rate, 2 * SECONDS)
            time.sleep(SECONDS)
            stop(old.pid)
            return Counter(answers.result())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="requests a second (50)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (5)")
    options = parser.parse_args()
    workers = {"ours": "", "gthread": "--worker-class gthread"}
    signals: dict[str, Callable[[int], None]] = {
        "SIGTERM": lambda arbiter: os.kill(arbiter, signal.SIGTERM),
        "SIGINT": lambda arbiter: os.killpg(arbiter, signal.SIGINT),  # to each, as Ctrl-C in a terminal does
    }
    print(f"{'worker':8} {'signal':8} {'requests':>8} {'a second':>8} {'failed':>7}")
    with database() as environment:
        for worker, name in itertools.product(workers, signals):
            answers: Counter[str] = Counter()
            for _ in range(options.rounds):
                answers += handover(environment, workers[worker], options.rate, signals[name])
            failed = {what: number for what, number in answers.items() if what != "200"}
            print(
                f"{worker:8} {name:8} {answers.total():8} {options.rate:8.0f} {sum(failed.values()):7} {failed or ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
