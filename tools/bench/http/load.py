"""Closed-loop HTTP load generator, in a process of its own.

Each of c clients sends its next request as soon as it is answered, on a connection that is kept open as long as the
server keeps it. One thread on bare sockets, so that it takes little of the cores that it shares with the servers; how
much that is stands beside the figures.
"""

import itertools
import multiprocessing
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NamedTuple, Self

GIVE_UP = 30  # seconds without any answer
CHUNK = 1 << 18
NO_ANSWER = 0
TO_SIGN_IN = re.compile(rb"\r\nlocation: \S*/sign-in")


class Plan(NamedTuple):
    """
    Args:
        requests: as they are sent; the clients take them in turn, again and again.
        expected: status; every other one is a failure.
        clients: connections at once.
        seconds: how long; what was sent by then is still waited for.
    """

    port: int
    requests: Sequence[bytes]
    expected: int
    clients: int
    seconds: float


@dataclass
class Outcome:
    """
    Args:
        latencies: seconds until the last byte, of every request that was answered as expected.
        failed: how often each other status came; 0 is no answer.
        received: bytes of all answers, with their headers.
        elapsed: seconds.
        cpu: seconds of this process.
    """

    latencies: list[float] = field(default_factory=list)
    failed: Counter[int] = field(default_factory=Counter)
    received: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0


class Load:
    """The process; `run` makes it work for one turn."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()

    def run(self, plan: Plan) -> Outcome:
        self._pipe.send(plan)
        outcome: Outcome = self._pipe.recv()
        return outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.join()


def serve(pipe: Connection) -> None:
    try:
        while True:
            pipe.send(run(pipe.recv()))
    except (EOFError, KeyboardInterrupt):
        return


def run(plan: Plan) -> Outcome:
    outcome, requests = Outcome(), itertools.cycle(plan.requests)
    cpu, began = time.process_time(), time.perf_counter()
    end = began + plan.seconds
    with selectors.DefaultSelector() as selector:
        for _ in range(plan.clients):
            _send(outcome, Browser(plan.port, selector), next(requests))
        while selector.get_map():
            ready = [key.data for key, _ in selector.select(GIVE_UP)]
            for browser in ready:
                status = browser.receive()
                if status is None:
                    continue
                _note(outcome, plan, browser, status)
                if time.perf_counter() < end:
                    _send(outcome, browser, next(requests))
                else:
                    browser.close()
            if not ready:
                _give_up(outcome, selector)
    outcome.elapsed = time.perf_counter() - began
    outcome.cpu = time.process_time() - cpu
    return outcome


def _send(outcome: Outcome, browser: "Browser", request: bytes) -> None:
    try:
        browser.send(request)
    except OSError:  # nobody listens, or the connection was reset
        outcome.failed[NO_ANSWER] += 1
        browser.close()


def _give_up(outcome: Outcome, selector: selectors.BaseSelector) -> None:
    for browser in [key.data for key in selector.get_map().values()]:
        outcome.failed[NO_ANSWER] += 1
        browser.close()


def _note(outcome: Outcome, plan: Plan, browser: "Browser", status: int) -> None:
    outcome.received += browser.received
    if status == plan.expected:
        outcome.latencies.append(time.perf_counter() - browser.sent)
    else:
        outcome.failed[status] += 1


class Browser:
    """One client: a connection, and the answer that it waits for."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self._port, self._selector = port, selector
        self._socket: socket.socket | None = None
        self._head = b""
        self._status = NO_ANSWER
        self._missing: int | None = None  # bytes of the body; None until the head is whole
        self._closes = False
        self.sent = 0.0
        self.received = 0

    def send(self, request: bytes) -> None:
        """Send on a new connection, unless the server keeps the one of the last request. Raises: OSError."""
        if self._closes or self._missing != 0:
            self.close()
        self._head, self._status, self._missing, self._closes, self.received = b"", NO_ANSWER, None, False, 0
        self.sent = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), GIVE_UP)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(request)

    def receive(self) -> int | None:
        """Read what has come. Returns the status of a whole answer, NO_ANSWER when none will come, else None."""
        assert self._socket  # noqa: S101 - it was sent on
        try:
            data = self._socket.recv(CHUNK)
        except OSError:
            data = b""
        self.received += len(data)
        if not data:
            self._closes = True
            return NO_ANSWER
        if self._missing is None:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return None
            self._read_head(head.lower())
            self._missing = self._length(head.lower()) - len(body)
        else:
            self._missing -= len(data)
        return self._status if self._missing <= 0 else None

    def _read_head(self, head: bytes) -> None:
        """A redirect to sign-in is no answer: whoever asked is signed in."""
        self._status = NO_ANSWER if TO_SIGN_IN.search(head) else int(head.split(b" ", 2)[1])
        self._closes = b"\r\nconnection: close" in head

    def _length(self, head: bytes) -> int:
        _, found, rest = head.partition(b"\r\ncontent-length:")
        if not found:
            raise ValueError("an answer without Content-Length")
        return int(rest.partition(b"\r\n")[0])

    def close(self) -> None:
        if self._socket:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
