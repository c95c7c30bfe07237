"""The response buffer sends at once, but for the answer that a rate limit is reached (tarpit)."""

import socket
from collections.abc import Iterator

import pytest

from http_server.response_buffer import ResponseBuffer

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
def test_429_is_kept_from_its_first_byte_until_it_is_flushed(
    buffered: Buffered, version: bytes
) -> None:
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
def test_every_other_answer_is_sent_at_once(buffered: Buffered, status: bytes) -> None:
    buffer, client = buffered
    head = b"HTTP/1.1 " + status + b"\r\nX: 429\r\n\r\n"
    buffer.sendall(head)
    buffer.sendall(b"429")
    assert client.recv(1000) == head + b"429"
    assert not buffer.is_held
    assert buffer.is_empty


def test_the_head_is_sent_with_the_beginning_of_the_body(buffered: Buffered) -> None:
    buffer, client = buffered
    buffer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(BlockingIOError):
        client.recv(1000)
    buffer.sendall(b"HTTP/1.1 429 is the body")
    assert client.recv(1000) == b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 429 is the body"
    assert not buffer.is_held


def test_an_answer_without_a_body_is_sent_when_it_is_flushed(buffered: Buffered) -> None:
    buffer, client = buffered
    buffer.sendall(b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n")
    assert buffer.flush()
    assert client.recv(1000) == b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n"
