"""Deadlines of a connection, who makes room when there are too many, and what is sent at once or held (tarpit)."""

import selectors
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from http_server import connection as timing
from http_server.connection import Connection, WaitingRoom
from http_server.request_buffer import BodyLimits
from http_server.response_buffer import ResponseBuffer

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"


Ends = tuple[Connection, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yield a connection with its other end."""
    address, (ours, client) = ("127.0.0.1", 1), socket.socketpair()
    client.settimeout(5)
    connection = Connection(Config(), ours, address, address, BodyLimits(lambda _: 6_000_000))
    yield connection, client
    connection.close()
    client.close()


def test_a_byte_of_the_headers_gives_no_more_time(ends: Ends) -> None:
    connection, client = ends
    deadline = connection.deadline
    client.sendall(b"GET / HTTP/1.1\r\n")
    connection.read()
    assert connection.deadline == deadline
    assert connection.has_begun


@pytest.mark.parametrize(("sent", "seconds"), [(b"x" * timing.MIN_RATE, 1), (b"x", 1 / timing.MIN_RATE)])
def test_a_body_has_time_as_long_as_it_arrives_at_the_least_rate(ends: Ends, sent: bytes, seconds: float) -> None:
    connection, client = ends
    client.sendall(HEAD)
    connection.read()
    deadline = connection.deadline
    client.sendall(sent)
    connection.read()
    assert connection.deadline == pytest.approx(deadline + seconds, rel=1e-12)


def test_a_client_that_asks_is_told_at_each_request_to_send_the_body(ends: Ends) -> None:
    connection, client = ends
    for _ in range(2):
        client.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        connection.read()
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"x")
        connection.read()
        connection.await_request(5)


class Room(WaitingRoom):
    """Have the poller at hand, and whom it called."""

    def __init__(self, poller: selectors.BaseSelector) -> None:
        super().__init__(poller)
        self.poller = poller
        self.called: list[Connection] = []


@pytest.fixture
def room() -> Iterator[Room]:
    with selectors.DefaultSelector() as poller:
        yield Room(poller)


def dispatch(room: Room) -> int:
    """Run one round of the event loop, and return how many events it had."""
    events = room.poller.select(0)
    for key, _ in events:
        key.data(key.fileobj)
    return len(events)


def test_who_sends_while_a_thread_works_for_it_is_not_watched_until_it_waits_again(room: Room, ends: Ends) -> None:
    """Else epoll would report it again and again."""
    connection, client = ends
    room.add(connection, room.called.append)
    room.remove(connection)
    client.sendall(b"more")
    assert [dispatch(room), dispatch(room)] == [1, 0]
    assert room.called == []
    room.add(connection, room.called.append)
    assert dispatch(room) == 1
    assert room.called == [connection]


def test_one_that_comes_back_is_still_watched_and_one_that_is_closed_is_forgotten(room: Room, ends: Ends) -> None:
    connection, client = ends
    for _ in range(2):
        room.add(connection, room.called.append)
        client.sendall(b"more")
        assert dispatch(room) == 1
        connection.socket.recv(100)
        room.remove(connection)
        assert connection.watched_for == selectors.EVENT_READ
    assert len(room.called) == 2
    room.unwatch(connection)
    assert not room.poller.get_map()


def test_one_that_is_held_waits_for_its_time_though_its_client_has_gone(room: Room, ends: Ends) -> None:
    connection, client = ends
    room.add(connection, room.called.append)  # for the request, so it is watched
    room.remove(connection)
    connection.hold()
    room.add(connection, room.called.append)
    client.close()
    assert [dispatch(room), dispatch(room)] == [1, 0]
    assert (room.called, room.take_overdue()) == ([], [])
    assert not connection.watched_for
    connection.deadline = 0
    assert room.take_overdue() == [connection]
    assert not room


Buffered = tuple[ResponseBuffer, socket.socket]
BODY = b"Please wait."


@pytest.fixture
def buffered() -> Iterator[Buffered]:
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    buffer = ResponseBuffer(ours)
    yield buffer, client
    buffer.close()
    ours.close()
    client.close()


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_429_is_kept_from_its_first_byte_until_it_is_flushed(buffered: Buffered, version: bytes) -> None:
    buffer, client = buffered
    head = b"HTTP/" + version + b" 429 TOO MANY REQUESTS\r\n\r\n"
    buffer.sendall(head)
    buffer.sendall(BODY)
    assert buffer.is_held
    with pytest.raises(BlockingIOError):
        client.recv(1000)
    assert buffer.flush()
    assert client.recv(1000) == head + BODY


@pytest.mark.parametrize("status", [b"200 OK", b"422 UNPROCESSABLE"])
def test_any_other_answer_goes_at_once_its_head_with_the_start_of_the_body(buffered: Buffered, status: bytes) -> None:
    buffer, client = buffered
    head = b"HTTP/1.1 " + status + b"\r\nX: 429\r\n\r\n"
    buffer.sendall(head)
    with pytest.raises(BlockingIOError):
        client.recv(1000)
    buffer.sendall(b"HTTP/1.1 429 is the body")
    assert client.recv(1000) == head + b"HTTP/1.1 429 is the body"
    assert not buffer.is_held
    assert buffer.is_empty


def test_an_answer_without_a_body_is_sent_when_it_is_flushed(buffered: Buffered) -> None:
    buffer, client = buffered
    buffer.sendall(b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n")
    assert buffer.flush()
    assert client.recv(1000) == b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n"
