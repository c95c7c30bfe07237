"""A GET costs two SQL statements, the session with its user and the page's rows, and each reads a bounded number.

A search that finds nothing asks for what is one key away from it, and searches for that. The rows are those that
PostgreSQL says it read (EXPLAIN ANALYZE), for a reader who has thousands of everything. Each round trip of a request
waits for the network, so they are counted too.
"""

import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from flask import Flask, g
from psycopg.pq import TransactionStatus
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app import tracing
from app.accounts.models import User
from app.database import connection, engine
from app.extensions import db
from app.notes import listing
from app.notes.figures import TAGS_SHOWN, TRASH_COUNTED, list_tags
from tests.api.conftest import program_of
from tests.conftest import browser_of
from tests.database import watching
from tests.databases import STATEMENT_TIMEOUT, Environment, migrated_database
from tests.notes.lists import older_of
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.samples import samples
from tests.silent_proxy import SilentProxy, silent_proxy
from tests.visitor import Visitor
from tests.waiting import wait_until
from tests.web.conftest import MANY
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import PUBLIC, endpoints

# By the number of statements.
PATHS = {
    0: ["/healthz"],
    1: [
        *("/", "/mypage/edit", "/mypage/import", "/sign-in", "/sign-in/confirm?next=/mypage"),
        "/s/{shared}",  # nobody looks who reads it
    ],
    2: [
        *("/notes", "/notes?q=note", "/notes?q=nothing-like-it", "/notes?tag=tag", "/notes?day={today}"),
        *("/notes?tag=tag&all=1", "/notes/tags", "/notes/archive", "/notes/trash"),
        *("/notes/shared", "/notes/{note}", "/notes/{note}/edit", "/notes/{deleted}", "/notes/{archived}"),
        *("/notes/{note}/history", "/notes/{note}/history/1"),
        *("/todos?show=today", "/todos?show=done", "/todos?q=todo", "/todos/{todo}"),
        "/notes?q=%23tag",
        *("/mypage", "/mypage/devices", "/mypage/events", "/mypage/passkeys"),
    ],
    3: [
        *("/notes?before=0-1700000000000000-9", "/notes?tag=tag&before=0-1700000000000000-9"),  # no rows, so the
        *("/notes?q=nowhere", "/notes?day=2020-02-29"),  # figures are asked for alone
        *("/todos", "/todos?show=open", "/todos?sort=due&edit={todo}"),  # and what was done last
    ],
    4: ["/notes?q=ntoe"],
}
COSTS = {path: count for count, paths in PATHS.items() for path in paths}
COSTS |= {path: 2 for each in samples() for path in each.pages}

ROWS = 600  # the page of all tags reads TAGS_SHOWN of them, and any page some more
# What reads more, and what bounds it.
EXEMPT = {
    "/notes?q=note": "relevance is decided among the newest 1,000 notes",
    "/notes?q=ntoe": "so it is for the corrected word, which is looked for in the newest 1,000 notes",
    "/notes?q=nowhere": "its correction is looked for there too",
    "/todos?sort=due&edit={todo}": "no index has the order by due date: at most the quota of 20,000 todos is sorted",
    "/todos?q=todo": "no index has the words of todos: each of the quota is looked at",
    "/mypage": "the heat map counts the notes of its 26 weeks, from an index alone",
}
# By transactions before the test's own, which no statement of it takes for ended.
CHANGED = (
    "UPDATE {0} SET changed = 10 + id % 600",
    "INSERT INTO deletions (user_id, kind, changed, row_id)"
    " SELECT users.id, '{0}', 10 + n % 600, n + 1000000 FROM users, generate_series(1, 5000) n",
    "ANALYZE {0}, deletions",
)


