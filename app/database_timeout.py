"""A client-side timeout of the database, with a circuit breaker: a server that hangs must not hold our threads.

statement_timeout is kept by the server. One that is frozen, or behind a network that drops packets, does not keep it.
psycopg2 calls a wait callback instead of blocking, and there we can stop waiting.
"""

import os
import select
import socket
import threading
import time
from collections import defaultdict

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, STATUS_SETUP, connection, set_wait_callback

# Seconds; a reader has a 503 within five. In this mode libpq does not keep connect_timeout.
CONNECT_SECONDS = 3.0
# The pool pings a connection that was idle before a request uses it (pre-ping), and then tries a new one.
PING_SECONDS = 1.5
# A statement may take its 20 seconds, but after so many we ask whether the server is alive at all, and again each time.
PATIENCE_SECONDS = 2.0
PROBE_SECONDS = 1.5
STATEMENT_SECONDS = 21.0
# After a timeout one connection is tried in this time, and all others fail at once. Else each request would wait.
RETRY_SECONDS = 1.0

# A server answers it with one byte, before any sign-in (PostgreSQL 18, 54.7 Message Formats, SSLRequest).
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class CircuitBreaker:
    """Open after a timeout: connecting fails at once, but for one try in RETRY_SECONDS. A connection closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._next_try = 0.0

    def trip(self) -> None:
        with self._lock:
            self._is_open, self._next_try = True, time.monotonic() + RETRY_SECONDS

    def reset(self) -> None:
        with self._lock:
            self._is_open = False

    def admits(self) -> bool:
        with self._lock:
            if self._is_open and time.monotonic() < self._next_try:
                return False
            self._next_try = time.monotonic() + RETRY_SECONDS + CONNECT_SECONDS
            return True


# One for each server: that the follower hangs says nothing about the primary.
_breakers: defaultdict[str, CircuitBreaker] = defaultdict(CircuitBreaker)


def install(*, fails_fast: bool) -> None:
    """Install it for all connections of psycopg2 in this process from now on.

    With the circuit breaker (`fails_fast`) for the sake of readers; a job would rather wait for a new connection.
    """
    set_wait_callback(wait_or_fail_fast if fails_fast else wait)


class DatabaseTimeout(psycopg2.OperationalError):
    """The server does not answer. psycopg2 closes the connection."""


def wait(waiting: connection) -> None:
    """Wait until the server has answered. Raises: DatabaseTimeout; OperationalError where it refuses or is lost."""
    if waiting.status == STATUS_SETUP:
        _wait(waiting, CONNECT_SECONDS)
    elif waiting.autocommit and not getattr(waiting, "reads_only", False):  # app/web/autocommit.py marks its reads
        _wait(waiting, PING_SECONDS)  # SQLAlchemy pings in this mode
    else:
        _execute(waiting)


def wait_or_fail_fast(waiting: connection) -> None:
    """Wait as `wait` does, but let one connection at a time ask a server that did not answer a moment ago."""
    connects = waiting.status == STATUS_SETUP
    if connects and not _breakers[waiting.dsn].admits():
        raise psycopg2.OperationalError("the database did not answer a moment ago")
    try:
        wait(waiting)
    except DatabaseTimeout:
        _breakers[waiting.dsn].trip()
        raise
    except psycopg2.Error:
        if connects:
            _breakers[waiting.dsn].reset()  # a refusal is an answer
        raise
    if connects:
        _breakers[waiting.dsn].reset()


def _execute(waiting: connection) -> None:
    deadline = time.monotonic() + STATEMENT_SECONDS
    while not _is_done(waiting, PATIENCE_SECONDS):
        if time.monotonic() > deadline or not _is_alive(waiting):
            raise DatabaseTimeout("the database does not answer a statement")


def _wait(waiting: connection, seconds: float) -> None:
    if not _is_done(waiting, seconds):
        raise DatabaseTimeout(f"the database does not answer within {seconds} s")


def _is_done(waiting: connection, seconds: float) -> bool:
    """Return whether the server has answered within so many seconds."""
    deadline = time.monotonic() + seconds
    while (state := waiting.poll()) != POLL_OK:
        poll = select.poll()  # select() cannot watch descriptors above 1023
        poll.register(waiting.fileno(), EVENTS[state])
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
    return True


def _is_alive(waiting: connection) -> bool:
    """Return whether the server answers a new connection. Over a Unix socket: yes, without a look."""
    try:
        with socket.socket(fileno=os.dup(waiting.fileno())) as ours:  # its address: no name to look up
            family, address = ours.family, ours.getpeername()
        if family == socket.AF_UNIX:
            return True
        with socket.create_connection(address[:2], PROBE_SECONDS) as probe:
            probe.settimeout(PROBE_SECONDS)
            probe.sendall(SSL_REQUEST)
            return bool(probe.recv(1))
    except OSError:
        return False
