"""Generate an open-loop HTTP load, in a process of its own.

Requests are due at a constant rate, whether or not earlier ones were answered. Latency counts from the due time. So a
stall is not hidden by requests that could not be sent (no coordinated omission).
"""

import http.client
import itertools
import multiprocessing
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple, Self
from urllib.parse import urlencode

GIVE_UP = 30  # seconds until a request counts as failed
# A third are writes. The reads alternate between the list and one note.
KINDS = ("list", "show", "create", "show", "list", "edit")
EXPECTED = {"list": 200, "show": 200, "create": 302, "edit": 302}
NO_ANSWER = 0


class Visitor(NamedTuple):
    """A signed-in browser."""

    user_id: int
    cookie: str
    csrf_token: str


class Answer(NamedTuple):
    """The result of a request. Times in seconds; `due` is on the monotonic clock, which all processes share."""

    due: float
    latency: float
    status: int
    kind: str
    mark: int  # of a created note: the number in its title; else the id of the note

    @property
    def is_failed(self) -> bool:
        return self.status != EXPECTED[self.kind] or self.latency > GIVE_UP


@dataclass(frozen=True)
class Plan:
    port: int
    visitors: list[Visitor]
    notes: int  # of which note n belongs to user (n - 1) % users + 1
    users: int
    # Requests a second; None: closed loop, each client sends its next request at once, to measure the maximum.
    rate: float | None
    certificate: Path | None = None  # of a server that speaks TLS, as a proxy does; None: it does not

    def connection(self) -> http.client.HTTPConnection:
        if self.certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=GIVE_UP)
        trusted = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=GIVE_UP, context=trusted)


class Traffic:
    """Send traffic from now until `stop()`."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run, args=(plan, theirs), daemon=True)
        self._process.start()
        self._pipe.recv()  # its first request is due now

    def stop(self) -> list[Answer]:
        """Stop; return the results of all requests that were due until now."""
        self._pipe.send(None)
        answers: list[Answer] = self._pipe.recv()
        self._process.join()
        return sorted(answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.join()


@dataclass
class Clock:
    """Keep the schedule: when requests are due, and when it ends."""

    rate: float | None
    start: float = field(default_factory=time.monotonic)
    end: float = float("inf")
    stopped: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def turns(self) -> Iterator[tuple[int, float]]:
        """Yield number and due time of the next requests, each as soon as it is due. All clients share one count."""
        for number in self.numbers:
            due = time.monotonic() if self.rate is None else self.start + number / self.rate
            if self.stopped.wait(max(0.0, due - time.monotonic())) and due > self.end:
                return
            yield number, due

    def stop(self) -> None:
        self.end = time.monotonic()
        self.stopped.set()


def run(plan: Plan, pipe: Connection) -> None:
    clock, answers = Clock(plan.rate), list[Answer]()
    clients = [threading.Thread(target=visit, args=(plan, visitor, clock, answers.append)) for visitor in plan.visitors]
    for client in clients:
        client.start()
    pipe.send(None)
    pipe.recv()
    clock.stop()
    for client in clients:
        client.join()
    pipe.send(answers)


def visit(plan: Plan, visitor: Visitor, clock: Clock, note: Callable[[Answer], None]) -> None:
    """Send one request after the other, as a browser on one keep-alive connection."""
    random = Random(visitor.user_id)
    own = range(visitor.user_id, plan.notes + 1, plan.users)
    unedited = iter(random.sample(own, len(own)))  # edits name version 1 (optimistic locking)
    connection = plan.connection()
    for number, due in clock.turns():
        kind = KINDS[number % len(KINDS)]
        mark = number if kind == "create" else next(unedited) if kind == "edit" else random.choice(own)
        try:
            status = request(connection, visitor, kind, mark)
        except (OSError, http.client.HTTPException):
            status = NO_ANSWER
            connection.close()
        note(Answer(due, time.monotonic() - due, status, kind, mark))


def request(connection: http.client.HTTPConnection, visitor: Visitor, kind: str, mark: int) -> int:
    """Send a request and read the whole answer; return the status. A redirect to sign-in counts as no answer."""
    headers = {
        "Cookie": visitor.cookie,
        "X-Forwarded-Proto": "https",
        "Referer": f"https://127.0.0.1:{connection.port}/",
    }
    if kind in ("list", "show"):
        connection.request("GET", "/notes" if kind == "list" else f"/notes/{mark}", headers=headers)
    else:
        fields = {
            "csrf_token": visitor.csrf_token,
            "title": title(mark),
            "content": "a line of text " * 6,
            "version": "1",
        }
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST", "/notes" if kind == "create" else f"/notes/{mark}", urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    lost = answer.status == 302 and not answer.headers["Location"].startswith("/notes")
    return NO_ANSWER if lost else answer.status


def title(mark: int) -> str:
    return f"bench {mark}"
