"""Hold a client's connection: what it waits for, and until when; and all that wait, in the order of their waiting."""

import secrets
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from gunicorn import util
from gunicorn.config import Config

from http_server.refusals import Refused
from http_server.request_buffer import BodyLimits, Part, RequestBuffer
from http_server.response_buffer import ResponseBuffer

# Seconds. nginx's client_header_timeout is 60; Apache's mod_reqtimeout takes 20 to 40.
HEAD_SECONDS = 10.0
# A body and a response have these seconds, and more as long as bytes move at this rate (Apache's MinRate). A phone that
# sends 50 kB/s takes 105 s for the largest photo; one byte a second ends after 30.
BODY_SECONDS = 30.0
MIN_RATE = 10_000  # bytes a second
# A client that still sends when it is answered gets this long to read the answer (nginx's lingering_close). Without it
# the kernel answers its bytes with a reset, and the reset deletes what the client has not read.
LINGER_SECONDS = 20.0
LINGER_BYTES = 64 * 1024 * 1024
DISCARD_AT_ONCE = 64 * 1024

# The answer that a rate limit is reached is sent about this much later (tarpit). A refusal costs us some milliseconds,
# and clients that ask again after each answer would keep us busy with nothing else: 20 of them made pages 19 times
# slower (tools.bench.flood).
TARPIT_SECONDS = 2.0

TIMED_OUT = {
    Part.HEAD: "The headers of the request did not arrive in time.",
    Part.BODY: "The body of the request did not arrive in time.",
}


class State(Enum):
    """Name what a connection waits for."""

    IDLE = auto()  # kept alive: for the next request
    READING = auto()  # for the rest of a request
    WORKING = auto()  # for a thread
    HELD = auto()  # for the end of the tarpit's delay
    SENDING = auto()  # for the client to take the rest of the response
    LINGERING = auto()  # for the client to close its side


