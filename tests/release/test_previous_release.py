"""While a release migrates, and after a rollback, the release before serves: one step of the schema behind."""

from collections.abc import Callable

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic import op
from alembic.script import Script, ScriptDirectory
from flask import Flask

from app.extensions import db
from app.release.ledger import EXPAND, phase_of
from app.release.operations import add_column_online, rename_with_view, retire_column_online
from tests.release.migrating import Database
from tests.release.previous_release import Breaks, learn, work_on
from tests.release.test_migrations import MIGRATIONS, ROWS, empty, fill, rows

__all__ = ["empty"]  # a fixture

SCRIPTS = list(ScriptDirectory(MIGRATIONS).walk_revisions())[::-1]
EXPANDING = [script for script in SCRIPTS if script.down_revision and phase_of(script) == EXPAND]


@pytest.mark.parametrize("script", EXPANDING, ids=lambda script: script.revision)
def test_after_each_revision_that_expands_the_release_before_it_reads_and_writes(empty: Flask, script: Script) -> None:
    assert isinstance(script.down_revision, str)
    flask_migrate.upgrade(MIGRATIONS, script.down_revision)
    fill()
    known = learn(db.engine)
    assert known
    flask_migrate.upgrade(MIGRATIONS, script.revision)
    before = rows()
    work_on(db.engine, known)
    assert rows() == before


def add_required() -> None:
    op.add_column("notes", sa.Column("colour", sa.String(20), server_default="", nullable=False))
    op.alter_column("notes", "colour", server_default=None)


def require() -> None:
    op.execute("UPDATE notes SET deleted_at = now()")
    op.alter_column("notes", "deleted_at", nullable=False)


def overwrite() -> None:
    op.execute(
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.content = ''forgotten''; RETURN NEW; END';"
        " CREATE TRIGGER forget BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION forget()"
    )


# Steps that somebody might call expand and that are not, with what goes wrong.
MUTANTS: dict[str, tuple[Callable[[], object], str]] = {
    "required without a default": (add_required, "null value in column"),
    "renamed column": (lambda: op.alter_column("notes", "title", new_column_name="headline"), "does not exist"),
    "renamed table": (lambda: op.rename_table("notes", "pages"), "does not exist"),
    "dropped column": (lambda: op.drop_column("notes", "deleted_at"), "does not exist"),
    "dropped default": (lambda: op.alter_column("notes", "version", server_default=None), "null value in column"),
    "required now": (require, "null value in column"),
    "narrower": (
        lambda: op.alter_column("notes", "content", type_=sa.String(5), postgresql_using="left(content, 5)"),
        "too long",
    ),
    "written over": (overwrite, "keeps what it was given"),
}

HARMLESS: dict[str, Callable[[], object]] = {
    "nullable": lambda: add_column_online("notes", sa.Column("colour", sa.String(20))),
    "required with a default": lambda: add_column_online(
        "notes", sa.Column("colour", sa.String(20), server_default="", nullable=False)
    ),
    "renamed behind a view": lambda: rename_with_view("notes", "pages"),
    "retired": lambda: retire_column_online("notes", "title"),
}


@pytest.fixture
def filled(database: Database) -> Database:
    """At the head, with users and their notes."""
    flask_migrate.upgrade(MIGRATIONS)
    for table in ("users", "notes"):
        database.execute(ROWS[table])
    return database


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_step_that_does_not_expand_is_found_out(filled: Database, mutant: str) -> None:
    upgrade, fault = MUTANTS[mutant]
    known = learn(filled.engine, ["users", "notes"])
    work_on(filled.engine, known)
    filled.migrate(upgrade)
    with pytest.raises(Breaks, match=f"^notes: .*{fault}"):
        work_on(filled.engine, known)


@pytest.mark.parametrize("step", HARMLESS)
def test_a_step_that_expands_passes(filled: Database, step: str) -> None:
    known = learn(filled.engine, ["users", "notes"])
    filled.migrate(HARMLESS[step])
    work_on(filled.engine, known)
