"""A database for each test, and migrations of the test's own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import make_url

from app import create_app
from app.dev import postgres
from app.release.connection import direct_engine
from config import TestingConfig
from tests.conftest import Environment
from tests.release.migrating import Database


@pytest.fixture
def database(environment: Environment) -> Iterator[Database]:
    app = create_app(TestingConfig(environment))
    with app.app_context():
        engine = direct_engine()
        yield Database(engine)
        engine.dispose()


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
