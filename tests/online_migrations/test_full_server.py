"""Deploy on a server with the connections of a small plan, with one left or none, and through a pooler.

The numbers are README's for 20 connections: the processes of two releases side by side, and a release phase.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection

from app import create_app
from config import TestingConfig
from tests.backups.conftest import as_superuser, own_server
from tests.databases import HEAD, Environment, run, upgrade
from tests.live.conftest import PASSWORD, running_service
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.migrating import Database
from tests.pgbouncer import STRICT, needs_pgbouncer, pooler
from tests.waiting import wait_until

SLOTS, RESERVED = 20, 3  # for the service, and for the superuser besides
PROCESSES = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "3", "WORKER_THREADS": "1"}
WEB, WORKER = 2 * 3, 1 + 2  # connections
TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r'"
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'semicircle'"
DATABASE_LIMIT = "ALTER DATABASE semicircle CONNECTION LIMIT {}"

Take = Callable[..., None]
pytestmark = pytest.mark.servers


class Server(NamedTuple):
    url: str

    def connect(self, *, as_anybody: bool = True) -> connection:
        """Connect as the role of a service; or as the superuser, who may have reserved connections too."""
        opened = psycopg2.connect(self.url if as_anybody else as_superuser(self.url))
        opened.autocommit = True
        return opened

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return run(as_superuser(self.url), query)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    settings = (f"max_connections={SLOTS + RESERVED}", f"superuser_reserved_connections={RESERVED}")
    with own_server(18, *settings) as url:
        yield Server(url)


@pytest.fixture(scope="module")
def given(server: Server, server_environment: Environment) -> Environment:
    return {**server_environment, **PROCESSES, "DATABASE_URL": server.url}


@pytest.fixture(scope="module")
def app(given: Environment) -> Flask:
    return create_app(TestingConfig(given))


@pytest.fixture
def take(server: Server) -> Iterator[Take]:
    """Yield take(3), which keeps three connections until the end of the test."""
    with ExitStack() as taken:

        def take(connections: int, *, as_anybody: bool = True) -> None:
            for _ in range(connections):
                taken.enter_context(closing(server.connect(as_anybody=as_anybody)))

        yield take


def test_without_a_connection_a_release_says_so_and_changes_nothing(
    server: Server, given: Environment, app: Flask, take: Take, tmp_path: Path
) -> None:
    before = server.rows(TABLES)
    take(SLOTS)
    refused = OwnHistory(tmp_path / "checkout", given).ends(1, "db", "upgrade")
    assert "connection slots are reserved" in refused
    assert "No connection is left for the release, and nothing was changed. Stop a process" in refused
    assert "make dev" not in refused
    assert "Traceback" not in refused
    assert server.rows(TABLES) == before
    take(RESERVED, as_anybody=False)
    refused_for(app, "too many clients")


def refused_for(app: Flask, reason: str) -> None:
    asked = app.test_cli_runner().invoke(args=["release", "status"])
    assert asked.exit_code == 1
    assert reason in asked.stderr
    assert "No connection is left for the release" in asked.stderr


def test_a_limit_of_the_database_is_told_in_the_same_way(server: Server, app: Flask, take: Take) -> None:
    take(1)  # before the limit: a session that ends still counts for a moment
    server.rows(DATABASE_LIMIT.format(1))
    try:
        refused_for(app, "too many connections for database")
    finally:
        server.rows(DATABASE_LIMIT.format(-1))


def test_one_connection_is_enough_for_a_release(server: Server, given: Environment, take: Take, tmp_path: Path) -> None:
    """It checks what it did on the connection that it has. But nobody watches who waits for it."""
    take(SLOTS - 1)
    assert "cannot see who blocks" in OwnHistory(tmp_path / "checkout", given).ends(0, "db", "upgrade")
    assert server.rows("SELECT version_num FROM alembic_version") == [(HEAD,)]


@needs_pgbouncer
@pytest.mark.parametrize("ignored", [STRICT, f"{STRICT}, options"], ids=["strict", "ignoring options"])
def test_a_release_through_a_pooler_is_refused_and_by_a_direct_url_beside_it_succeeds(
    environment: Environment, database: Database, tmp_path: Path, ignored: str
) -> None:
    """A strict one does not take the settings that we send when we connect; the other takes and forgets them."""
    before = database.scalar(TABLES)
    with pooler(environment, ignored=ignored) as both:
        history = OwnHistory(tmp_path, both)
        history.forget_history()
        history.write_revision(1, "op.create_table('added', sa.Column('id', sa.BigInteger))")
        direct = history.environment["MIGRATION_DATABASE_URL"]
        history.environment["MIGRATION_DATABASE_URL"] = both["DATABASE_URL"]
        refused = history.ends(1, "db", "upgrade")
        assert "pooler" in refused
        assert "Set MIGRATION_DATABASE_URL to the database's direct URL" in refused
        assert "Traceback" not in refused
        assert database.scalar(TABLES) == before
        history.environment["MIGRATION_DATABASE_URL"] = direct
        history.ends(0, "db", "upgrade")
    assert database.scalar("SELECT to_regclass('added') IS NOT NULL")


def test_a_deploy_fits_into_twenty_connections(server: Server, given: Environment, take: Take, tmp_path: Path) -> None:
    """The old processes are so many connections here. No test follows: it leaves a schema ahead of ours."""
    upgrade(given)
    take(WEB + WORKER)
    with running_service(given, tmp_path) as new, ThreadPoolExecutor(50) as threads:
        browser = new.browser()
        assert browser.sign_up("haneul", PASSWORD).status == 302
        asked: list[Future[int]] = []

        def every_thread_has_its_connection() -> bool:
            if len(asked) < 45:
                asked.append(threads.submit(lambda: browser.get("/notes").status))
            return server.rows(SESSIONS) == [(2 * (WEB + WORKER),)]

        with closing(server.connect(as_anybody=False)) as holding, holding.cursor() as cursor:
            holding.autocommit = False
            cursor.execute("LOCK TABLE user_sessions IN ACCESS EXCLUSIVE MODE")  # so that each thread has to wait
            wait_until(every_thread_has_its_connection, "all of both deployments are open", within=15)
        history = OwnHistory(tmp_path / "checkout", given)
        history.write_revision(int(HEAD) + 1, "op.create_table('added', sa.Column('id', sa.BigInteger))")
        done = history.ends(0, "db", "upgrade")
        asked.append(threads.submit(lambda: browser.get("/notes").status))
        assert "cannot see who blocks" not in done  # it had its second connection, the twentieth
        assert {each.result() for each in asked} == {200}
        assert server.rows("SELECT to_regclass('added') IS NOT NULL") == [(True,)]
    for log in tmp_path.glob("*.log"):
        assert "connection slots" not in log.read_text(), log
        assert "too many" not in log.read_text(), log
