"""Break the database under every route: each answer is a page of ours, 503 where it is needed, and never a 500.

On a standby, as during a failover, pages are shown, and what would be saved is 503 with a sentence. It refuses more
than a read-only transaction does: its UNLOGGED tables cannot even be read.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from flask import Flask
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.jobs.connection import connector
from app.jobs.worker import _work
from tests.databases import Environment, upgrade
from tests.replica import make_standby
from tests.servers import folder_for_postgres
from tests.visitor import Visitor
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import IDS, PUBLIC, endpoints
from tools.dev import ports, postgres

METHODS = ("GET", "POST")
AWAY = "ALLOW_CONNECTIONS false"
# What a signed-in reader is answered without the database, besides pages that do not exist.
NEEDS_NONE = {("GET", "health.healthz"): 200, ("GET", "offline.offline"): 200, ("POST", "accounts.sign_in_again"): 302}
ANSWERS_503_ITSELF = {("GET", "health.readyz")}
STREAMED = "portability.export"  # what has begun is cut off, so that nobody takes it for a whole ZIP


@pytest.fixture
def site(migrated_environment: Environment) -> Iterator[Site]:
    site = new_site(migrated_environment)
    yield site
    site.settings_of_database("ALLOW_CONNECTIONS true", "RESET ALL")


def all_routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    for method in METHODS:
        for name, path in endpoints(app, method):
            yield method, name, path


def assert_is_ours(answer: TestResponse, what: object) -> None:
    """Check that an error is a page in the reader's language, with the headers of every answer."""
    assert answer.status_code != 500, what
    assert answer.headers["X-Request-ID"], what
    if answer.status_code >= 400 and not answer.is_json:
        assert '<html lang="ko">' in answer.text, what
        assert "세미서클" in answer.text, what


def test_a_signed_in_reader_gets_503_with_retry_after_on_every_route(site: Site) -> None:
    browser, token = site.browser()
    site.settings_of_database(AWAY)
    for method, name, path in all_routes(site.app):
        answer = visit(browser, token, method, path)
        assert_is_ours(answer, (method, name))
        assert answer.status_code == NEEDS_NONE.get((method, name), 503), (method, name)
        if answer.status_code == 503 and (method, name) not in ANSWERS_503_ITSELF:
            assert answer.headers["Retry-After"] == "5", (method, name)
            problem = visit(browser, token, method, path, accept="application/json")
            assert problem.content_type == "application/problem+json", (method, name)
            assert problem.get_json(force=True)["status"] == 503, (method, name)
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/notes", 405), ("GET", "/notes/0", 404)):
        answer = visit(browser, token, method, path)  # which need no database
        assert_is_ours(answer, path)
        assert answer.status_code == status


def test_a_stranger_is_still_sent_to_sign_in_and_sees_the_public_pages(site: Site) -> None:
    browser, token = site.stranger()
    site.settings_of_database(AWAY)
    for method, name, path in all_routes(site.app):
        answer = visit(browser, token, method, path)
        assert_is_ours(answer, (method, name))
        is_shared = method == "GET" and str(IDS["public_id"]) in path  # by some: the database is asked whether it is
        if name not in PUBLIC and not is_shared:
            assert (answer.location or "").startswith("/sign-in"), (method, name, answer.status_code)
    for path in ("/", "/sign-in", "/sign-up", "/manifest.webmanifest"):
        assert browser.get(path).status_code == 200, path


@pytest.mark.minutes
def test_a_restart_in_the_middle_of_a_request_is_503_once(site: Site) -> None:
    """At the first statement of its own: before it come the session and, in a POST, the rate limit."""
    browser, token = site.browser()
    for method, name, path in all_routes(site.app):
        statement = 1 if name in PUBLIC else 3 if method == "POST" else 2
        with site.dying_at_statement(statement), suppress(*[OperationalError] * (name == STREAMED)):
            assert_is_ours(visit(browser, token, method, path), (method, name, statement))
        browser, token = site.unharmed(browser, token)


