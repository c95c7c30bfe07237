"""Take the database away, and ask every GET route, signed in and out, and a few POSTs, meanwhile."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.replica import make_primary, make_standby
from tools.bench.client import Answer, Client
from tools.bench.load import meanwhile
from tools.bench.service import query
from tools.bench.site import Site, frozen, own_things, routes
from tools.dev import postgres

DATABASE = "semicircle"
WELL_WITHIN = 30.0  # seconds that are waited at most
VISITORS = 4  # at once, each on connections of its own
CHECK_EVERY = 0.25  # seconds; a platform asks less often
EXPORT = "/mypage/export"
NO_RETRY_AFTER = {"/readyz", "/healthz"}  # a platform asks these again anyway

Request = tuple[str, str, dict[str, str]]  # method, path, fields of a form

FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/notes", {"title": "t", "content": "c"}),
    ("/todos", {"description": "d"}),
    ("/mypage/nickname", {"nickname": "renamed"}),
    ("/sign-in", {"email": "nobody@example.com", "password": "not a password"}),
    ("/sign-in/passkey/options", {}),
    ("/sign-up", {"email": "nobody@example.com"}),
    ("/forgot-password", {"email": "nobody@example.com"}),
)


@contextmanager
def stopped(site: Site, seconds: float) -> Iterator[None]:
    site.database.stop()
    yield
    site.start_database()


@contextmanager
def restarted(site: Site, seconds: float) -> Iterator[None]:
    """Restart it time and again, as long as the outage lasts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        site.database.stop()
        site.start_database()
    yield


@contextmanager
def standby(site: Site, seconds: float) -> Iterator[None]:
    """Put it into recovery, as what is left of the database during a failover."""
    site.database.stop()
    make_standby(site.folder / "postgres")
    site.start_database()
    yield
    site.database.stop()
    make_primary(site.folder / "postgres")
    site.start_database()


@contextmanager
def _setting(site: Site, setting: str, undo: str) -> Iterator[None]:
    """Change the database from another one, and end its sessions, since a setting counts for new ones."""
    _elsewhere(site, setting)
    yield
    _elsewhere(site, undo)


def _elsewhere(site: Site, setting: str) -> None:
    url = postgres.url(site.database_port).removesuffix(DATABASE) + "postgres"
    query(url, f"ALTER DATABASE {DATABASE} {setting}")
    query(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}'")


# Each takes the database away for the block; the one that restarts it does so for so many seconds.
KINDS: dict[str, Callable[[Site, float], AbstractContextManager[None]]] = {
    "database stopped": stopped,
    "database restarted": restarted,
    "database frozen": lambda site, _: frozen(site.database),
    "database read-only": lambda site, _: _setting(
        site, "SET default_transaction_read_only = on", "RESET default_transaction_read_only"
    ),
    "database standby": standby,
    # No slot is free; the site has lost those that it had.
    "database without free slots": lambda site, _: _setting(site, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"),
}


@dataclass
class Outcome:
    """Hold what came of the requests of one outage. Times are in seconds."""

    name: str
    answers: list[tuple[str, Answer]] = field(default_factory=list)  # with the path
    health: list[Answer] = field(default_factory=list)
    well_after: float = 0.0

    @property
    def bare(self) -> list[str]:
        """Return 500s, what gunicorn wrote itself, and requests without an answer, or without all of it.

        But an export that had begun is cut off, so that nobody takes it for whole.
        """
        return [
            f"{answer.status} {path}"
            for path, answer in self.answers
            if answer.status == 500 or not answer.is_ours or (answer.is_cut_off and path != EXPORT)
        ]

    @property
    def unavailable(self) -> int:
        return sum(answer.status == 503 for _, answer in self.answers)

    @property
    def no_retry_after(self) -> int:
        refused = ((path, answer) for path, answer in self.answers if answer.status == 503)
        return sum("Retry-After" not in answer.headers for path, answer in refused if path not in NO_RETRY_AFTER)

    @property
    def slowest(self) -> float:
        return max((answer.seconds for _, answer in self.answers), default=0.0)

    @property
    def slowest_path(self) -> str:
        return max(self.answers, key=lambda pair: pair[1].seconds)[0] if self.answers else ""

    @property
    def slowest_health(self) -> float:
        return max((answer.seconds for answer in self.health), default=0.0)

    @property
    def unhealthy(self) -> int:
        return sum(answer.status != 200 for answer in self.health)


class Visits:
    """Let clients go over the requests, again and again, each from a place of its own, until they are told to stop."""

    def __init__(self, outcome: Outcome, clients: Iterable[Client], requests: list[Request]) -> None:
        self._outcome, self._clients, self._requests = outcome, list(clients), requests
        self._unfinished = len(self._clients)
        self._lock = threading.Lock()
        self.all_seen = threading.Event()  # every client has sent every request once

    def running(self) -> AbstractContextManager[None]:
        return meanwhile(self._check, *(partial(self._visit, *pair) for pair in enumerate(self._clients)))

    def _visit(self, number: int, client: Client, stop: threading.Event) -> None:
        first = number * len(self._requests) // len(self._clients)
        order = self._requests[first:] + self._requests[:first]
        for method, path, fields in order:
            self._send(client, method, path, fields)
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished:
                self.all_seen.set()
        for method, path, fields in itertools.cycle(order):
            if stop.is_set():
                return
            self._send(client, method, path, fields)

    def _send(self, client: Client, method: str, path: str, fields: dict[str, str]) -> None:
        self._outcome.answers.append((path, client.request(method, path, fields=fields or None)))

    def _check(self, stop: threading.Event) -> None:
        client = Client(int(self._clients[0].url.rpartition(":")[2]))
        while not stop.wait(CHECK_EVERY):
            self._outcome.health.append(client.get("/healthz"))


def seconds_until_well(client: Client, path: str, within: float, in_a_row: int = 10) -> float:
    """Return the seconds until the first of `in_a_row` good answers; each web process has its own circuit breaker."""
    began = time.perf_counter()
    since, good = began, 0
    while good < in_a_row and time.perf_counter() - began < within:
        asked = time.perf_counter()
        if client.get(path).status == 200:
            since = since if good else asked
            good += 1
        else:
            good = 0
            time.sleep(0.02)
    return since - began if good else within


def measure(site: Site, name: str, seconds: float, number: int) -> Outcome:
    """Cause one outage for so many seconds, and longer if not every route was asked yet."""
    user = site.sign_up(f"reader{number}")
    first = site.client(user)
    ids = own_things(site, user)
    token = first.token()
    gets: list[Request] = [("GET", path, {}) for _, path in routes(site.app, "GET", ids)]
    posts: list[Request] = [("POST", path, {"csrf_token": token, **fields}) for path, fields in FORMS]
    signed_in = [first, *(first.copy() for _ in range(VISITORS // 2 - 1))]
    strangers = [Client(site.port) for _ in range(VISITORS // 2)]
    outcome = Outcome(name)
    for client in (*signed_in, *strangers):
        client.get("/notes")  # a connection is open, as it is for readers
    end = time.monotonic() + seconds
    visits = Visits(outcome, (*signed_in, *strangers), [*gets, *posts])
    with visits.running():
        with KINDS[name](site, seconds):
            time.sleep(max(0.0, end - time.monotonic()))
            if name != "database restarted":  # which is over as soon as it has happened
                visits.all_seen.wait(2 * seconds + 60)
        outcome.well_after = seconds_until_well(first, "/mypage", WELL_WITHIN)
    return outcome
