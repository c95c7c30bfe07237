"""After an upgrade, verify that it was committed, and at the head that the schema is what the models say."""

from collections.abc import Callable
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from app.release import advisory_lock, ledger, runner
from app.release.errors import ReleaseError
from tests.release.migrating import sent_statements
from tests.release.model_project import ModelProject

Change = Callable[[MetaData], object]

FORGOTTEN: dict[str, Change] = {
    "a column": lambda models: models.tables["things"].append_column(sa.Column("colour", sa.Text)),
    "a table": lambda models: sa.Table("words", models, sa.Column("id", sa.Integer, primary_key=True)),
    "a rule": lambda models: models.tables["things"].append_constraint(sa.CheckConstraint("size < 9", name="small")),
    "another rule": lambda models: models.tables["labels"].append_constraint(sa.UniqueConstraint("name")),
    "NOT NULL": lambda models: setattr(models.tables["things"].c.note, "nullable", False),
    "a foreign key that is added after its table": lambda models: models.tables["owners"].append_constraint(
        sa.ForeignKeyConstraint(["id"], ["things.id"], name="fk_best", use_alter=True)
    ),
}
# What somebody did by hand, and what the refusal names. It names three.
BY_HAND = [
    (
        "ALTER TABLE things DROP COLUMN note, ALTER name DROP NOT NULL; DROP INDEX ix_things_kind_made_at",
        ("things.note", "things.name", "ix_things_kind_made_at"),
    ),
    ("ALTER TABLE things RENAME TO stuff", ("things",)),
    ('DROP TABLE parts, rooms, labels, "Odd order", things, owners', ()),
    ("ALTER TABLE labels ADD more text NOT NULL DEFAULT ''; ALTER TABLE labels ALTER more DROP DEFAULT", ("more",)),
]
# What the models do not say does no harm.
BESIDES = """
CREATE TYPE address AS (street text);
ALTER TABLE things ADD home address, ADD more text, ALTER note SET DEFAULT '';
CREATE TABLE by_hand (id bigint); CREATE INDEX ON by_hand ((id + 1)) INCLUDE (id);
CREATE INDEX of_note ON things (note);
COMMENT ON TABLE things IS 'another'
"""


def test_a_forgotten_migration_is_red_until_it_is_written(project: ModelProject) -> None:
    project.upgrade()
    for change in FORGOTTEN.values():
        project.change(change)
        with pytest.raises(ReleaseError, match="the schema is not what the models say"):
            project.upgrade()
    project.change(lambda models: None)
    project.upgrade()


@pytest.mark.parametrize(("sql", "named"), BY_HAND, ids=[", ".join(named) or "all" for _, named in BY_HAND])
def test_what_is_gone_or_changed_by_hand_is_red(project: ModelProject, sql: str, named: tuple[str, ...]) -> None:
    project.upgrade()
    project.database.execute(sql)
    for _ in range(2):
        with pytest.raises(ReleaseError, match="the schema is not what the models say") as refused:
            project.upgrade()
        assert [name for name in named if name not in refused.value.message] == []


def test_a_change_that_is_taken_back_and_made_again_is_red_again(project: ModelProject) -> None:
    project.upgrade()
    project.database.execute("ALTER TABLE things ADD more text")
    project.upgrade()
    project.database.execute("ALTER TABLE things DROP more")
    project.upgrade()
    project.database.execute("ALTER TABLE things DROP note")
    with pytest.raises(ReleaseError, match=r"things\.note is in the models and not in the database"):
        project.upgrade()


def test_models_are_compared_though_another_base_is_at_its_head(project: ModelProject) -> None:
    (project.folder / "versions/bill1_by_hand.py").write_text(
        'revision, down_revision, phase = "bill1", None, "expand"\n\n\ndef upgrade():\n    pass\n'
    )
    project.change(FORGOTTEN["a column"])
    with pytest.raises(ReleaseError, match=r"things\.colour is in the models and not in the database"):
        flask_migrate.upgrade(str(project.folder), "heads")
    project.write("pass")
    flask_migrate.upgrade(str(project.folder), "0001")  # which is no head, so nothing is compared


def test_nothing_is_compared_twice(project: ModelProject) -> None:
    """Take neither new rows, nor VACUUM, nor objects besides the models for a reason to compare again."""
    project.database.execute(BESIDES)
    project.upgrade()
    project.database.execute("INSERT INTO labels (name, colour) VALUES ('one more', 'red')")
    with project.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM FREEZE ANALYZE things"))
    with sent_statements() as sent:
        project.upgrade()
    assert not [one for one in sent if "pg_temp" in one or "TEMPORARY" in one or "pg_get_constraintdef" in one]


def test_a_ledger_of_an_older_version_is_read_and_noted_in(project: ModelProject) -> None:
    """It has a column that says when a comparison is due, and none for what was found alike."""
    project.upgrade()
    project.database.execute(
        "ALTER TABLE schema_ledger DROP COLUMN verified, ADD COLUMN unverified boolean NOT NULL DEFAULT false"
    )
    project.upgrade()
    with project.database.migrating.connect() as connection:
        heads = ScriptDirectory(str(project.folder)).get_heads()
        assert ledger.verified(connection, heads) is not None
    project.change(FORGOTTEN["a column"])
    with pytest.raises(ReleaseError, match=r"things\.colour"):
        project.upgrade()


def test_a_lock_that_leaves_a_transaction_is_refused(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory_lock, "_try", lambda connection: bool(connection.scalar(sa.text("SELECT true"))))
    project.write('op.execute("CREATE TABLE more (id int)")')
    with pytest.raises(ReleaseError, match="left a transaction open"):
        project.upgrade()
    assert project.database.scalar("SELECT to_regclass('more') IS NULL")


def test_steps_that_nobody_commits_are_found(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic takes an open transaction for its caller's: it runs the step and leaves the commit to nobody."""
    configure = runner.configure

    def configure_in_a_transaction(connection: Connection, **options: Any) -> str:
        connection.execute(sa.text("SELECT 1"))
        return configure(connection, **options)

    monkeypatch.setattr(runner, "configure", configure_in_a_transaction)
    project.write('op.execute("CREATE TABLE more (id int)")')
    with pytest.raises(
        ReleaseError, match=r"ended at \['0002'\] but the database is at \['0001'\]: nothing of it was kept"
    ):
        project.upgrade()
    assert project.database.scalar("SELECT to_regclass('more') IS NULL")
