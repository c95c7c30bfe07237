"""While a release migrates, and after a rollback, the release before serves: one step of the schema behind."""

from collections.abc import Callable

import flask_migrate
import pytest
from alembic.script import Script, ScriptDirectory
from flask import Flask
from sqlalchemy import Engine, MetaData

from app.extensions import db
from tests.release.checkout import Checkout
from tests.release.previous_release import Breaks, reflect, work_on
from tests.release.sessions import Sessions
from tests.release.test_migrations import HEAD, MIGRATIONS, NEXT, ROWS, empty, fill, rows

__all__ = ["empty"]  # a fixture

Step = Callable[[str], tuple[Engine, MetaData]]

SCRIPTS = list(ScriptDirectory(MIGRATIONS).walk_revisions())[::-1]
EXPANDING = [script for script in SCRIPTS if script.module.phase == "expand" and script.down_revision]


@pytest.mark.parametrize("script", EXPANDING, ids=lambda script: script.revision)
def test_after_each_revision_that_expands_the_release_before_it_reads_and_writes(empty: Flask, script: Script) -> None:
    assert isinstance(script.down_revision, str)
    flask_migrate.upgrade(MIGRATIONS, script.down_revision)
    fill()
    known = reflect(db.engine)
    assert known.sorted_tables
    flask_migrate.upgrade(MIGRATIONS, script.revision)
    before = rows()
    work_on(db.engine, known)
    assert rows() == before


# name: steps that are called expand and are not.
MUTANTS = {
    "required without a default": """
        op.add_column("notes", sa.Column("colour", sa.String(20), server_default="", nullable=False))
        op.alter_column("notes", "colour", server_default=None)
    """,
    "renamed column": "op.alter_column('notes', 'title', new_column_name='headline')",
    "renamed table": "op.rename_table('notes', 'pages')",
    "dropped column": "op.drop_column('notes', 'deleted_at')",
    "dropped default": "op.alter_column('notes', 'version', server_default=None)",
    "required now": """
        op.execute("UPDATE notes SET deleted_at = now()")
        op.alter_column("notes", "deleted_at", nullable=False)
    """,
    "narrower": "op.alter_column('notes', 'content', type_=sa.String(5), postgresql_using='left(content, 5)')",
    "computed by the database": """
        op.execute("CREATE FUNCTION forget() RETURNS trigger AS 'BEGIN NEW.content = ''''; RETURN NEW; END'"
                   " LANGUAGE plpgsql")
        op.execute("CREATE TRIGGER forget BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION forget()")
    """,
}

HARMLESS = {
    "nullable": "add_column_online('notes', sa.Column('colour', sa.String(20)))",
    "required with a default": (
        "add_column_online('notes', sa.Column('colour', sa.String(20), server_default='', nullable=False))"
    ),
    "renamed table behind a view": "rename_with_view('notes', 'pages')",
    "retired": "retire_column_online('notes', 'title')",
}


@pytest.fixture
def one_step_on(checkout_of: Callable[[str], Checkout], sessions: Sessions) -> Step:
    """one_step_on(upgrade): a database at a revision after the head, and its tables as they were at the head."""

    def step(upgrade: str) -> tuple[Engine, MetaData]:
        checkout = checkout_of("checkout")
        assert checkout.flask("db", "upgrade").returncode == 0
        for table in ("users", "notes"):
            sessions.execute(ROWS[table].replace("500", "5"))
        known = reflect(sessions.engine)
        for other in [table for table in known.tables.values() if table.name not in ("users", "notes")]:
            known.remove(other)
        checkout.write_revision(NEXT, upgrade, down=HEAD)
        ended = checkout.flask("db", "upgrade")
        assert ended.returncode == 0, ended.stderr
        return sessions.engine, known

    return step


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_step_that_only_calls_itself_expand_is_found_out(one_step_on: Step, mutant: str) -> None:
    engine, known = one_step_on(MUTANTS[mutant])
    with pytest.raises(Breaks, match="notes"):
        work_on(engine, known)


@pytest.mark.parametrize("step", HARMLESS)
def test_a_step_that_expands_passes(one_step_on: Step, step: str) -> None:
    engine, known = one_step_on(HARMLESS[step])
    work_on(engine, known)
