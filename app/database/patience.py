"""A client-side timeout of the database, with a circuit breaker: a server that hangs must not hold our threads.

statement_timeout is kept by the server. One that is frozen, or behind a network that drops packets, does not keep it.
"""

import os
import socket
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg

# Seconds; a reader has a 503 within five. libpq keeps it, and so it is a whole number.
CONNECT_SECONDS = 3
# The pool pings a connection that was idle before a request uses it (pre-ping), and then tries a new one.
PING_SECONDS = 1.5
# A statement may take its 20 seconds, but after so many we ask whether the server is alive at all, and again each time.
PATIENCE_SECONDS = 2.0
PROBE_SECONDS = 1.5
STATEMENT_SECONDS = 21.0
LOOK_EVERY = 0.25  # how often a thread that waits looks at the clock
# After a timeout one connection is tried in this time, and all others fail at once. Else each request would wait.
RETRY_SECONDS = 1.0

# A server answers it with one byte, before any sign-in (PostgreSQL 18, 54.7 Message Formats, SSLRequest).
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class DatabaseTimeout(psycopg.OperationalError):
    """The server does not answer. The connection is closed."""


class CircuitBreaker:
    """Open after a timeout: connecting fails at once, but for one try in RETRY_SECONDS. A connection closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._next_try = 0.0

    def trip(self) -> None:
        with self._lock:
            self._is_open, self._next_try = True, monotonic() + RETRY_SECONDS

    def reset(self) -> None:
        with self._lock:
            self._is_open = False

    def admits(self) -> bool:
        with self._lock:
            if self._is_open and monotonic() < self._next_try:
                return False
            self._next_try = monotonic() + RETRY_SECONDS + CONNECT_SECONDS
            return True


# One for each server: that the follower hangs says nothing about the primary.
breakers: defaultdict[Hashable, CircuitBreaker] = defaultdict(CircuitBreaker)
_fails_fast = False


def fail_fast() -> None:
    """Use the circuit breaker in this process, for the sake of readers; a job would rather wait for a connection."""
    global _fails_fast
    _fails_fast = True


@contextmanager
def connecting(server: Hashable) -> Iterator[None]:
    """Let one connection at a time ask a server that did not answer a moment ago. Raises: OperationalError."""
    breaker = breakers[server]
    if _fails_fast and not breaker.admits():
        raise psycopg.OperationalError("the database did not answer a moment ago")
    try:
        yield
    except psycopg.errors.ConnectionTimeout:
        breaker.trip()
        raise
    except psycopg.Error:
        breaker.reset()  # a refusal is an answer
        raise
    breaker.reset()


def is_alive(descriptor: int) -> bool:
    """Return whether the server answers a new connection. Over a Unix socket: yes, without a look."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as ours:  # its address: no name to look up
            family, address = ours.family, ours.getpeername()
        if family == socket.AF_UNIX:
            return True
        with socket.create_connection(address[:2], PROBE_SECONDS) as probe:
            probe.settimeout(PROBE_SECONDS)
            probe.sendall(SSL_REQUEST)
            return bool(probe.recv(1))
    except OSError:
        return False
