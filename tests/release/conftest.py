"""A database for each test, and migrations of the test's own."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.databases import Environment, at_revision, copied_database, template
from tests.release import dumps
from tests.release.migrating import Database, connected
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
def schema_dump(environment: Environment) -> Callable[[], str]:
    return partial(dumps.schema_dump, environment)


@pytest.fixture
def psql(environment: Environment) -> Callable[[str], None]:
    return partial(dumps.psql, environment)
