"""A TCP proxy that falls silent: connections stay open, what is sent is taken, and nothing goes on.

So is a network that drops packets, a load balancer that has forgotten a connection, a proxy that hangs. The kernel
answers for the proxy, so TCP keepalives notice nothing.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import make_url

from tests.databases import Environment

TO_SERVER, TO_CLIENT = "to server", "to client"
BOTH = frozenset({TO_SERVER, TO_CLIENT})
READY = b"Z\0\0\0\5"  # ReadyForQuery


@dataclass
class Connection:
    ends: tuple[socket.socket, socket.socket]
    said: bytes = b""  # all that the client has sent
    is_answered: bool = True
    is_signed_in: bool = False  # the server takes statements
    is_over: bool = False  # the server has closed it, and the client was told
    silent: set[str] = field(default_factory=set)  # the directions in which nothing goes on any more


class SilentProxy:
    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connections: list[Connection] = []
        self.round_trips = 0  # questions that were answered before the next one
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._trap: tuple[bytes, str, bytes] | None = None
        self.trapped = threading.Event()

    def through(self, environment: Environment) -> Environment:
        """Return the environment with a DATABASE_URL that leads through the proxy."""
        url = make_url(environment["DATABASE_URL"]).set(host="localhost", port=self.port)
        return {**environment, "DATABASE_URL": url.render_as_string(hide_password=False)}

    def silence(self, directions: frozenset[str] = BOTH, which: Callable[[Connection], bool] = lambda _: True) -> int:
        """Fall silent on the open connections, and return how many there were. New ones work.

        So do those that are signing in. Where such a one falls silent, the server waits for it (authentication_timeout,
        60 s) and drops no database meanwhile (ProcSignalBarrier), so each other test would wait at its end.
        """
        silenced = [each for each in list(self.connections) if each.is_signed_in and which(each)]
        for connection in silenced:
            connection.silent |= directions
        return len(silenced)

    def silence_at(self, words: bytes, direction: str, after: bytes = b"") -> None:
        """Fall silent on the connection that says these words, once: they are the first that do not arrive.

        By then its client has said what `after` holds, from now on.
        """
        for connection in self.connections:
            connection.said = b""
        self._trap = (words, direction, after)
        self.trapped.clear()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop as by SIGSTOP: new connections wait too, and at the end all that was sent arrives."""
        self._goes_on.clear()
        try:
            yield
        finally:
            self._goes_on.set()

    def serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                self._goes_on.wait()
                try:
                    server = socket.create_connection(self._target)
                except OSError:  # it is away
                    client.close()
                    continue
                connection = Connection((client, server))
                self.connections.append(connection)
                for start in ((client, server, TO_SERVER, connection), (server, client, TO_CLIENT, connection)):
                    threading.Thread(target=self._pass_on, args=start, daemon=True).start()

    def close(self, serving: threading.Thread) -> None:
        """Close everything, first what `serve` listens at: it may just be connecting for a client."""
        self._goes_on.set()
        _close(self._listening)
        serving.join()
        for connection in self.connections:
            for end in connection.ends:
                _close(end)

    def _pass_on(self, source: socket.socket, target: socket.socket, direction: str, connection: Connection) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._goes_on.wait()
                if direction == TO_SERVER:
                    connection.said += data
                    self.round_trips += connection.is_answered
                connection.is_answered = direction == TO_CLIENT
                connection.is_signed_in |= READY in data
                if self._is_trapped(data, direction, connection):
                    self._trap = None
                    connection.silent |= BOTH
                    self.trapped.set()
                if direction not in connection.silent:
                    target.sendall(data)
            if not connection.silent:
                target.shutdown(socket.SHUT_WR)
        connection.is_over |= direction == TO_CLIENT

    def _is_trapped(self, data: bytes, direction: str, connection: Connection) -> bool:
        words, where, after = self._trap or (b"", "", b"")
        return where == direction and words in data and after in connection.said


def _close(ours: socket.socket) -> None:
    with suppress(OSError):
        ours.shutdown(socket.SHUT_RDWR)
    ours.close()


@contextmanager
def silent_proxy(environment: Environment) -> Iterator[SilentProxy]:
    """Run a proxy in front of the server of DATABASE_URL."""
    url = make_url(environment["DATABASE_URL"])
    proxy = SilentProxy((str(url.host), url.port or 5432))
    serving = threading.Thread(target=proxy.serve, daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.close(serving)
