"""Real servers and an isolated database for every test.

With DATABASE_URL or S3_BUCKET set, those servers are used; else embedded ones are started on free ports. Each test runs
in a transaction that is rolled back, in a schema of its own that the migrations built, so nothing of a developer's
database is touched.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import scoped_session, sessionmaker

from app import create_app
from app.accounts import service as accounts
from app.accounts import sessions
from app.accounts.models import User
from app.extensions import db
from config import TestingConfig
from tests import servers
from tests.bucket import object_keys
from tests.visitor import Visitor

PASSWORD = "a long enough sentence"

Environment = dict[str, str]


@pytest.hookimpl(tryfirst=True)  # before pytest looks which markers it was asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works on the servers, so that `-m servers` leaves out what would say the same on any other."""
    for item in items:
        if "server_environment" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def server_environment() -> Iterator[Environment]:
    """DATABASE_URL and S3_* of servers that stand for the whole run.

    Their folder is not one of pytest's: PostgreSQL does not run as root, and pytest closes its folders to all others
    each time that it starts, also while another run is under way.
    """
    folder = tempfile.TemporaryDirectory(prefix="semicircle-", ignore_cleanup_errors=True)
    with folder, servers.running(Path(folder.name), os.environ) as environment:
        yield {"SECRET_KEY": secrets.token_hex(32), **environment}


@contextmanager
def scratch_schema(environment: Environment) -> Iterator[Environment]:
    """The environment with a schema of its own as the only one on the search path. Needs no right to make databases."""
    url = make_url(environment["DATABASE_URL"].replace("postgres://", "postgresql://")).set(
        drivername="postgresql+psycopg2"
    )
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    scratch_url = url.update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield {**environment, "DATABASE_URL": scratch_url.render_as_string(hide_password=False)}
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@pytest.fixture
def environment(server_environment: Environment) -> Iterator[Environment]:
    """An environment whose database is empty: no migration has run."""
    with scratch_schema(server_environment) as environment:
        yield environment


@pytest.fixture(scope="session")
def migrated_app(server_environment: Environment) -> Iterator[Flask]:
    with scratch_schema(server_environment) as environment:
        app = create_app(TestingConfig(environment))
        app.test_client_class = Visitor
        with app.app_context():
            flask_migrate.upgrade(directory=str(Path(app.root_path).parent / "migrations"))
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(migrated_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application, in a transaction that is rolled back; what commits inside is a savepoint."""
    with migrated_app.app_context():
        connection = db.engine.connect()
    transaction = connection.begin()
    factory = sessionmaker(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
    session = scoped_session(factory)
    monkeypatch.setattr(db, "session", session)
    yield migrated_app  # outside of its context: each request gets one of its own, with its own `g` and current_user
    session.remove()
    transaction.rollback()
    connection.close()


@pytest.fixture
def client(app: Flask) -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    return client


@pytest.fixture
def sign_up(app: Flask) -> Callable[[str], User]:
    """sign_up("alice"): her account, with the password PASSWORD."""

    def sign_up(name: str) -> User:
        return accounts.sign_up(f"{name}@example.com", name, PASSWORD)

    return sign_up


@pytest.fixture
def alice(sign_up: Callable[[str], User]) -> User:
    return sign_up("alice")


@pytest.fixture
def bob(sign_up: Callable[[str], User]) -> User:
    return sign_up("bob")


@pytest.fixture
def signed_in(app: Flask, alice: User) -> Visitor:
    """Alice's browser."""
    return browser_of(app, alice)


@pytest.fixture
def objects(app: Flask) -> Iterator[set[str]]:
    """The keys in the bucket before the test. What the test adds is deleted."""
    before = object_keys(app)
    yield before
    bucket = app.extensions["bucket"]
    for key in object_keys(app) - before:
        bucket.client.delete_object(Bucket=bucket.name, Key=key)


def browser_of(app: Flask, user: User) -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    token = sessions.start_session(user, remember=False, user_agent="test", ip="127.0.0.1")
    with client.session_transaction() as cookie:
        cookie["token"] = token
    return client
