"""A web server on loopback that sends exactly the bytes that a test wants, also such as break HTTP; and its fetches."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import pytest

from app.deadline import Deadline
from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import AllowedServers, FetchedPage, Visit
from tests.waiting import wait_until

Answer = bytes | Callable[[socket.socket], None]  # the bytes, or a function that sends them


def page(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write a response of HTML, or of the type that its headers name. It ends when the connection closes."""
    if not any(header.lower().startswith("content-type:") for header in headers):
        headers = ("Content-Type: text/html; charset=utf-8", *headers)
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def redirect(location: str | bytes, status: str = "302 Found") -> bytes:
    octets = location if isinstance(location, bytes) else location.encode()
    return f"HTTP/1.1 {status}\r\nLocation: ".encode() + octets + b"\r\n\r\n"


class PageServer(socketserver.ThreadingTCPServer):
    """Serves pages by path and query, else a 404, each connection in a thread and for one request.

    With `at_connect` it does that instead of reading a request.
    """

    def __init__(
        self,
        pages: Mapping[str, Answer],
        *,
        tls: ssl.SSLContext | None = None,
        at_connect: Callable[[socket.socket], None] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.pages = pages
        self.port: int = self.server_address[1]
        self.allowed: AllowedServers = frozenset({("127.0.0.1", self.port)})
        self.requests: list[str] = []  # the request line and headers of each, unchanged
        self.names: list[str | None] = []  # the server names of TLS handshakes (SNI)
        self.open_connections: set[socket.socket] = set()  # those that the client has not closed yet
        self._tls = tls
        self._at_connect = at_connect
        if tls:
            tls.sni_callback = lambda connection, name, context: self.names.append(name)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        for connection in list(self.open_connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()  # which waits for the threads

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls:
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self.open_connections.add(request)
        with contextlib.suppress(OSError), request:  # the client may hang up at any time
            self._answer(request)
        self.open_connections.discard(request)

    def _answer(self, connection: socket.socket) -> None:
        if self._at_connect:
            return self._at_connect(connection)
        if isinstance(connection, ssl.SSLSocket):
            connection.do_handshake()
        head = _read_head(connection)
        self.requests.append(head)
        answer = self.pages.get(head.split(" ")[1], page(b"nothing here", status="404 Not Found"))
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            answer(connection)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # until the client closes its side
            pass
        return None


def _read_head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            raise ConnectionAbortedError
        head += received
    return head.decode("latin-1")


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[PageServer]:
    with PageServer({"/": answer}) as server:
        yield server


@contextlib.contextmanager
def unresponsive(ip: str, port: int = 0) -> Iterator[int]:
    """Yield a port that never completes a connection, because its queue is full."""
    with socket.create_server((ip, port), backlog=0) as listener, socket.socket() as waiting:
        waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


def fetch(url: str, *, allowed_servers: AllowedServers = frozenset(), deadline_seconds: float = 5.0) -> FetchedPage:
    """Fetch one page, by a visit of its own."""
    with Deadline(deadline_seconds) as deadline:
        return Visit(allowed_servers, deadline).fetch(url)


def failure(server: PageServer, url: str | None = None, deadline: float = 5.0) -> FetchFailed:
    """Return the failure of a fetch, and check that no connection was left open."""
    failed = refusal(fetch, url or server.url(), allowed_servers=server.allowed, deadline_seconds=deadline)
    hung_up(server)
    return failed


def refusal(act: Callable[..., object], *arguments: object, **options: object) -> FetchFailed:
    """Return how it fails, which it must."""
    with pytest.raises(FetchFailed) as failed:
        act(*arguments, **options)
    return failed.value


def hung_up(server: PageServer) -> None:
    wait_until(lambda: not server.open_connections, "no connection is left open", within=5)