def test_each_page_costs_a_fixed_number_of_statements_that_read_a_bounded_number_of_rows_and_its_figures_are_right(
    app: Flask, alice: User, ids: dict[str, Any], read: list[tuple[float, str]], statements: list[str]
) -> None:
    browser = browser_of(app, alice)
    older = older_of(browser.get("/notes").text)
    for path, count in {**COSTS, older: 2}.items():
        statements.clear()
        read.clear()
        assert browser.get(path.format_map(ids)).status_code == 200 or path in ("/", "/sign-in"), path
        assert len(statements) == count, (path, statements)
        most = max(read, default=(0, ""))
        # What is exempt would be refused: so the rows are really counted, and no exemption outlives its reason.
        assert (most[0] > ROWS) == (path in EXEMPT), (path, most)
    page = listing.list_notes(alice.id)
    assert (page.total, page.found, page.in_trash, page.in_archive) == (MANY, MANY, TRASH_COUNTED, 1000)
    assert (page.tags[0], len(list_tags(alice.id))) == (("tag", MANY), TAGS_SHOWN)


@pytest.mark.parametrize("kind", ["notes", "todos"])
def test_a_page_of_changes_is_one_statement_that_reads_a_bounded_number_of_rows(
    app: Flask, alice: User, kind: str, ids: dict[str, Any], read: list[tuple[float, str]], statements: list[str]
) -> None:
    program = program_of(app, alice)
    for statement in CHANGED:
        db.session.execute(text(statement.format(kind)))
    start, _, mark = program.get(f"/{kind}/changes").json["next"].partition(".")
    for place in ("0-1-0", f"0-1-{ids['todo'] // 2}", "0-2-0", "1-0-0", "300-0-0", "300-0-1", "630-0-0"):
        statements.clear()
        read.clear()
        since = "-".join([*start.split("-")[:3], place])
        answer = program.get(f"/{kind}/changes?updated_since={since}.{mark}")
        assert (answer.status_code, len(statements)) == (200, 2), place
        assert max(read)[0] <= ROWS, (place, max(read))


def test_a_list_of_todos_of_which_none_is_done_costs_two_statements(signed_in: Visitor, statements: list[str]) -> None:
    signed_in.get("/todos")
    assert len(statements) == 2


def test_a_public_page_for_an_anonymous_visitor_costs_no_statement(app: Flask, statements: list[str]) -> None:
    assert app.test_client().get("/sign-in").status_code == 200
    assert statements == []


# Of a page: one for the session with its account, one for the page; before them, when the connection was idle for
# long, one that asks whether it still stands.
MOST, MOST_IDLE = 2, 3
WRITE = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|FOR UPDATE|FOR SHARE) ?\w*")
# Of a POST: the session, a token of the rate limit, the INSERT.
MOST_TO_CREATE = 3
IN_ONE_STATEMENT = {"notes.create": [["INSERT INTO notes"]]}
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
def site(environment: Environment, counted: SilentProxy) -> Site:
    """Serve as after a while: a statement is prepared when it is sent again, which is one round trip more."""
    site = new_site(counted.through(environment))
    with site.app.app_context():
        event.listen(db.engine, "connect", lambda made, _record: setattr(made, "prepare_threshold", 1))
        db.engine.dispose()
    return site


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection that a request takes have been idle for long."""
    monkeypatch.setattr(engine, "TRUSTED_SECONDS", 0.0)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection that a request takes have been in use a moment ago."""
    monkeypatch.setattr(engine, "TRUSTED_SECONDS", 60.0)


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
    assert not engine.is_quiet(closed)
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
        for _ in range(2):
            visit(browser, token, "GET", path)
        before = counted.round_trips
        visit(browser, token, "GET", path)
        seen[name] = counted.round_trips - before
    return {name: trips for name, trips in seen.items() if name not in IN_TRANSACTION}


@pytest.fixture
def sent() -> Iterator[list[tuple[bool, str]]]:
    """Yield the statements that are sent from now on, and whether in autocommit."""
    seen: list[tuple[bool, str]] = []

    def note(cursor: Any, statement: str, _parameters: object) -> None:
        seen.append((cursor.connection.pgconn.transaction_status == TransactionStatus.IDLE, statement))

    with watching(note):
        yield seen