def test_a_connection_that_is_lost_behind_an_answer_is_logged_and_the_next_page_comes(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    browser, token = site.browser()
    with site.dying_behind_the_answer():
        answer = browser.post("/todos", data={"csrf_token": token, "description": ""})
    assert (answer.status_code, "the connection was lost behind the answer" in caplog.text) == (422, True)
    assert browser.get("/todos").status_code == 200


def test_a_read_only_database_shows_pages_and_says_that_nothing_can_be_saved(site: Site) -> None:
    browser, token = site.browser()
    site.settings_of_database("SET default_transaction_read_only = on")
    assert visit(browser, token, "GET", "/notes").status_code == 200
    answer = visit(browser, token, "POST", "/notes")
    assert (answer.status_code, "지금은 저장할 수 없어요" in answer.text) == (503, True)
    assert browser.get("/readyz").get_json() == {"state": "read_only", "commit": None}
    site.settings_of_database("RESET ALL")
    assert browser.get("/readyz").get_json()["state"] == "at_head"


# The GETs that are 503: what says that nothing can be saved, what a rate limit counts, and who is about to sign in.
UNAVAILABLE = {"/readyz", "/mypage/export", "/sign-in/second-step"}


@dataclass
class Standby:
    site: Site
    alice: Visitor
    token: str  # of her forms
    before: dict[str, int]  # path: status of a GET, while the database was a primary


@pytest.fixture(scope="module")
def standby(server_environment: Environment) -> Iterator[Standby]:
    """Start a PostgreSQL of its own, since the run's server serves other tests."""
    with folder_for_postgres() as folder:
        [port] = ports.find_free(1)
        directory = folder / "postgres"
        server = postgres.start(directory, port, durable=False)
        try:
            environment = {**server_environment, "DATABASE_URL": postgres.url(port)}
            upgrade(environment)
            site = new_site(environment)
            browser, token = site.browser()
            before = {path: visit(browser, token, "GET", path).status_code for _, path in endpoints(site.app, "GET")}
            browser, token = site.browser()  # whose visit would be noted
            server.stop()
            make_standby(directory)
            server = postgres.start(directory, port, durable=False)
            site.app.extensions.pop("schema_state", None)  # as if CACHE_SECONDS had passed
            yield Standby(site, browser, token, before)
        finally:
            server.stop()


@pytest.mark.servers
def test_a_signed_in_reader_reads_every_page_that_saves_nothing(standby: Standby) -> None:
    for path, status in standby.before.items():
        answer = visit(standby.alice, standby.token, "GET", path)
        assert answer.status_code == (503 if path in UNAVAILABLE else status), path
        assert_is_ours(answer, path)


@pytest.mark.servers
def test_whatever_would_be_saved_is_503_with_retry_after_and_a_sentence(standby: Standby) -> None:
    stranger, strangers_token = standby.site.stranger()
    refused = set()
    for browser, token in ((standby.alice, standby.token), (stranger, strangers_token)):
        for method, name, path in all_routes(standby.site.app):
            answer = visit(browser, token, method, path)
            assert_is_ours(answer, (method, name))
            if answer.status_code >= 500 and name != "health.readyz":
                refused.add(name)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), (method, name)
                assert "지금은 저장할 수 없어요" in answer.text, (method, name)
    writes = {"notes.create", "todos.create", "accounts.sign_out", "portability.export"}
    writes |= {name for _, name, _ in all_routes(standby.site.app) if name.endswith(".create")}
    assert refused >= writes | {"accounts.sign_in", "accounts.sign_up"}


@pytest.mark.servers
@pytest.mark.parametrize("statement", [1, 2, 3])  # who is it, take a token, are you a standby
def test_a_standby_that_goes_away_in_the_middle_of_a_request_is_503(standby: Standby, statement: int) -> None:
    with standby.site.dying_at_statement(statement):
        answer = visit(standby.alice, standby.token, "POST", "/notes")
    assert_is_ours(answer, statement)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "지금은 저장할 수 없어요" not in answer.text  # it was lost, and who knows why


@pytest.mark.servers
def test_a_worker_finds_that_the_queue_does_not_answer_and_will_try_again(standby: Standby) -> None:
    with pytest.raises(ConnectorException):
        asyncio.run(_work(standby.site.app, connector(standby.site.app), []))
