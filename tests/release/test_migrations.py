"""Migrate by the whole history of the schema, and add to it by the commands of a developer."""

from pathlib import Path

import flask_migrate
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.extensions import db
from app.release.errors import ReleaseError
from tests.databases import Environment
from tests.release.checkout import ROOT, Checkout, OwnHistory
from tests.release.migrating import Database
from tests.release.rows import ROWS, fill, rows, tables

MIGRATIONS = str(ROOT / "migrations")
REVISIONS = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()][::-1]
HEAD, NEXT = REVISIONS[-1], f"{len(REVISIONS) + 1:04d}"

# A line for the end of app/notes/models.py.
COLOUR = '    colour: Mapped[str] = mapped_column(String(20), server_default="")\n'


def test_there_is_one_head_and_the_files_are_numbered_in_order() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1
    assert [f"{number:04d}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS


def test_every_table_is_given_rows_by_these_tests(in_use: Database) -> None:
    assert set(ROWS) == set(tables())


def test_from_empty_the_models_and_the_schema_agree(in_use: Database) -> None:
    flask_migrate.check(MIGRATIONS)


def test_down_to_base_nothing_is_left_and_up_again_it_works(in_use: Database) -> None:
    flask_migrate.downgrade(MIGRATIONS, "base")
    assert tables() == []
    flask_migrate.upgrade(MIGRATIONS)
    flask_migrate.check(MIGRATIONS)


def test_the_photo_column_comes_to_users_that_are_there(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0003")
    fill()
    flask_migrate.upgrade(MIGRATIONS, "0004")
    assert {user["image_url"] for user in rows()["users"]} == {None}


def test_todos_that_are_there_are_open_and_keep_their_order(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0005")
    fill()
    flask_migrate.upgrade(MIGRATIONS, "0008")
    assert {(todo["completed"], todo["completed_at"], todo["position"]) for todo in rows()["todos"]} == {
        (False, None, 0)
    }


def test_a_failing_step_leaves_what_was_finished_before_it(database: Database) -> None:
    flask_migrate.upgrade(MIGRATIONS, "0002")
    db.session.execute(text("CREATE TABLE user_sessions (in_the_way int)"))
    db.session.commit()
    with pytest.raises(ReleaseError, match="already exists"):
        flask_migrate.upgrade(MIGRATIONS)
    assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == "0002"


@pytest.mark.servers
def test_a_developer_adds_a_column_with_the_plain_commands(tmp_path: Path, migrated_environment: Environment) -> None:
    checkout = Checkout(tmp_path, migrated_environment)
    model = tmp_path / "app/notes/models.py"
    model.write_text(model.read_text() + COLOUR)

    with checkout.code_unchanged():
        assert checkout.flask("db", "check").returncode == 1
        written = checkout.flask("db", "migrate", "-m", "Add notes.colour")
        assert written.returncode == 0, written.stderr
        [revision] = (tmp_path / "migrations/versions").glob(f"{NEXT}_*.py")
        assert revision.name == f"{NEXT}_add_notes_colour.py"
        assert "add_column_online(" in revision.read_text()
        assert 'phase = "expand"' in revision.read_text()
        assert "auto generated" not in revision.read_text()

        for command, expected in (("upgrade", NEXT), ("downgrade", HEAD), ("upgrade", NEXT)):
            assert checkout.flask("db", command).returncode == 0
            assert expected in checkout.flask("db", "current").stdout
        assert checkout.flask("db", "check").returncode == 0


@pytest.mark.servers
def test_a_column_goes_in_two_releases(tmp_path: Path, migrated_environment: Environment) -> None:
    """First the code stops using it, then it is dropped; both in one release are refused, however often it is tried."""
    checkout = Checkout(tmp_path, migrated_environment)
    model = tmp_path / "app/notes/models.py"
    before = model.read_text()
    model.write_text(before + COLOUR)
    assert checkout.flask("db", "migrate", "-m", "Add notes.colour").returncode == 0
    assert checkout.flask("db", "upgrade").returncode == 0
    model.write_text(before)

    with checkout.code_unchanged():
        assert checkout.flask("db", "migrate", "-m", "Retire notes.colour").returncode == 0
        assert checkout.flask("db", "upgrade").returncode == 0
        assert checkout.flask("db", "check").returncode == 0
        assert checkout.flask("db", "migrate", "-m", "Drop notes.colour").returncode == 0
        dropping = next((tmp_path / "migrations/versions").glob("*_drop_notes_colour.py")).read_text()
        assert 'drop_column_contract("notes", "colour")' in dropping
        assert 'phase = "contract"' in dropping

        assert checkout.flask("db", "downgrade", NEXT).returncode == 0
        assert "In one run this is refused" in checkout.flask("release", "plan").stdout
        for _ in range(2):
            refused = checkout.flask("db", "upgrade")
            assert refused.returncode == 1
            assert "in this same release" in refused.stderr
            assert NEXT in checkout.flask("db", "current").stdout
        assert checkout.flask("db", "upgrade", "+1").returncode == 0
        assert checkout.flask("db", "upgrade").returncode == 0
        assert checkout.flask("db", "check").returncode == 0


@pytest.mark.servers
def test_migrating_without_a_change_writes_no_revision(tmp_path: Path, migrated_environment: Environment) -> None:
    checkout = OwnHistory(tmp_path, migrated_environment)
    assert checkout.flask("db", "migrate", "-m", "Nothing").returncode == 0
    assert not list((tmp_path / "migrations/versions").glob(f"{NEXT}_*"))


@pytest.mark.servers
def test_the_sql_of_a_migration_can_be_printed(tmp_path: Path, environment: Environment) -> None:
    printed = OwnHistory(tmp_path, environment).flask("db", "upgrade", "--sql")
    assert printed.returncode == 0
    assert "CREATE TABLE users" in printed.stdout
