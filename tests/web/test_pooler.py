"""Pages behind a strict PgBouncer that has one session of the server for all clients."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.accounts import hashing
from app.extensions import db
from app.transaction_settings import add_source
from tests.conftest import CHEAP_HASHER
from tests.databases import STATEMENT_TIMEOUT, Environment, migrated_database
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints

pytestmark = [pytest.mark.servers, needs_pgbouncer]

SESSION = (
    "SELECT pg_backend_pid(), current_setting('statement_timeout'),"
    " current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
)
SLEEP = text("SELECT pg_sleep(60)")


@pytest.fixture(scope="module")
def site(server_environment: Environment) -> Iterator[Site]:
    with (
        pytest.MonkeyPatch.context() as patch,
        migrated_database(server_environment) as environment,
        pooler(environment, sessions=1) as pooled,
    ):
        patch.setattr(hashing, "_hasher", CHEAP_HASHER)
        site = new_site(pooled)
        yield site
        with site.app.app_context():
            db.engine.dispose()


def next_client(site: Site) -> tuple[Any, ...]:
    """Return the process id of the server session that another client gets, and the settings there."""
    connection = psycopg2.connect(site.environment["DATABASE_URL"].replace("+psycopg2", ""))
    try:
        with connection.cursor() as cursor:
            cursor.execute(SESSION)
            [row] = cursor.fetchall()
            return tuple(row)
    finally:
        connection.close()


def test_every_page_is_answered_as_without_a_pooler(site: Site) -> None:
    seen = set()
    for method in ("GET", "POST"):
        browser, token = site.browser()
        for name, path in endpoints(site.app, method):
            answer = visit(browser, token, method, path)
            assert answer.status_code < 500, (method, name)
            seen.add((method, answer.status_code))
            browser, token = site.unharmed(browser, token)
    assert {("GET", 200), ("POST", 302)} <= seen


def test_a_statement_that_takes_too_long_is_cancelled_in_a_transaction_and_in_a_read(site: Site) -> None:
    """And nothing of it is left to the next client, who has the same session of the server."""
    limit = {"statement_timeout": "500ms", "application_name": "semicircle-web 4711"}
    sources: list[Any] = site.app.extensions["transaction_settings"]
    add_source(site.app, lambda: limit)
    try:
        for path in (None, "/notes"):
            with site.app.test_request_context(path) if path else site.app.app_context():
                pid = db.session.scalar(text("SELECT pg_backend_pid()"))
                with pytest.raises(OperationalError, match="statement timeout"):
                    db.session.execute(SLEEP)
                db.session.rollback()
    finally:
        sources.clear()
    assert next_client(site) == (pid, STATEMENT_TIMEOUT, "0", "semicircle-web")  # with which our pool connects
