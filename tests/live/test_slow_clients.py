"""Slow clients (Slowloris) hold no thread; what is too large is refused so that the client can read it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.live.conftest import Service, fetch

CLIENTS = 20  # twice as many as threads
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nContent-Type: text/plain\r\n"
GET = b"GET /sign-in HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"


@contextmanager
def connected(live: Service, first: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as client:
        client.sendall(first)
        yield client


def read_response(client: socket.socket) -> tuple[bytes, bytes]:
    """Return status and headers, and the body by its Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    [length] = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    while len(body) < int(length):
        body += client.recv(65536)
    return head, body


@pytest.mark.smoke
@pytest.mark.parametrize(
    "first",
    [GET + b"X: y", HEAD + b"Content-Length: 5000\r\n\r\ncont", b"", HEAD + b"Content-Length: 5000\r\n\r\n"],
    ids=["headers", "body", "silence", "silence after headers"],
)
def test_other_readers_are_answered_while_slow_clients_hold_connections(live: Service, first: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(connected(live, first))
        for _ in range(CLIENTS):
            assert [fetch(live.url + path, timeout=5).status for path in ("/healthz", "/sign-in")] == [200, 200]


def test_other_readers_are_answered_while_clients_do_not_read_their_responses(live: Service) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", live.port))
            client.sendall((GET + b"\r\n") * 100)
        assert live.browser().get("/sign-in").status == 200


@pytest.mark.parametrize("size", [100_000, 20 * 1024 * 1024])
def test_a_client_that_sends_too_much_reads_the_413_to_its_end(live: Service, size: int) -> None:
    with connected(live, HEAD + b"Content-Length: %d\r\n\r\n" % size) as client:
        client.sendall(b"x" * size)
        head, body = read_response(client)
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in head
        assert b"</html>" in body
        assert client.recv(1) == b""  # closed in order; a reset would raise


def test_a_client_that_asks_before_sending_too_much_is_spared_the_upload(live: Service) -> None:
    with connected(live, HEAD + b"Expect: 100-continue\r\nContent-Length: 7340032\r\n\r\n") as client:
        assert read_response(client)[0].startswith(b"HTTP/1.1 413 ")
