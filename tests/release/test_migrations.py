"""Migrate by the whole history of the schema, and add to it by the commands of a developer."""

import json
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text

from app.extensions import Base, db
from app.release.errors import ReleaseError
from tests.databases import Environment
from tests.release.checkout import ROOT, OwnHistory
from tests.release.migrating import Database
from tests.release.planted_faults import our_models
from tests.release.rows import ROWS, tables

MIGRATIONS = str(ROOT / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()][::-1]
HEAD, NEXT = REVISIONS[-1], f"{len(REVISIONS) + 1:04d}"


def test_there_is_one_head_and_the_files_are_numbered_in_order() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


def test_every_table_is_given_rows_by_these_tests(in_use: Database) -> None:
    assert set(ROWS) == set(tables())


def test_from_empty_the_models_and_the_schema_agree(in_use: Database) -> None:
    flask_migrate.check(MIGRATIONS)


def test_a_failing_step_leaves_what_was_finished_before_it(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0002")
    db.session.execute(text("CREATE TABLE user_sessions (in_the_way int)"))
    db.session.commit()
    with pytest.raises(ReleaseError, match="already exists"):
        flask_migrate.upgrade(MIGRATIONS)
    assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == "0002"


def with_colour() -> MetaData:
    """Return our models with one column more."""
    metadata = our_models()
    metadata.tables["notes"].append_column(sa.Column("colour", sa.String(20), server_default="", nullable=False))
    return metadata


@pytest.fixture
def history(tmp_path: Path, migrated_environment: Environment) -> OwnHistory:
    return OwnHistory(tmp_path, migrated_environment)


def do(history: OwnHistory, *arguments: str) -> str:
    """Return what a command prints, which has to end well."""
    done = history.flask(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def revision_of(history: OwnHistory) -> str:
    return str(json.loads(do(history, "release", "status", "--json"))["database_revision"])


@pytest.mark.servers
def test_a_column_comes_with_one_release_and_goes_in_two(history: OwnHistory) -> None:
    """It goes when the code has stopped using it. Both in one release are refused, however often it is tried."""
    history.metadata = with_colour()
    assert history.flask("db", "check").returncode == 1
    do(history, "db", "migrate", "-m", "Add notes.colour")
    revision = (history.versions / f"{NEXT}_add_notes_colour.py").read_text()
    assert "add_column_online(" in revision
    assert 'phase = "expand"' in revision
    assert "auto generated" not in revision
    for command, expected in (("upgrade", NEXT), ("downgrade", HEAD), ("upgrade", NEXT)):
        do(history, "db", command)
        assert revision_of(history) == expected
    do(history, "db", "check")

    history.metadata = Base.metadata
    do(history, "db", "migrate", "-m", "Retire notes.colour")
    do(history, "db", "upgrade")
    do(history, "db", "check")
    do(history, "db", "migrate", "-m", "Drop notes.colour")
    [dropping] = history.versions.glob("*_drop_notes_colour.py")
    assert 'drop_column_contract("notes", "colour")' in dropping.read_text()
    assert 'phase = "contract"' in dropping.read_text()
    do(history, "db", "downgrade", NEXT)
    assert "In one run this is refused" in do(history, "release", "plan")
    for _ in range(2):
        refused = history.flask("db", "upgrade")
        assert refused.returncode == 1
        assert "in this same release" in refused.stderr
        assert revision_of(history) == NEXT
    do(history, "db", "upgrade", "+1")
    do(history, "db", "upgrade")
    do(history, "db", "check")


@pytest.mark.servers
def test_migrating_without_a_change_writes_no_revision(history: OwnHistory) -> None:
    do(history, "db", "migrate", "-m", "Nothing")
    assert not list(history.versions.glob(f"{NEXT}_*"))


@pytest.mark.servers
def test_the_sql_of_a_migration_can_be_printed(tmp_path: Path, environment: Environment) -> None:
    assert "CREATE TABLE users" in do(OwnHistory(tmp_path, environment), "db", "upgrade", "--sql")
