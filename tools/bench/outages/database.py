"""Take the database away, and ask every GET route, signed in and out, and a few POSTs, meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.dev import postgres
from tests.standby import make_primary, make_standby
from tools.bench.client import Client
from tools.bench.outages.visits import VISITORS, Outcome, Request, Visits, seconds_until_well
from tools.bench.service import query
from tools.bench.site import Site, frozen, own_things, routes

DATABASE = "semicircle"
WELL_WITHIN = 30.0  # seconds that are waited at most

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
def hanging(site: Site, seconds: float) -> Iterator[None]:
    with frozen(site.database):
        yield


@contextmanager
def read_only(site: Site, seconds: float) -> Iterator[None]:
    with _setting(site, "SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
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
def full(site: Site, seconds: float) -> Iterator[None]:
    """Leave no slot free; the site has lost those that it had."""
    with _setting(site, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"):
        yield


KINDS = {
    "database stopped": stopped,
    "database restarted": restarted,
    "database frozen": hanging,
    "database read-only": read_only,
    "database standby": standby,
    "database without free slots": full,
}


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
