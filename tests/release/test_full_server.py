"""Release on a server that has one connection left, or none, and through a pooler; foresee how many are needed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from config import TestingConfig
from tests.databases import HEAD, Environment
from tests.pgbouncer import STRICT, needs_pgbouncer, pooler
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database
from tests.small_server import SmallServer, small_server

SLOTS, RESERVED = 20, 3
ORDINARY = SLOTS - RESERVED
TABLES = "SELECT count(*) FROM pg_class WHERE relkind = 'r'"
DATABASE_LIMIT = "ALTER DATABASE semicircle CONNECTION LIMIT {}"

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with small_server(SLOTS, RESERVED) as server:
        yield server


@pytest.fixture(scope="module")
def given(server: SmallServer, server_environment: Environment) -> Environment:
    """Return README's numbers for a plan of 20 connections."""
    processes = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "3", "WORKER_THREADS": "1"}
    return {**server_environment, **processes, "DATABASE_URL": server.url}


@pytest.fixture(scope="module")
def app(given: Environment) -> Flask:
    return create_app(TestingConfig(given))


@pytest.fixture
def take(server: SmallServer) -> Iterator[Callable[..., None]]:
    """Yield take(3), which keeps three connections until the end of the test."""
    with ExitStack() as taken:

        def take(connections: int, role: str = "semicircle") -> None:
            for _ in range(connections):
                taken.enter_context(closing(server.connect(role)))

        yield take


def connections(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["release", "connections", *arguments])


def answer(app: Flask, *arguments: str) -> tuple[int, Any]:
    done = connections(app, *arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


def test_without_a_connection_a_release_says_so_and_changes_nothing(
    server: SmallServer, given: Environment, app: Flask, take: Callable[..., None], tmp_path: Path
) -> None:
    before = server.rows(TABLES)
    take(ORDINARY)
    refused = OwnHistory(tmp_path / "checkout", given).flask("db", "upgrade")
    assert refused.returncode == 1
    assert "connection slots are reserved" in refused.stderr
    assert "No connection is left for the release, and nothing was changed. Stop a process" in refused.stderr
    assert "make dev" not in refused.stderr
    assert "Traceback" not in refused.stderr
    assert server.rows(TABLES) == before
    take(RESERVED, "postgres")
    asked = connections(app)
    assert asked.exit_code == 1
    assert "too many clients" in asked.stderr
    assert "No connection is left for the release" in asked.stderr


def test_one_connection_is_enough_for_a_release(
    server: SmallServer, given: Environment, take: Callable[..., None], tmp_path: Path
) -> None:
    """It checks what it did on the connection that it has. But nobody watches who waits for it."""
    take(ORDINARY - 1)
    done = OwnHistory(tmp_path / "checkout", given).flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert "cannot see who blocks" in done.stderr
    with closing(server.connect("postgres")) as asking, asking.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        assert cursor.fetchall() == [(HEAD,)]


def test_too_few_for_a_deploy_are_told_before_and_fewer_processes_fit(app: Flask) -> None:
    code, found = answer(app)
    assert (code, found["ok"], found["needed"]) == (1, False, 2 * (2 * 3 + 1 + 2) + 2)
    [limit] = found["limits"]
    assert (limit["most"], limit["ours"], limit["others"]) == (ORDINARY, 0, 0)
    [finding] = found["findings"]
    assert f"needs 20 connections, and the server (max_connections, less what it reserves) has {ORDINARY}" in finding
    code, found = answer(app, "web=1", "worker=0")
    assert (code, found["needed"], found["findings"]) == (0, 2 * 6 + 2, [])
    done = connections(app, "worker=0")
    assert done.exit_code == 0
    assert "WEB_CONCURRENCY × WEB_THREADS = 2 × 3" in done.stdout
    assert "They suffice." in done.stdout


def test_sessions_of_others_count_and_a_release_needs_room_now(app: Flask, take: Callable[..., None]) -> None:
    take(ORDINARY - 2)
    code, found = answer(app, "web=0", "worker=0")
    assert (code, found["findings"]) == (0, [])
    assert found["in_use"] == [{"name": "without a name (not ours)", "sessions": ORDINARY - 2}]
    take(1)
    code, found = answer(app, "web=0", "worker=0")
    assert code == 1
    assert f"1 of {ORDINARY} connections" in found["findings"][1]


def test_a_limit_of_the_database_is_one_more(server: SmallServer, app: Flask, take: Callable[..., None]) -> None:
    server.rows(DATABASE_LIMIT.format(13))
    try:
        code, found = answer(app, "worker=0")
        take(1)
        server.rows(DATABASE_LIMIT.format(1))
        full = connections(app)
    finally:
        server.rows(DATABASE_LIMIT.format(-1))
    assert (code, [limit["most"] for limit in found["limits"]]) == (1, [ORDINARY, 13])
    assert [finding for finding in found["findings"] if "the database (CONNECTION LIMIT) has 13 for us" in finding]
    assert full.exit_code == 1
    assert "too many connections for database" in full.stderr
    assert "No connection is left for the release" in full.stderr


def test_behind_a_pooler_its_sessions_count_and_not_its_clients(given: Environment, server: SmallServer) -> None:
    pooled = {"DATABASE_URL": f"{server.url}?application_name=pooled", "MIGRATION_DATABASE_URL": server.url}
    app = create_app(TestingConfig({**given, **pooled}))
    code, found = answer(app, "web=9")
    assert (code, found["needed"], found["pool_unknown"]) == (0, 2 * 2 + 2, True)
    code, found = answer(app, "web=9", "--pool", "12")
    assert (code, found["needed"], found["pool_unknown"]) == (1, 2 * 2 + 2 + 12, False)


def test_a_scale_that_is_none_is_refused(app: Flask) -> None:
    for scale in ("web", "web=-1", "web=٢", "clock=1", "web=10000000", "web=1 web=2"):
        refused = connections(app, "--", *scale.split())
        assert (refused.exit_code, "flask release connections web=2" in refused.stderr) == (1, True)


@needs_pgbouncer
@pytest.mark.parametrize("ignored", [STRICT, f"{STRICT}, options"], ids=["strict", "ignoring options"])
def test_a_release_through_a_pooler_is_refused_and_by_a_direct_url_beside_it_succeeds(
    environment: Environment, database: Database, tmp_path: Path, ignored: str
) -> None:
    """A strict one does not take the settings that we send when we connect; the other takes and forgets them."""
    before = database.scalar(TABLES)
    with pooler(environment, ignored=ignored) as both:
        alone = {**both, "MIGRATION_DATABASE_URL": both["DATABASE_URL"]}
        refused = OwnHistory(tmp_path / "alone", alone).flask("db", "upgrade")
        assert refused.returncode == 1
        assert "pooler" in refused.stderr
        assert "Set MIGRATION_DATABASE_URL to the database's direct URL" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert database.scalar(TABLES) == before
        done = OwnHistory(tmp_path / "both", both).flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert database.scalar("SELECT to_regclass('users') IS NOT NULL")
