"""Real servers, a database for each worker, and a transaction for each test.

With DATABASE_URL or S3_BUCKET set, those servers are used; else embedded ones are started on free ports. A test works
in a transaction that is rolled back, or in a database of its own, so nothing of a developer's database is touched.
"""

import gc
import importlib.util
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy.orm import scoped_session, sessionmaker

from app import create_app, extensions
from app.accounts import hashing, sessions
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import User
from app.extensions import db
from app.follower import writes
from app.photos import decoding
from config import TestingConfig
from tests.bucket import object_keys
from tests.database import watching
from tests.databases import Environment, empty_database, migrated_database
from tests.servers import ServerProcess, ServersUnavailable, environment_of
from tests.silent_proxy import SilentProxy, silent_proxy
from tests.visitor import Visitor

PASSWORD = "a long enough sentence"
CLIENT = Client("203.0.113.7", "test")
# The browser tests, where the packages of requirements-check.txt are not installed.
collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["browser", "*/browser"]
# 0.1 ms a hash in place of 25. A hash of these parameters needs no rehash either, since this hasher checks for it.
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PRODUCTION_HASHER = hashing._hasher

# Markers that a folder or a fixture gives; other tests say what they need by a decorator. See pyproject.toml.
MARKERS_OF_FOLDERS = {"live": "servers", "dev": "servers"}
MARKERS_OF_FIXTURES = {"browser": "browser", "packages": "browser", "server_environment": "database"}
SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")  # the test's own isolation
SERVER_PROCESS = pytest.StashKey[ServerProcess]()


@pytest.hookimpl(tryfirst=True)  # before pytest looks which markers it was asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folders = item.path.relative_to(Path(__file__).parent).parts
        fixtures = getattr(item, "fixturenames", ())
        markers = [MARKERS_OF_FOLDERS.get(folders[0]), *map(MARKERS_OF_FIXTURES.get, fixtures)]
        if "browser" in folders and "site" in fixtures:  # other folders have a `site` that needs no browser
            markers.append("browser")
        if folders[0] == "online_migrations" and "database" in markers:
            markers.append("library")
        for marker in filter(None, markers):
            item.add_marker(marker)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Reset the level of the log, which an application that is not for tests sets for the process."""
    logging.getLogger().setLevel(logging.WARNING)


def pytest_configure() -> None:
    """Heed Ctrl-C, which some tests press. What a shell starts in the background ignores it, with its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which stay until the end, and let it run less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker of pytest-xdist, from the controller, where the servers are: all use the same."""
    node.workerinput["servers"] = str(server_process(node.config).folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """End the run before the first test where there are no servers. The controller does it, since a worker cannot."""
    environment_or_exit(server_process(node.config).folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore_glob:
        terminalreporter.write_line("SKIPPED tests/browser: needs playwright, which make check installs")


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVER_PROCESS in config.stash:
        config.stash[SERVER_PROCESS].stop()


def server_process(config: pytest.Config) -> ServerProcess:
    if SERVER_PROCESS not in config.stash:
        config.stash[SERVER_PROCESS] = ServerProcess()
    return config.stash[SERVER_PROCESS]


def environment_or_exit(folder: Path) -> Environment:
    try:
        return environment_of(folder)
    except ServersUnavailable as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def server_environment(pytestconfig: pytest.Config) -> Environment:
    """Return DATABASE_URL and S3_* of servers that stand for the whole run."""
    given = getattr(pytestconfig, "workerinput", {}).get("servers")
    return environment_or_exit(Path(given) if given else server_process(pytestconfig).folder)


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    """Yield an environment whose database is empty: no migration has run."""
    with empty_database(server_environment) as environment:
        yield environment


@pytest.fixture
def migrated_environment(server_environment: Environment) -> Iterator[Environment]:
    """Yield an environment whose database is at head, and empty otherwise."""
    with migrated_database(server_environment) as environment:
        yield environment


@pytest.fixture(scope="session")
def migrated_app(server_environment: Environment) -> Iterator[Flask]:
    """Yield the application on the database of this worker."""
    with migrated_database(server_environment) as environment:
        app = create_app(TestingConfig(environment))
        app.test_client_class = Visitor
        yield app


@pytest.fixture
def app(migrated_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Yield the application, in a transaction that is rolled back; what commits inside is a savepoint."""
    with migrated_app.app_context():
        connection = db.engine.connect()
    transaction = connection.begin()
    # On a busy machine a test may wait longer than any request, as for a process that counts words.
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    factory = sessionmaker(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
    session = scoped_session(factory)
    monkeypatch.setattr(db, "session", session)
    monkeypatch.setattr(extensions, "reading_connection", session.connection)
    monkeypatch.setattr(writes, "autocommit", nullcontext)
    yield migrated_app  # outside of its context: each request gets one of its own, with its own `g` and current_user
    session.remove()
    transaction.rollback()
    connection.close()


@pytest.fixture
def proxy(server_environment: Environment) -> Iterator[SilentProxy]:
    """Yield a proxy in front of the database server, which falls silent when a test says so."""
    with silent_proxy(server_environment) as proxy:
        yield proxy


@pytest.fixture
def migrated(migrated_environment: Environment) -> Iterator[Flask]:
    """Yield an application whose commits stay, for tests with several connections. It is in its context."""
    app = create_app(TestingConfig({**migrated_environment, "WEB_THREADS": "5"}))
    with app.app_context():
        yield app


@pytest.fixture(scope="session", autouse=True)
def own_decoder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make each worker of the tests a dyno of its own: a photo that another one decodes does not make it wait."""
    decoding.LOCK_FILE = tmp_path_factory.mktemp("decoder") / "lock"
    decoding.LOCK_FILE.touch()


@pytest.fixture(scope="session", autouse=True)
def cheap_hasher() -> None:
    hashing._hasher = CHEAP_HASHER


@pytest.fixture
def production_hasher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as in production, for the tests of that."""
    monkeypatch.setattr(hashing, "_hasher", PRODUCTION_HASHER)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Yield the statements that are sent to the database from now on, without those of the test's own isolation."""
    seen: list[str] = []

    ours = db.session.connection().connection.driver_connection

    def note(cursor: Any, statement: str, _parameters: object) -> None:
        if cursor.connection is ours and not statement.startswith(SAVEPOINTS):
            seen.append(statement)

    with watching(note):
        yield seen


@pytest.fixture
def client(app: Flask) -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    return client


@pytest.fixture
def sign_up(app: Flask) -> Callable[[str], User]:
    """Return a function: sign_up("alice") makes her account, with the password PASSWORD."""
    return lambda name: accounts.sign_up(f"{name}@example.com", name, PASSWORD)


@pytest.fixture
def alice(sign_up: Callable[[str], User]) -> User:
    return sign_up("alice")


@pytest.fixture
def bob(sign_up: Callable[[str], User]) -> User:
    return sign_up("bob")


@pytest.fixture
def signed_in(app: Flask, alice: User) -> Visitor:
    """Return Alice's browser."""
    return browser_of(app, alice)


@pytest.fixture
def objects(app: Flask) -> Iterator[set[str]]:
    """Yield the keys in the bucket before the test. What the test adds is deleted."""
    before = object_keys(app)
    yield before
    bucket = app.extensions["bucket"]
    for key in object_keys(app) - before:
        bucket.client.delete_object(Bucket=bucket.name, Key=key)


def browser_of(app: Flask, user: User, site: str = "http://localhost") -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    token, _id = sessions.start_session(user, Client("127.0.0.1", "test"), remember=False)
    with client.session_transaction(base_url=site) as cookie:
        cookie["token"] = token
    return client
