"""On a standby, as during a failover, pages are shown, and what would be saved is 503 with a sentence.

A standby refuses more than a read-only transaction does: its UNLOGGED tables cannot even be read.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from procrastinate.exceptions import ConnectorException

from app.extensions import db
from app.jobs.connection import connector
from app.jobs.worker import _work
from tests.databases import Environment, upgrade
from tests.replica import make_standby
from tests.servers import folder_for_postgres
from tests.visitor import Visitor
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints
from tests.web.test_database_faults import WRITES, all_routes, assert_is_ours
from tools.dev import ports, postgres

pytestmark = pytest.mark.servers

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
            with site.app.app_context():
                db.engine.dispose()
        finally:
            server.stop()


def test_a_signed_in_reader_reads_every_page_that_saves_nothing(standby: Standby) -> None:
    for path, status in standby.before.items():
        answer = visit(standby.alice, standby.token, "GET", path)
        assert answer.status_code == (503 if path in UNAVAILABLE else status), path
        assert_is_ours(answer, path)


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
    writes = {"notes.create", "todos.create", "accounts.sign_out", "portability.export", *WRITES}
    assert refused >= writes | {"accounts.sign_in", "accounts.sign_up"}


@pytest.mark.parametrize("statement", [1, 2, 3])  # who is it, take a token, are you a standby
def test_a_standby_that_goes_away_in_the_middle_of_a_request_is_503(standby: Standby, statement: int) -> None:
    with standby.site.dying_at_statement(statement):
        answer = visit(standby.alice, standby.token, "POST", "/notes")
    assert_is_ours(answer, statement)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "지금은 저장할 수 없어요" not in answer.text  # it was lost, and who knows why


def test_a_worker_finds_that_the_queue_does_not_answer_and_will_try_again(standby: Standby) -> None:
    with pytest.raises(ConnectorException):
        asyncio.run(_work(standby.site.app, connector(standby.site.app), []))
