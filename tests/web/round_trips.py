"""A relay in front of PostgreSQL that counts round trips: how often a client sends after the server has answered."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import make_url

from tests.databases import Environment


@dataclass
class Relay:
    """
    Args:
        environment: with a DATABASE_URL that leads through the relay.
    """

    environment: Environment
    round_trips: int = 0
    threads: list[threading.Thread] = field(default_factory=list)  # two a session

    def serve(self, listener: socket.socket, server: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # the listener is closed: the test is over
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection(server)
                answered = threading.Event()
                answered.set()
                for pair in ((client, upstream, answered), (upstream, client, answered)):
                    thread = threading.Thread(target=self._forward, args=(*pair, pair[0] is client), daemon=True)
                    self.threads.append(thread)
                    thread.start()

    def wait_until_closed(self) -> None:
        """Wait until the clients, too, have been told of the sessions that the server has ended."""
        for thread in self.threads:
            thread.join()

    def _forward(
        self, source: socket.socket, target: socket.socket, answered: threading.Event, is_request: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not is_request:
                    answered.set()
                elif answered.is_set():
                    answered.clear()
                    self.round_trips += 1
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def relay(environment: Environment) -> Iterator[Relay]:
    url = make_url(environment["DATABASE_URL"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        through = url.set(host="127.0.0.1", port=listener.getsockname()[1]).render_as_string(hide_password=False)
        counted = Relay({**environment, "DATABASE_URL": through})
        server = (url.host or "127.0.0.1", url.port or 5432)
        threading.Thread(target=counted.serve, args=(listener, server), daemon=True).start()
        yield counted
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
