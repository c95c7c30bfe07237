"""A database for each test, and migrations of the test's own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from flask.testing import FlaskCliRunner

from app import create_app
from config import MigrationConfig
from tests.databases import Environment, at_head, copied_database, template
from tests.online_migrations import shop as shop_models
from tests.online_migrations.checkout import OwnHistory
from tests.online_migrations.migrating import Database, connected
from tests.online_migrations.model_project import ModelProject, model_project
from tests.online_migrations.revision_corpus import stage
from tests.online_migrations.rows import fill


@pytest.fixture(autouse=True)
def each_revision_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no bytecode: Python would run the old one of a file rewritten in the same second, at the same size."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def database(environment: Environment) -> Iterator[Database]:
    """Yield an empty database; a file whose tests begin at head says so by an `environment` of its own."""
    with connected(environment) as database:
        yield database


@pytest.fixture
def things(database: Database) -> Database:
    """Return a database that holds `things`; a file whose tests need them makes them, or says by its `environment`."""
    return database


@pytest.fixture
def runner(environment: Environment) -> Iterator[FlaskCliRunner]:
    """Run commands in the context of a process that migrates, since a command keeps to the context that it finds."""
    app = create_app(MigrationConfig(environment))
    with app.app_context():
        yield app.test_cli_runner()


@pytest.fixture
def checkout(environment: Environment, tmp_path: Path) -> OwnHistory:
    """Return a history without a revision and a model, on the database of the test."""
    history = OwnHistory(tmp_path / "own", environment)
    history.forget_history()
    return history


@pytest.fixture
def in_use(server_environment: Environment) -> Iterator[Database]:
    """Yield a database at head, with rows in every table."""
    copied = template(server_environment, "in_use", fill_tables, base=at_head(server_environment))
    with copied_database(server_environment, copied) as environment, connected(environment) as database:
        yield database


@pytest.fixture
def project(server_environment: Environment, tmp_path: Path) -> Iterator[ModelProject]:
    """Yield the shop, with three rows in each table, at revision 0001; the release of its models serves."""

    def build(environment: Environment) -> None:
        with model_project(environment, tmp_path / "built") as project:
            shop_models.models().create_all(project.database.engine)
            project.database.execute(shop_models.ROWS)
            flask_migrate.stamp(str(project.folder))
            project.upgrade()
            project.goes_live()

    built = template(server_environment, "shop_in_use", build)
    with copied_database(server_environment, built) as own, model_project(own, tmp_path / "migrations") as project:
        yield project


@pytest.fixture(scope="session")
def corpus(server_environment: Environment) -> str:
    """Return the template of the database on which the corpus of hand-written revisions is judged."""
    in_use = template(server_environment, "in_use", fill_tables, base=at_head(server_environment))
    return template(server_environment, "corpus", stage.build, base=in_use)


@pytest.fixture
def corpus_copy(server_environment: Environment, corpus: str) -> Iterator[Database]:
    with copied_database(server_environment, corpus) as environment, connected(environment) as database:
        yield database


def fill_tables(environment: Environment) -> None:
    with connected(environment):
        fill()
