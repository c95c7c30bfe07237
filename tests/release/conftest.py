"""A database for each test, and migrations of the test's own."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.databases import Environment, at_revision, copied_database, template
from tests.release import dumps
from tests.release.migrating import Database, connected
from tests.release.ordinary_project import ROWS, Shop
from tests.release.rows import fill


@pytest.fixture
def database(environment: Environment) -> Iterator[Database]:
    """Empty; a file whose tests begin at head says so by an `environment` of its own."""
    with connected(environment) as database:
        yield database


@pytest.fixture
def in_use(server_environment: Environment) -> Iterator[Database]:
    """At head, with rows in every table."""
    copied = template(server_environment, "in_use", fill_tables, base=at_revision(server_environment))
    with copied_database(server_environment, copied) as environment, connected(environment) as database:
        yield database


def fill_tables(environment: Environment) -> None:
    with connected(environment):
        fill()


@pytest.fixture
def plain_shop(environment: Environment, tmp_path: Path, database: Database) -> Shop:
    """An ordinary Flask-Migrate project that knows nothing of app.release, with rows."""
    shop = Shop(tmp_path, environment)
    database.execute(ROWS)
    return shop


@pytest.fixture
def shop(plain_shop: Shop) -> Shop:
    """The same, with app.release."""
    plain_shop.adopt()
    return plain_shop


@pytest.fixture
def schema_dump(environment: Environment) -> Callable[[], str]:
    return partial(dumps.schema_dump, environment)


@pytest.fixture
def psql(environment: Environment) -> Callable[[str], None]:
    return partial(dumps.psql, environment)
