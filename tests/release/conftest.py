"""A database for each test, and migrations of the test's own."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import create_engine

from app import create_app
from app.release.connection import direct_engine
from config import TestingConfig
from tests.databases import Environment
from tests.release import dumps
from tests.release.migrating import Database


@pytest.fixture
def database(environment: Environment) -> Iterator[Database]:
    app = create_app(TestingConfig(environment))
    with app.app_context():
        migrating, other = direct_engine(), create_engine(app.config["SQLALCHEMY_DATABASE_URI"])
        yield Database(other, migrating)
        migrating.dispose()
        other.dispose()


@pytest.fixture
def schema_dump(environment: Environment) -> Callable[[], str]:
    return partial(dumps.schema_dump, environment)


@pytest.fixture
def psql(environment: Environment) -> Callable[[str], None]:
    return partial(dumps.psql, environment)
