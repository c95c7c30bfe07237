"""An upgrade that ends at the head compares the schema with the models, each time: a forgotten migration is red."""

from collections.abc import Callable

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, event

from app.release import ledger
from app.release.errors import ReleaseError
from tests.release.model_project import ModelProject
from tests.release.sampling import named, one_in

Change = Callable[[MetaData], object]

FORGOTTEN: dict[str, Change] = {
    "a column": lambda models: models.tables["things"].append_column(sa.Column("colour", sa.Text)),
    "a table": lambda models: sa.Table("words", models, sa.Column("id", sa.Integer, primary_key=True)),
    "an index": lambda models: sa.Index("ix_things_note", models.tables["things"].c.note),
    "a rule": lambda models: models.tables["things"].append_constraint(sa.CheckConstraint("size < 9", name="small")),
    "another rule": lambda models: models.tables["labels"].append_constraint(sa.UniqueConstraint("name")),
    "NOT NULL": lambda models: setattr(models.tables["things"].c.note, "nullable", False),
    "another type": lambda models: setattr(models.tables["things"].c.size, "type", sa.BigInteger()),
    "a foreign key that is added after its table": lambda models: models.tables["owners"].append_constraint(
        sa.ForeignKeyConstraint(["id"], ["things.id"], name="fk_best", use_alter=True)
    ),
    "another default": lambda models: setattr(models.tables["things"].c.kind, "server_default", sa.DefaultClause("b")),
}
# What somebody did by hand.
BY_HAND = [
    "ALTER TABLE things DROP COLUMN note",
    "DROP TABLE labels",
    "DROP INDEX ix_things_kind_made_at",
    "ALTER TABLE things ALTER name DROP NOT NULL",
    "ALTER TABLE things ALTER size TYPE bigint",
    "ALTER TABLE things DROP CONSTRAINT ck_things_size",
    "ALTER TABLE things DROP CONSTRAINT ck_things_size, ADD CONSTRAINT ck_things_size CHECK (size >= 1)",
    "ALTER TABLE things ALTER kind SET DEFAULT 'todo'",
    "ALTER TABLE things DROP CONSTRAINT fk_things_owner_id_owners",
    "ALTER TABLE things RENAME note TO remark",
    "ALTER TABLE things RENAME TO stuff",
    "ALTER TABLE labels ADD more text NOT NULL DEFAULT ''; ALTER TABLE labels ALTER more DROP DEFAULT",
]
# What the models do not say does no harm.
BESIDES = [
    "CREATE TYPE address AS (street text); ALTER TABLE things ADD home address",
    "CREATE TABLE by_hand (id bigint); CREATE INDEX ON by_hand ((id + 1)) INCLUDE (id)",
    "ALTER TABLE things ADD more text",
    "CREATE TABLE by_hand (id bigint)",
    "CREATE INDEX by_hand ON things (note)",
    "ALTER TABLE things ALTER note SET DEFAULT ''",
    "COMMENT ON TABLE things IS 'another'",
]


@pytest.mark.parametrize("change", named(4, FORGOTTEN))
def test_a_forgotten_migration_is_red_until_it_is_written(project: ModelProject, change: Change) -> None:
    project.upgrade()
    project.change(change)
    for _ in range(2):
        with pytest.raises(ReleaseError, match="the schema is not what the models say"):
            project.upgrade()
    project.change(lambda models: None)
    project.upgrade()


@pytest.mark.parametrize("sql", one_in(4, BY_HAND))
def test_what_is_gone_or_changed_by_hand_is_red(project: ModelProject, sql: str) -> None:
    project.upgrade()
    project.database.execute(sql)
    for _ in range(2):
        with pytest.raises(ReleaseError, match="the schema is not what the models say"):
            project.upgrade()


@pytest.mark.parametrize("sql", one_in(3, BESIDES))
def test_what_is_there_besides_is_green(project: ModelProject, sql: str) -> None:
    project.database.execute(sql)
    project.upgrade()


def test_a_database_that_lost_every_table_is_red(project: ModelProject) -> None:
    project.database.execute('DROP TABLE parts, rooms, labels, "Odd order", things, owners')
    with pytest.raises(ReleaseError, match="the schema is not what the models say"):
        project.upgrade()


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


def test_what_is_not_the_head_is_not_compared(project: ModelProject) -> None:
    project.write("pass")
    project.change(FORGOTTEN["a column"])
    flask_migrate.upgrade(str(project.folder), "0001")


def test_nothing_is_compared_twice(project: ModelProject) -> None:
    """Writing rows and looking after a table changes nothing that the comparison asks for."""
    project.upgrade()
    project.database.execute("INSERT INTO labels (name, colour) VALUES ('one more', 'red')")
    with project.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM FREEZE ANALYZE things"))
    sent = statements(project.upgrade)
    assert not [one for one in sent if "pg_temp" in one or "TEMPORARY" in one or "pg_get_constraintdef" in one]


def statements(act: Callable[[], None]) -> list[str]:
    sent: list[str] = []

    def listen(connection: object, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        act()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", listen)
    return sent


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
