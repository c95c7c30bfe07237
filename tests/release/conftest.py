"""A database for each test, and migrations of the test's own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from app import create_app
from app.dev import postgres
from app.release.connection import direct_engine
from config import TestingConfig
from tests.conftest import Environment
from tests.release.checkout import Checkout
from tests.release.migrating import Database
from tests.release.sessions import Sessions


@pytest.fixture
def database(environment: Environment) -> Iterator[Database]:
    app = create_app(TestingConfig(environment))
    with app.app_context():
        engine = direct_engine()
        yield Database(engine)
        engine.dispose()


@pytest.fixture
def sessions(environment: Environment) -> Iterator[Sessions]:
    """Sessions beside the migration's, in the same empty schema."""
    sessions = Sessions(environment["DATABASE_URL"])
    yield sessions
    sessions.engine.dispose()


@pytest.fixture
def checkout_of(tmp_path: Path, environment: Environment) -> Iterator[Callable[[str], Checkout]]:
    """checkout_of("old"): a copy of the project as production runs it; what it started ends with the test."""
    made: list[Checkout] = []

    def checkout(name: str) -> Checkout:
        made.append(Checkout(tmp_path / name, environment, "config.ProductionConfig"))
        return made[-1]

    yield checkout
    for each in made:
        each.stop()


@pytest.fixture
def blank(checkout_of: Callable[[str], Checkout]) -> Checkout:
    """A copy of the project without a revision."""
    checkout = checkout_of("checkout")
    checkout.forget_history()
    return checkout


@pytest.fixture
def schema_dump(environment: Environment) -> Callable[[], str]:
    """`pg_dump -s` of the test's schema."""
    url, options = plain_url(environment)
    schema = options.removeprefix("-csearch_path=")
    command = [program("pg_dump"), "--schema-only", "--no-owner", "--restrict-key=test", f"--schema={schema}", url]
    return lambda: output_of(command)


@pytest.fixture
def psql(environment: Environment) -> Callable[[str], None]:
    """Run a script as a person would, stopping at the first error."""
    url, options = plain_url(environment)
    command = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]

    def run(script: str) -> None:
        output_of(command, input=script, env={**os.environ, "PGOPTIONS": options})

    return run


def plain_url(environment: Environment) -> tuple[str, str]:
    """The URL as PostgreSQL's own programs read it, and the options that name the schema."""
    url = make_url(environment["DATABASE_URL"])
    plain = url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    return plain, str(url.query["options"])


def program(name: str) -> str:
    """One of PostgreSQL 18's programs, which also speak to older servers."""
    return str(postgres.programs() / name)


def output_of(command: list[str], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
