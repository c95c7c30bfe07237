"""Tracing: the request or job at work, with its request id (correlation id), and what it has cost so far (a span).

The access line, slow statements, the name of a database session and Sentry read it here. A span belongs to one thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter

WEB, WORKER = "web", "worker"
LONGEST_NAME = 63  # bytes; PostgreSQL cuts what is longer
IN_WSGI = "semicircle.span"  # where http_server/access_log.py finds it in the request


@dataclass(slots=True)
class Span:
    process: str  # WEB or WORKER
    request_id: str | None  # that of the request in which a job was deferred; None for a job that nobody asked for
    name: str | None = None  # of the task, or the rule of the route; None: no rule has the path
    account: int | None = None  # of who is signed in
    statements: int = 0  # sent to the database
    sql_seconds: float = 0.0  # until they and COMMIT were answered
    bucket_seconds: float = 0.0  # until object storage has answered


_current: ContextVar[Span | None] = ContextVar("span", default=None)


def begin(span: Span) -> None:
    _current.set(span)


def end() -> None:
    _current.set(None)


def current() -> Span | None:
    return _current.get()


def session_name() -> str | None:
    """Return the name of a database session that works for the request or job; None where nobody asked for it.

    It stands in pg_stat_activity, and in the server's own log.
    """
    span = _current.get()
    if span is None or span.request_id is None:
        return None
    return f"semicircle-{span.process} {span.request_id}"[:LONGEST_NAME]


def note_account(account: int) -> None:
    if span := _current.get():
        span.account = account


@contextmanager
def bucket_time() -> Iterator[None]:
    """Count what happens inside as a wait for object storage."""
    began = perf_counter()
    try:
        yield
    finally:
        if span := _current.get():
            span.bucket_seconds += perf_counter() - began
