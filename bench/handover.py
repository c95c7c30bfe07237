"""How many requests fail while one process takes over from another that is told to stop (SIGTERM).

A small router keeps connections open, as a platform's does, and sends new ones to the new process from the moment at
which the old one is told to stop. It never tries a request twice, so each failure is counted.
Run: .venv/bin/python -m bench.handover [--rate 50] [--rounds 5]
"""

import argparse
import os
import select
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException

from bench.service import PAGE, THROUGH_TLS, database, running

SECONDS = 4.0  # of requests before the signal, and after it
CLIENTS = 20


class Router:
    """Sends requests to one process, on connections that it keeps open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()

    def get(self) -> str:
        """The status, or the name of what failed."""
        connection = self._take()
        try:
            connection.request("GET", PAGE, headers=THROUGH_TLS)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return type(error).__name__
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return str(answer.status)

    def _take(self) -> HTTPConnection:
        """The connection that was idle longest and is not closed, else a new one."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop(0)
                if not select.select([connection.sock], [], [], 0)[0]:
                    return connection
                connection.close()
        return HTTPConnection("127.0.0.1", self.port, timeout=10)


def requests(router: Router, rate: float, seconds: float) -> Counter[str]:
    """How often each answer came. Each request starts at its time, however long the ones before take."""
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = []
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            answers.append(clients.submit(router.get))
        return Counter(answer.result() for answer in answers)


def handover(environment: dict[str, str], arguments: str, rate: float) -> Counter[str]:
    with running(environment, arguments) as old, running(environment, arguments) as new:
        router = Router(old.port)
        with ThreadPoolExecutor(1) as side:
            answers = side.submit(requests, router, rate, 2 * SECONDS)
            time.sleep(SECONDS)
            router.port = new.port
            os.kill(old.pid, signal.SIGTERM)
            return answers.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="requests a second (50)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (5)")
    options = parser.parse_args()
    print(f"{'worker':8} {'requests':>8} {'a second':>8} {'failed':>7}")
    with database() as environment:
        for worker, arguments in {"ours": "", "gthread": "--worker-class gthread"}.items():
            answers: Counter[str] = Counter()
            for _ in range(options.rounds):
                answers += handover(environment, arguments, options.rate)
            failed = {what: number for what, number in answers.items() if what != "200"}
            print(
                f"{worker:8} {answers.total():8} {options.rate:8.0f} {sum(failed.values()):7} {failed or ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
