"""Whatever happens to the database, every answer is a page of ours: 503 where it is needed, and never a 500."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.accounts import hashing
from tests.conftest import CHEAP_HASHER
from tests.databases import Environment
from tests.samples import samples
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import PUBLIC, endpoints

METHODS = ("GET", "POST")
AWAY = ("ALLOW_CONNECTIONS false",)
# What a signed-in reader is answered without the database, besides pages that do not exist.
NEEDS_NONE = {("GET", "health.healthz"): 200, ("GET", "offline.offline"): 200, ("POST", "accounts.sign_in_again"): 302}
ANSWERS_503_ITSELF = {("GET", "health.readyz")}
STREAMED = ("GET", "portability.export")  # what has begun is cut off, so that nobody takes it for a whole ZIP

# A stranger may see what is shared, so the database is asked whether it is.
SHARED = {name for each in samples() for name in each.asks_before_sign_in}
WRITES = {name for each in samples() for name in each.writes}


@pytest.fixture
def site(migrated_environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    site = new_site(migrated_environment)
    yield site
    site.settings_of_database("ALLOW_CONNECTIONS true", "CONNECTION LIMIT -1", "RESET ALL")


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


@pytest.mark.parametrize("fault", [AWAY, ("CONNECTION LIMIT 0",)], ids=["refuses", "full"])
def test_a_signed_in_reader_gets_503_with_retry_after_on_every_route(site: Site, fault: tuple[str, ...]) -> None:
    browser, token = site.browser()
    site.settings_of_database(*fault)
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
    site.settings_of_database(*AWAY)
    for method, name, path in all_routes(site.app):
        answer = visit(browser, token, method, path)
        assert_is_ours(answer, (method, name))
        if name not in PUBLIC | SHARED:
            assert (answer.location or "").startswith("/sign-in"), (method, name, answer.status_code)
    for path in ("/", "/sign-in", "/sign-up", "/manifest.webmanifest"):
        assert browser.get(path).status_code == 200, path


def test_after_a_restart_every_route_answers_as_before(site: Site) -> None:
    for method, name, path in all_routes(site.app):
        browser, token = site.browser()
        if method == "GET":
            before = visit(browser, token, method, path).status_code
        site.end_sessions()  # the pool's connections are stale
        answer = visit(browser, token, method, path)
        assert_is_ours(answer, (method, name))
        assert answer.status_code == before if method == "GET" else answer.status_code < 500, (method, name)


@pytest.mark.parametrize("statement", [2, *(pytest.param(number, marks=pytest.mark.minutes) for number in (1, 4))])
def test_a_restart_in_the_middle_of_a_request_is_503_once(site: Site, statement: int) -> None:
    browser, token = site.browser()
    for method, name, path in all_routes(site.app):
        is_streamed = (method, name) == STREAMED
        with site.dying_at_statement(statement), suppress(*[OperationalError] * is_streamed):
            answer = visit(browser, token, method, path)
            assert_is_ours(answer, (method, name, statement))
        browser, token = site.unharmed(browser, token)


def test_a_connection_lost_behind_the_answer_leaves_the_answer_as_it_was(site: Site) -> None:
    browser, token = site.browser()
    for method, name, path in all_routes(site.app):
        if method == "GET":
            before = visit(browser, token, method, path).status_code
        is_streamed = (method, name) == STREAMED
        with site.dying_behind_the_answer(), suppress(*[OperationalError] * is_streamed):
            answer = visit(browser, token, method, path)
            assert_is_ours(answer, (method, name))
            if method == "GET":  # a POST may roll back in the middle, and is 503 then
                assert answer.status_code == before, name
        browser, token = site.unharmed(browser, token)


def test_a_read_only_database_shows_pages_and_says_that_nothing_can_be_saved(site: Site) -> None:
    browser, token = site.browser()
    before = {path: visit(browser, token, "GET", path).status_code for _, path in endpoints(site.app, "GET")}
    browser, token = site.browser()  # whose visit would be noted
    site.settings_of_database("SET default_transaction_read_only = on")
    site.app.extensions.pop("schema_state", None)  # as if CACHE_SECONDS had passed
    for path, status in before.items():
        expected = 503 if path in ("/readyz", "/mypage/export") else status  # exports are counted by their rate limit
        assert visit(browser, token, "GET", path).status_code == expected, path
    assert browser.get("/readyz").get_json() == {"state": "read_only", "commit": None}
    refused = set()
    for name, path in endpoints(site.app, "POST"):
        answer = visit(browser, token, "POST", path)
        assert_is_ours(answer, name)
        if answer.status_code == 503:
            refused.add(name)
            assert answer.headers["Retry-After"] == "5", name
            assert "지금은 저장할 수 없어요" in answer.text, name
    assert WRITES | {"notes.create", "todos.create", "accounts.sign_out"} <= refused
    site.settings_of_database("RESET ALL")
    assert browser.get("/readyz").get_json()["state"] == "at_head"
