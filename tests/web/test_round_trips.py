"""What a request costs on the wire: each round trip to PostgreSQL is a wait as long as the network is away."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event, make_url

from app.accounts import hashing
from app.extensions import db
from app.web import autocommit
from tests.conftest import CHEAP_HASHER
from tests.databases import Environment, migrated_database
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints


@dataclass
class Relay:
    environment: Environment  # whose DATABASE_URL leads through the relay
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


# Of a page: one for the session with its account, one for the page; before them, when the connection was idle for
# long, one that asks whether it still stands.
MOST, MOST_IDLE = 2, 3
WRITE = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|FOR UPDATE|FOR SHARE) ?\w*")
# Of a POST: the session, a token of the rate limit, BEGIN, the INSERT, COMMIT.
MOST_TO_CREATE = 5
IN_TRANSACTION = {"portability.export", "health.readyz"}


@pytest.fixture(scope="module")
def counted(server_environment: Environment) -> Iterator[Relay]:
    with migrated_database(server_environment) as environment, relay(environment) as counted:
        yield counted


@pytest.fixture(scope="module")
def site(counted: Relay) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_hasher", CHEAP_HASHER)
        site = new_site(counted.environment)
        yield site
    with site.app.app_context():
        db.engine.dispose()


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection that a request takes have been idle for long."""
    monkeypatch.setattr(autocommit, "TRUSTED_SECONDS", 0.0)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection that a request takes have been in use a moment ago."""
    monkeypatch.setattr(autocommit, "TRUSTED_SECONDS", 60.0)


@pytest.mark.usefixtures("idle")
def test_a_page_of_a_signed_in_reader_makes_three_round_trips_at_most(site: Site, counted: Relay) -> None:
    assert 0 < max(round_trips_of_pages(site, counted).values()) <= MOST_IDLE


@pytest.mark.usefixtures("busy")
def test_a_connection_that_was_just_in_use_is_not_asked_whether_it_stands(site: Site, counted: Relay) -> None:
    assert max(round_trips_of_pages(site, counted).values()) <= MOST


@pytest.mark.usefixtures("busy")
def test_a_session_that_the_server_has_ended_is_noticed_without_asking(site: Site, counted: Relay) -> None:
    """It has closed the socket. Else a restart would cost each busy process a request."""
    browser, token = site.browser()
    for method, expected in (("GET", 200), ("POST", 302)):
        visit(browser, token, "GET", "/notes")
        site.end_sessions()
        counted.wait_until_closed()
        assert visit(browser, token, method, "/notes").status_code == expected, method


def round_trips_of_pages(site: Site, counted: Relay) -> dict[str, int]:
    browser, token = site.browser()
    visit(browser, token, "GET", "/notes")  # notes the visit, once an hour
    seen = {}
    for name, path in endpoints(site.app, "GET"):
        before = counted.round_trips
        visit(browser, token, "GET", path)
        seen[name] = counted.round_trips - before
    return {name: trips for name, trips in seen.items() if name not in IN_TRANSACTION}


def test_a_get_takes_one_connection(site: Site) -> None:
    """The pool has one for each thread. Two for a request would let threads wait for each other."""
    taken = most = 0

    def take(*_connection: object) -> None:
        nonlocal taken, most
        taken += 1
        most = max(most, taken)

    def give_back(*_connection: object) -> None:
        nonlocal taken
        taken -= 1

    with site.app.app_context():
        event.listen(db.engine, "checkout", take)
        event.listen(db.engine, "checkin", give_back)
    for name, path in endpoints(site.app, "GET"):
        browser, token = site.browser()  # whose last visit is old, and is noted
        most = 0
        visit(browser, token, "GET", path)
        assert (most <= 1, taken) == (True, 0), name


def statements_of(site: Site) -> list[tuple[bool, str]]:
    """Record what is sent from now on, and whether in autocommit."""
    sent: list[tuple[bool, str]] = []

    def note(_connection: object, cursor: Any, statement: str, *_rest: object) -> None:
        sent.append((cursor.connection.autocommit, statement))

    with site.app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
    return sent


def test_a_get_begins_no_transaction_and_writes_one_row_at_most(site: Site) -> None:
    """Without a transaction, two statements that write could come apart."""
    browser, token = site.browser()
    sent = statements_of(site)
    for name, path in endpoints(site.app, "GET"):
        sent.clear()
        visit(browser, token, "GET", path)
        assert {autocommit for autocommit, _ in sent} <= {name not in IN_TRANSACTION}, name
        if name not in IN_TRANSACTION:
            writes = [WRITE.findall(statement) for _, statement in sent if WRITE.search(statement)]
            assert writes in ([], [["UPDATE user_sessions"]]), name


@pytest.mark.usefixtures("busy")
def test_creating_a_note_makes_five_round_trips(site: Site, counted: Relay) -> None:
    browser, token = site.browser()
    visit(browser, token, "POST", "/notes")
    before = counted.round_trips
    assert visit(browser, token, "POST", "/notes").status_code == 302
    assert counted.round_trips - before <= MOST_TO_CREATE


def test_a_post_is_a_transaction_as_soon_as_it_has_been_let_in(site: Site) -> None:
    """Before, it writes two single rows at most: when the session was last seen, and the bucket of the rate limit."""
    browser, token = site.browser()
    sent = statements_of(site)
    for name, path in endpoints(site.app, "POST"):
        sent.clear()
        visit(browser, token, "POST", path)
        alone = [statement for autocommit, statement in sent if autocommit]
        assert [statement for _, statement in sent][: len(alone)] == alone, name
        writes = [WRITE.findall(statement) for statement in alone if WRITE.search(statement)]
        assert [
            write for write in writes if write[0] not in ("UPDATE user_sessions", "INSERT INTO rate_limits")
        ] == [], name


def test_a_connection_goes_back_to_the_pool_as_it_came(site: Site) -> None:
    browser, token = site.browser()
    used: list[Any] = []
    sent = statements_of(site)
    with site.app.app_context():
        event.listen(db.engine, "checkin", lambda connection, _record: used.append(connection))
    visit(browser, token, "GET", "/notes")
    assert {autocommit for autocommit, _ in sent} == {True}
    assert (used[-1].autocommit, used[-1].reads_only) == (False, False)  # it is pinged, and who is next may write
    sent.clear()
    assert visit(browser, token, "POST", "/notes").status_code == 302
    assert [autocommit for autocommit, _ in sent] == [True, True, False]
