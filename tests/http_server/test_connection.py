"""Deadlines of a connection: a phone on a poor network has time, a client that only holds the connection has not."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from http_server import connection as timing
from http_server.body_limits import BodyLimits
from http_server.connection import Connection, State

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    ours, client = socket.socketpair()
    client.settimeout(5)
    connection = Connection(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2), BodyLimits(lambda _: 6_000_000))
    yield connection, client
    connection.close()
    client.close()


def test_a_byte_of_the_headers_gives_no_more_time(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    deadline = connection.deadline
    client.sendall(b"GET / HTTP/1.1\r\n")
    connection.read()
    assert connection.deadline == deadline
    assert connection.has_begun


def test_a_body_has_time_as_long_as_it_arrives_at_the_least_rate(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    client.sendall(HEAD)
    connection.read()
    deadline = connection.deadline
    client.sendall(b"x" * timing.MIN_RATE)
    connection.read()
    assert connection.deadline == pytest.approx(deadline + 1)


def test_a_byte_of_the_body_gives_hardly_more_time(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    client.sendall(HEAD)
    connection.read()
    deadline = connection.deadline
    client.sendall(b"x")
    connection.read()
    assert connection.deadline < deadline + 0.001


def test_a_request_that_was_begun_is_answered_408(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    client.sendall(HEAD)
    connection.read()
    assert connection.answer_timeout()
    answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close\r\n" in answer


def test_a_connection_opened_in_advance_is_closed_without_an_answer(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    assert not connection.answer_timeout()
    connection.close()
    assert client.recv(1000) == b""


def test_a_client_that_asks_is_told_to_send_the_body(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    client.sendall(HEAD.replace(b"Host", b"Expect: 100-continue\r\nHost"))
    connection.read()
    assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_a_client_that_reads_slowly_gets_all_of_the_response(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    response = bytes(range(256)) * 20_000
    connection.sock.sendall(response[:1000])
    connection.sock.sendall(response[1000:])
    connection.begin_sending()
    assert connection.state is State.SENDING
    received = b""
    while not connection.sock.flush():
        received += client.recv(100_000)
    while len(received) < len(response):
        received += client.recv(100_000)
    assert received == response
