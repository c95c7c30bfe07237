"""Measure how readers are answered while slow clients hold connections (Slowloris), against gunicorn's own worker.

Run: .venv/bin/python -m tools.bench.slow_clients [--clients 200] [--idle 2000] [--seconds 10]
"""

import argparse
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from tools.bench.figures import percentile
from tools.bench.load import meanwhile
from tools.bench.service import PAGE, database, running, timed_get

HEAD = f"GET {PAGE} HTTP/1.1\r\nHost: a\r\n"
POST = f"POST {PAGE} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n"
PAUSE = 0.05  # seconds between two requests of a reader
READERS = 2
WORKERS = {"ours": "", "gthread": "--worker-class gthread"}


@dataclass(frozen=True)
class Kind:
    """Name what a slow client sends at once, and what it then sends each second."""

    name: str
    first: str
    each_second: str = ""
    reads_answer: bool = False  # before the readers are measured


KINDS = (
    Kind("headers at 1 B/s", HEAD + "X: ", "x"),
    Kind("body at 1 B/s", POST, "x"),
    Kind("silence after connect", ""),
    Kind("silence after the headers", POST),
)
IDLE = Kind("idle, kept alive", HEAD + "\r\n", reads_answer=True)


class SlowClients:
    """Keep connections open. One that the server closes is opened again, as an attacker would."""

    def __init__(self, port: int, kind: Kind, number: int) -> None:
        self._port, self._kind = port, kind
        self._open = [self._connect() for _ in range(number)]

    def _connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        client.sendall(self._kind.first.encode())
        if self._kind.reads_answer:
            client.recv(65536)
        client.setblocking(False)
        return client

    def send(self) -> None:
        """Send what each sends in a second."""
        for index, client in enumerate(self._open):
            with suppress(OSError):
                if self._is_closed(client):
                    client.close()
                    self._open[index] = self._connect()
                elif self._kind.each_second:
                    client.send(self._kind.each_second.encode())

    @staticmethod
    def _is_closed(client: socket.socket) -> bool:
        try:
            return client.recv(65536) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def keep_on(self, stop: Event) -> None:
        while not stop.wait(1):
            self.send()

    def close(self) -> None:
        for client in self._open:
            client.close()


@contextmanager
def slow_clients(port: int, kind: Kind, number: int) -> Iterator[None]:
    with closing(SlowClients(port, kind, number)) as clients, meanwhile(clients.keep_on):
        yield


def readers(port: int, seconds: float) -> list[float | None]:
    """Return how long each request took: READERS at once, each on a new connection a request."""
    end = time.monotonic() + seconds

    def read(_: int) -> list[float | None]:
        times = []
        while time.monotonic() < end:
            times.append(timed_get(port))
            time.sleep(PAUSE)
        return times

    with ThreadPoolExecutor(READERS) as threads:
        return [taken for times in threads.map(read, range(READERS)) for taken in times]


def row(worker: str, name: str, times: list[float | None]) -> str:
    answered = sorted(1000 * taken for taken in times if taken is not None)
    p50, p95 = (f"{percentile(answered, percent):8.1f}" if answered else "       -" for percent in (50, 95))
    return f"{worker:8} {name:36} {len(times):8} {p50} {p95} {len(times) - len(answered):7}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="slow clients of each kind (200)")
    parser.add_argument("--idle", type=int, default=2000, help="idle connections (2000)")
    parser.add_argument("--seconds", type=float, default=10, help="how long each is measured (10)")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    print(f"{'worker':8} {'slow clients':36} {'requests':>8} {'p50 ms':>8} {'p95 ms':>8} {'failed':>7}")
    with database() as environment:
        for worker, arguments in WORKERS.items():
            for kind, number in [*((kind, options.clients) for kind in KINDS), (IDLE, options.idle)]:
                with running(environment, arguments) as service:
                    print(row(worker, "before", readers(service.port, options.seconds)), flush=True)
                    with slow_clients(service.port, kind, number):
                        print(
                            row(worker, f"{number} × {kind.name}", readers(service.port, options.seconds)), flush=True
                        )


if __name__ == "__main__":
    main()