class Connection:
    """Read a request and send its answer. gunicorn's handle_request reads `sock`, `client` and `server`."""

    def __init__(self, config: Config, connection: socket.socket, client: Any, server: Any, limits: BodyLimits) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.client, self.server = client, server
        self._body_since: float | None = None
        self._begin_reading()
        self.is_kept_alive = False
        self.is_cut_off = False  # the answer failed behind its head
        self.watched_for = 0  # the events that the waiting room has registered
        self._config, self._limits = config, limits
        self._discarded = 0
        self._sending_since = 0.0
        self.incoming = RequestBuffer(config, client, limits)
        self.sock = ResponseBuffer(connection)

    def read(self) -> bool:
        """Take what has arrived of a request. Return whether the client may send more.

        Raises:
            OSError: the connection is broken.
            Refused: see refusals.py.
            Exception: gunicorn's parser refuses the request.
        """
        is_open = self.incoming.read_from(self.socket)
        if self.state is State.IDLE and self.incoming.received:
            self._begin_reading()
        self._after_reading()
        return is_open

    def await_request(self, keepalive: float) -> bool:
        """Start over, since the response is sent. Return and raise as `read`."""
        surplus = self.incoming.surplus
        self.incoming.close()
        self.sock.close()
        self.incoming = RequestBuffer(self._config, self.client, self._limits)
        self.sock = ResponseBuffer(self.socket)
        self.state, self.deadline = State.IDLE, time.monotonic() + keepalive
        if surplus:
            self._begin_reading()
            self.incoming.feed(surplus)
            self._after_reading()
        elif not self.watched_for:  # it has sent more while a thread worked for it: the next request, most likely
            return self.read()
        return True

    @property
    def has_begun(self) -> bool:
        """Tell whether a part of a request has arrived."""
        return self.state is State.READING and self.incoming.received > 0

    def _begin_reading(self) -> None:
        self.state, self.deadline = State.READING, time.monotonic() + HEAD_SECONDS
        self._body_since = None

    def _after_reading(self) -> None:
        if self.incoming.missing is not Part.BODY:
            return
        if self._body_since is None:
            self._body_since = time.monotonic()
            if self.incoming.expects_continue:
                self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.deadline = self._body_since + BODY_SECONDS + self.incoming.received / MIN_RATE

    def hold(self) -> None:
        """Delay the answer, with jitter: clients that were refused together do not come back together."""
        seconds = TARPIT_SECONDS * (0.5 + secrets.randbelow(1000) / 1000)
        self.state, self.deadline = State.HELD, time.monotonic() + seconds

    def begin_sending(self) -> None:
        self.state = State.SENDING
        self._sending_since = time.monotonic()
        self.extend_sending()

    def extend_sending(self) -> None:
        self.deadline = self._sending_since + BODY_SECONDS + self.sock.sent / MIN_RATE

    def linger(self) -> None:
        """Say that nothing follows, and wait for the client to do the same. Raises: OSError."""
        self.state, self.deadline = State.LINGERING, time.monotonic() + LINGER_SECONDS
        self.socket.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Drop what the client still sends. Return whether to go on."""
        try:
            data = self.socket.recv(DISCARD_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._discarded += len(data)
        return bool(data) and self._discarded < LINGER_BYTES

    def answer_timeout(self) -> bool:
        """Answer 408, unless the client has sent nothing: then it only opened the connection in advance."""
        if self.state is not State.READING or not self.incoming.received:
            return False
        try:
            util.write_error(self.socket, 408, "Request Timeout", TIMED_OUT[self.incoming.missing])
        except OSError:
            return False
        return True

    def answer_refusal(self, refusal: Refused) -> None:
        with suppress(OSError):  # the client is gone
            util.write_error(self.socket, refusal.status, refusal.reason, refusal.advice)

    def reset(self) -> None:
        """Close it so that the client cannot take a part of its answer for the whole.

        Of an answer with neither a length nor chunks an orderly end would say that it is whole (RFC 9112, section 8).
        """
        with suppress(OSError):  # the client was first
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # on, 0 seconds
        self.close()

    def close(self) -> None:
        self.incoming.close()
        self.sock.close()
        self.socket.close()


class WaitingRoom:
    """Keep the connections that wait for their clients. A connection is in here, or a thread works for it.

    Args:
        poller: of the worker's event loop.
    """

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        # In the order in which they began to wait, or last sent a byte.
        self._idle: dict[Connection, None] = {}
        self._others: dict[Connection, None] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._idle or connection in self._others

    def __iter__(self) -> Iterator[Connection]:
        yield from [*self._idle, *self._others]

    def __bool__(self) -> bool:
        return bool(self._idle or self._others)

    def add(self, connection: Connection, on_ready: Callable[[Connection], None]) -> None:
        """Call `on_ready` as soon as the client sends, or can take, bytes. One that is held waits for its time."""
        (self._idle if connection.state is State.IDLE else self._others)[connection] = None
        if connection.state is State.HELD:
            return
        events = selectors.EVENT_WRITE if connection.state is State.SENDING else selectors.EVENT_READ
        if connection.watched_for == events:
            return
        watch = self._poller.modify if connection.watched_for else self._poller.register
        watch(connection.socket, events, lambda _: self._call(connection, on_ready))
        connection.watched_for = events

    def _call(self, connection: Connection, on_ready: Callable[[Connection], None]) -> None:
        if connection in self and connection.state is not State.HELD:
            on_ready(connection)
        else:
            self.unwatch(connection)  # it has sent more, or is gone, while a thread works for it; epoll would repeat it

    def remove(self, connection: Connection) -> None:
        """Remove one, which stays registered since most come back soon: each epoll_ctl gives the GIL away."""
        self._idle.pop(connection, None)
        self._others.pop(connection, None)

    def unwatch(self, connection: Connection) -> None:
        """Unregister a connection, before it is closed."""
        if connection.watched_for:
            self._poller.unregister(connection.socket)
            connection.watched_for = 0

    def take_longest(self) -> Connection | None:
        """Remove the one that has waited longest, idle ones first; None when nobody waits."""
        longest = next(iter(self._idle or self._others), None)
        if longest:
            self.remove(longest)
        return longest

    def take_overdue(self) -> list[Connection]:
        """Remove all whose deadline is over."""
        now = time.monotonic()
        overdue = [connection for connection in self if connection.deadline <= now]
        for connection in overdue:
            self.remove(connection)
        return overdue
