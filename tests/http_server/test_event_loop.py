"""The worker's event loop, a round at a time in this process: whom it lets in, answers, keeps, and closes, and when."""

import errno
import os
import re
import selectors
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import wraps
from typing import Any

import pytest
from gunicorn.config import Config

from http_server import worker as module
from http_server.access_log import AccessLog
from http_server.connection import BODY_SECONDS, HEAD_SECONDS, LINGER_SECONDS
from http_server.request_buffer import LONG, MOST_LONG
from http_server.worker import COMPLAINT_SECONDS, STOP_SECONDS, BufferingWorker

KEEPALIVE = 7  # seconds
Steps = Generator[None, None, None]
GET, END = b"GET /%b HTTP/1.1\r\n", b"Host: a\r\n\r\n"


class Pool:
    """Do work at once, or at `go`."""

    def __init__(self) -> None:
        self.is_busy = False
        self._waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[[Any], None], argument: Any) -> None:
        self._waiting.append(lambda: work(argument))
        if not self.is_busy:
            self.go()

    def go(self) -> None:
        while self._waiting:
            self._waiting.pop()()

    def shutdown(self, wait: bool) -> None:
        pass


class Site:
    extensions = {"body_limit": lambda head: 2 * LONG}  # noqa: RUF012
    answer = b"ok"

    def __call__(self, wsgi: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer with the status that the path names. One is too short for its length."""
        path = wsgi["PATH_INFO"][1:]
        length = len(self.answer) + (path == "short")
        start_response(f"{path if path.isdigit() else 200} Why", [("Content-Length", str(length))])
        return [self.answer]


class Loop(BufferingWorker):
    """Run the steps of a test. Each yields where the loop is to go round."""

    steps: Steps

    def __init__(self, clients: ExitStack) -> None:
        config, log = Config(), AccessLog(Config())
        for name, value in (("worker_connections", 2), ("keepalive", KEEPALIVE), ("graceful_timeout", 1000)):
            config.set(name, value)
        log.error_log.propagate = True
        self.listener, self.clients = clients.enter_context(socket.create_server(("127.0.0.1", 0))), clients
        self.address = self.listener.getsockname()
        site: Any = Site()
        super().__init__(1, os.getppid(), [self.listener], site, 30, config, log)
        self.ahead = self.next_sweep = self.next_accept = self.next_complaint = 0.0
        self.threads = Pool()
        self.tpool, self.liveness_pool = self.threads, Pool()  # type: ignore[assignment]
        self.poller = selectors.DefaultSelector()
        self.method_queue.init()
        self.wsgi = site

    def turn(self) -> None:
        super().turn()
        if next(self.steps, self) is self:
            self.alive, self.ahead = False, self.ahead + 10_000  # which ends what is left

    def connect(self, sends: bytes = b"") -> socket.socket:
        client = self.clients.enter_context(socket.create_connection(self.address, timeout=5))
        client.sendall(sends)
        return client


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    with ExitStack() as clients:
        loop, now = Loop(clients), time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + loop.ahead)
        monkeypatch.setattr(module, "SWEEP_SECONDS", 0)
        yield loop
        for connection in loop.room:  # where the test failed
            connection.close()
        loop.tmp.close()


def played(test: Callable[..., Steps]) -> Callable[..., None]:
    """Make a test of steps. At the end no connection is left."""

    @wraps(test)
    def play(loop: Loop, **fixtures: Any) -> None:
        loop.steps = test(loop, **fixtures)
        loop.run()
        assert (loop.nr_conns, next(loop.steps, None)) == (0, None)

    return play


def got(*clients: socket.socket) -> Generator[None, None, list[bytes | None]]:
    """Let the loop go round, and return what has come to each: the status of each answer; nothing where the connection
    was closed; None if it is silent.
    """
    yield from [None] * 5  # more than anything takes that has arrived
    return [received(client) for client in clients]


def received(client: socket.socket) -> bytes | None:
    client.setblocking(False)
    try:
        return b" ".join(re.findall(rb"HTTP/1\.1 (\d+)", client.recv(1000)))
    except BlockingIOError:
        return None


@played
def test_the_one_that_waited_longest_makes_room_idle_ones_first_and_none_that_a_thread_works_for(loop: Loop) -> Steps:
    first = loop.connect(GET % b"200")
    yield from got()
    second = loop.connect(GET % b"200" + END)
    assert (yield from got(second)) == [b"200"]
    third = loop.connect(GET % b"200" + END)
    assert (yield from got(first, second, third)) == [None, b"", b"200"]
    loop.threads.is_busy = True
    first.sendall(END)
    third.sendall(GET % b"200" + END)
    yield from got()
    fourth = loop.connect(GET % b"healthz" + END)
    assert (yield from got(fourth)) == [None]  # the kernel keeps it
    loop.threads.go()
    assert (yield from got(first, third, fourth)) == [b"200"] * 3


@played
def test_the_platform_is_answered_while_every_thread_is_busy(loop: Loop) -> Steps:
    loop.threads.is_busy = True
    waits, asks = loop.connect(GET % b"200" + END), loop.connect(GET % b"healthz" + END)
    assert (yield from got(waits, asks)) == [None, b"200"]
    loop.threads.go()
    assert (yield from got(waits)) == [b"200"]


@played
def test_the_answer_of_a_rate_limit_comes_later_and_its_connection_is_kept(loop: Loop) -> Steps:
    client = loop.connect(GET % b"429" + END + GET % b"200" + END)
    yield from got()
    for seconds, statuses in ((0.9, None), (2.2, b"429 200")):
        loop.ahead += seconds
        assert (yield from got(client)) == [statuses]


@pytest.mark.parametrize(
    ("sends", "seconds", "status", "missing"),
    [
        (b"", HEAD_SECONDS, b"", ""),
        (GET % b"200", HEAD_SECONDS, b"408", "head"),
        (b"POST /200 HTTP/1.1\r\nContent-Length: 5\r\n" + END + b"1234", BODY_SECONDS, b"408", "body"),
        (GET % b"200" + END, KEEPALIVE, b"", ""),
    ],
)
@played
def test_who_does_not_go_on_is_told_so_where_it_has_begun_and_closed(
    loop: Loop, caplog: pytest.LogCaptureFixture, sends: bytes, seconds: float, status: bytes, missing: str
) -> Steps:
    caplog.set_level("INFO", "gunicorn.error")
    client = loop.connect(sends)
    assert (yield from got(client)) == [b"200" if seconds == KEEPALIVE else None]
    loop.ahead += seconds - 0.5
    assert (yield from got(client)) == [None]
    loop.ahead += 0.6
    assert (yield from got(client)) == [status]
    assert loop.nr_conns == bool(status)  # it may still read
    loop.ahead += LINGER_SECONDS
    assert (yield from got(client)) == [b""]
    assert loop.nr_conns == 0
    assert caplog.messages == ([f"request timed out: missing={missing}"] if missing else [])


@played
def test_an_answer_goes_on_while_its_bytes_move_and_else_ends(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(Site, "answer", b"x" * 3_000_000)
    loop.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)  # else the kernel takes most of it
    reads, _stalls = (loop.connect(GET % b"200" + END) for _ in range(2))
    reads.setblocking(False)
    taken = b""
    for waits, connections, most in ((0, 2, 1_000_000), (3, 1, 2_000_000), (3, 1, 3_000_000)):
        loop.ahead += waits * BODY_SECONDS
        yield from [None] * 5
        assert loop.nr_conns == connections
        while len(taken.partition(b"\r\n\r\n")[2]) < most:
            try:
                taken += (part := reads.recv(100_000))
                assert part, "it was closed"
            except BlockingIOError:
                yield
    assert taken.endswith(b"\r\n\r\n" + Site.answer)


@played
def test_who_left_is_forgotten_a_half_answer_reset_refusals_read(loop: Loop, caplog: pytest.LogCaptureFixture) -> Steps:
    with loop.connect(GET % b"200"):
        yield from got()
    yield from got()
    assert loop.nr_conns == 0
    half = loop.connect(GET % b"short" + END)
    yield from got()
    with pytest.raises(ConnectionResetError):
        assert not (received(half) and received(half))
    for _ in range(MOST_LONG):
        loop.body_limits.admit_long()
    long = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % (LONG + 1)
    heads = {b"505": b"GET / HTTP/1.2\r\n" + END, b"400": b"GET / HTTP/1.1\r\n\r\n", b"503": long + END}
    loop.worker_connections = len(heads)
    refused = {status: loop.connect(head) for status, head in heads.items()}
    assert (yield from got(*refused.values())) == list(refused)
    for client in refused.values():
        client.sendall(b"more")  # which is dropped
    assert (yield from got(*refused.values())) == [b""] * 3
    assert loop.nr_conns == 3
    for client in refused.values():
        client.close()
    yield from got()
    assert loop.nr_conns == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", *["WARNING"] * 3]


@played
def test_without_descriptors_it_makes_room_or_pauses_and_says_so(loop: Loop, caplog: pytest.LogCaptureFixture) -> Steps:
    clients = [loop.connect(), loop.connect()]
    yield from got()
    for gone, said in ((1, 1), (2, 1), (2, 2)):
        assert loop.next_accept == 0
        loop.ahead += COMPLAINT_SECONDS * (said - 1)
        loop.make_room(OSError(errno.EMFILE, "too many"))
        assert [received(client) for client in clients].count(b"") == gone
        assert caplog.messages == ["connections cannot be accepted: [Errno 24] too many"] * said
    assert loop.next_accept > 0


@played
def test_while_it_stops_what_has_come_is_answered_and_its_connection_closed(loop: Loop) -> Steps:
    loop.worker_connections = 9
    kept, silent, begun = loop.connect(GET % b"200" + END), loop.connect(), loop.connect(GET % b"200")
    assert (yield from got(kept)) == [b"200"]
    loop.alive = False
    late = loop.connect(GET % b"200" + END)  # which the kernel has accepted
    assert (yield from got(late, late)) == [b"200", b""]
    with pytest.raises(ConnectionRefusedError):
        loop.connect()
    loop.ahead += STOP_SECONDS - 0.5
    kept.sendall(GET % b"200" + END)
    assert (yield from got(silent, kept, kept)) == [None, b"200", b""]
    loop.ahead += 0.6
    assert (yield from got(silent, begun)) == [b"", None]
    begun.sendall(END)
    assert (yield from got(begun, begun)) == [b"200", b""]
