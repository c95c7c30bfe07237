"""Count the round trips of a request to PostgreSQL, each of which waits for the network; and ask behind a pooler."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.transaction_settings import add_source
from app.web import autocommit
from tests.databases import STATEMENT_TIMEOUT, Environment, migrated_database
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.silent_proxy import SilentProxy, silent_proxy
from tests.waiting import wait_until
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints

# Of a page: one for the session with its account, one for the page; before them, when the connection was idle for
# long, one that asks whether it still stands.
MOST, MOST_IDLE = 2, 3
WRITE = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|FOR UPDATE|FOR SHARE) ?\w*")
# Of a POST: the session, a token of the rate limit, BEGIN, the INSERT, COMMIT.
MOST_TO_CREATE = 5
IN_TRANSACTION = {"portability.export", "health.readyz"}


@pytest.fixture(scope="module")
def environment(server_environment: Environment) -> Iterator[Environment]:
    with migrated_database(server_environment) as environment:
        yield environment


@pytest.fixture(scope="module")
def counted(environment: Environment) -> Iterator[SilentProxy]:
    with silent_proxy(environment) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(environment: Environment, counted: SilentProxy) -> Iterator[Site]:
    site = new_site(counted.through(environment))
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
def test_a_page_of_a_signed_in_reader_makes_three_round_trips_at_most(site: Site, counted: SilentProxy) -> None:
    assert 0 < max(round_trips_of_pages(site, counted).values()) <= MOST_IDLE


@pytest.mark.usefixtures("busy")
def test_a_connection_that_was_just_in_use_is_not_asked_whether_it_stands(site: Site, counted: SilentProxy) -> None:
    assert max(round_trips_of_pages(site, counted).values()) <= MOST


@pytest.mark.usefixtures("busy")
def test_a_connection_that_was_closed_is_not_handed_out_again(migrated: Flask) -> None:
    with db.engine.connect() as connection:
        closed: Any = connection.connection.dbapi_connection
    closed.close()
    assert not autocommit.is_quiet(closed)
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.usefixtures("busy")
def test_a_session_that_the_server_has_ended_is_noticed_without_asking(site: Site, counted: SilentProxy) -> None:
    """It has closed the socket. Else a restart would cost each busy process a request."""
    browser, token = site.browser()
    for method, expected in (("GET", 200), ("POST", 302)):
        visit(browser, token, "GET", "/notes")
        site.end_sessions()
        # All but that of the administrator, who has ended the others.
        wait_until(lambda: [each.is_over for each in counted.connections].count(False) == 1, "the clients are told")
        assert visit(browser, token, method, "/notes").status_code == expected, method


def round_trips_of_pages(site: Site, counted: SilentProxy) -> dict[str, int]:
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
    taken: list[int] = []
    with site.app.app_context():
        pool: Any = db.engine.pool
        event.listen(db.engine, "checkout", lambda *_: taken.append(pool.checkedout()))
    for name, path in endpoints(site.app, "GET"):
        browser, token = site.browser()  # whose last visit is old, and is noted
        taken.clear()
        visit(browser, token, "GET", path)
        assert ({*taken} <= {1}, pool.checkedout()) == (True, 0), name


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
def test_creating_a_note_makes_five_round_trips(site: Site, counted: SilentProxy) -> None:
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
    with site.app.app_context():
        event.listen(db.engine, "checkin", lambda connection, _record: used.append(connection))
    visit(browser, token, "GET", "/notes")
    assert (used[-1].autocommit, used[-1].reads_only) == (False, False)  # it is pinged, and who is next may write


SESSION = (
    "SELECT pg_backend_pid(), current_setting('statement_timeout'),"
    " current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
)
SLEEP = text("SELECT pg_sleep(60)")


@pytest.fixture(scope="module")
def pooled(server_environment: Environment) -> Iterator[Site]:
    """Serve behind a strict PgBouncer that has one session of the server for all clients."""
    with migrated_database(server_environment) as environment, pooler(environment, sessions=1) as through:
        site = new_site(through)
        yield site
        with site.app.app_context():
            db.engine.dispose()


def next_client(pooled: Site) -> tuple[Any, ...]:
    """Return the process id of the server session that another client gets, and the settings there."""
    connection = psycopg2.connect(pooled.environment["DATABASE_URL"].replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
            [row] = cursor.fetchall()
            return tuple(row)
    finally:
        connection.close()


@pytest.mark.servers
@needs_pgbouncer
def test_every_page_is_answered_as_without_a_pooler(pooled: Site) -> None:
    seen = set()
    for method in ("GET", "POST"):
        browser, token = pooled.browser()
        for name, path in endpoints(pooled.app, method):
            answer = visit(browser, token, method, path)
            assert answer.status_code < 500, (method, name)
            seen.add((method, answer.status_code))
            browser, token = pooled.unharmed(browser, token)
    assert {("GET", 200), ("POST", 302)} <= seen


@pytest.mark.servers
@needs_pgbouncer
def test_a_statement_that_takes_too_long_is_cancelled_in_a_transaction_and_in_a_read(pooled: Site) -> None:
    """And nothing of it is left to the next client, who has the same session of the server."""
    limit = {"statement_timeout": "500ms", "application_name": "semicircle-web 4711"}
    sources: list[Any] = pooled.app.extensions["transaction_settings"]
    add_source(pooled.app, lambda: limit)
    try:
        for path in (None, "/notes"):
            with pooled.app.test_request_context(path) if path else pooled.app.app_context():
                pid = db.session.scalar(text("SELECT pg_backend_pid()"))
                with pytest.raises(OperationalError, match="statement timeout"):
                    db.session.execute(SLEEP)
                db.session.rollback()
    finally:
        sources.clear()
    assert next_client(pooled) == (pid, STATEMENT_TIMEOUT, "0", "semicircle-web")  # with which our pool connects