def test_a_get_takes_one_connection_begins_no_transaction_and_writes_one_row_at_most(
    site: Site, sent: list[tuple[bool, str]]
) -> None:
    """The pool has a connection for each thread: two for a request would let threads wait for each other. Without a
    transaction, two statements that write could come apart.
    """
    taken: list[int] = []
    with site.app.app_context():
        pool: Any = db.engine.pool
        event.listen(db.engine, "checkout", lambda *_: taken.append(pool.checkedout()))
    for name, path in endpoints(site.app, "GET"):
        browser, token = site.browser()  # whose last visit is old, and is noted
        taken.clear()
        sent.clear()
        visit(browser, token, "GET", path)
        assert ({*taken} <= {1}, pool.checkedout()) == (True, 0), name
        assert {autocommit for autocommit, _ in sent} <= {name not in IN_TRANSACTION}, name
        if name not in IN_TRANSACTION:
            writes = [WRITE.findall(statement) for _, statement in sent if WRITE.search(statement)]
            assert writes in ([], [["UPDATE user_sessions"]]), name


@pytest.mark.usefixtures("busy")
def test_creating_a_note_makes_three_round_trips(site: Site, counted: SilentProxy) -> None:
    browser, token = site.browser()
    for _ in range(2):
        visit(browser, token, "POST", "/notes")
    before = counted.round_trips
    assert visit(browser, token, "POST", "/notes").status_code == 302
    assert counted.round_trips - before <= MOST_TO_CREATE


def test_a_post_is_a_transaction_as_soon_as_it_has_been_let_in(site: Site, sent: list[tuple[bool, str]]) -> None:
    """Before, it writes two single rows at most: when the session was last seen, and the bucket of the rate limit."""
    for name, path in endpoints(site.app, "POST"):
        browser, token = site.browser()  # one that is signed in, whatever the last form did
        sent.clear()
        visit(browser, token, "POST", path)
        assert any("FROM users JOIN user_sessions" in statement for _, statement in sent) or name in PUBLIC, name
        alone = [statement for autocommit, statement in sent if autocommit]
        assert [statement for _, statement in sent][: len(alone)] == alone, name
        writes = [WRITE.findall(statement) for statement in alone if WRITE.search(statement)]
        allowed = [["UPDATE user_sessions"], ["INSERT INTO rate_limits"], *IN_ONE_STATEMENT.get(name, [])]
        assert [write for write in writes if write[:1] not in allowed] == [], name


def test_a_connection_goes_back_to_the_pool_as_it_came(site: Site) -> None:
    browser, token = site.browser()
    used: list[Any] = []
    with site.app.app_context():
        event.listen(db.engine, "checkin", lambda connection, _record: used.append(connection))
    visit(browser, token, "GET", "/notes")
    assert not used[-1].reads_only  # who is next may write


SESSION = (
    "SELECT pg_backend_pid(), current_setting('statement_timeout'),"
    " current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
)
NAMED = text("SELECT current_setting('statement_timeout'), current_setting('application_name')")
SLEEP = text("SELECT pg_sleep(60)")


@pytest.fixture(scope="module")
def pooled(server_environment: Environment) -> Iterator[Site]:
    """Serve behind a strict PgBouncer that has one session of the server for all clients."""
    with migrated_database(server_environment) as environment, pooler(environment, sessions=1) as through:
        yield new_site(through)


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
def test_a_statement_that_takes_too_long_is_cancelled_in_a_transaction_and_in_a_read(
    pooled: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of it is left to the next client, who has the same session of the server."""
    for name in ("_LOCAL", "_NAME_LOCAL"):
        monkeypatch.setattr(connection, name, getattr(connection, name).replace("20s", "500ms"))
    tracing.begin(tracing.Span(tracing.WEB, "4711"))
    for in_autocommit in (True, False):
        with pooled.app.app_context():
            g.in_autocommit = in_autocommit
            assert db.session.execute(NAMED).one() == ("500ms", "semicircle-web 4711")
            pid = db.session.scalar(text("SELECT pg_backend_pid()"))
            with pytest.raises(OperationalError, match="statement timeout"):
                db.session.execute(SLEEP)
    tracing.end()
    assert next_client(pooled) == (pid, STATEMENT_TIMEOUT, "0", "semicircle-web")  # with which our pool connects
