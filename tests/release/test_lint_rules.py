"""Where the line runs between what is refused and what passes, rule by rule."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, Table

from app.release.lint import lint
from tests.release.history import BLOCK, CONTRACT, EXPAND, history, rules_of, write_revision

WHOLE_TABLE = [
    "update only public.todos as t set note = ''",
    "UPDATE \"todos\" SET note = ''",
    "UPDATE todos SET note = (SELECT name FROM people LIMIT 1)",
    "UPDATE todos SET note = (SELECT note FROM todos LIMIT 1)",
    "UPDATE todos SET note = '' WHERE user_id IN (SELECT id FROM people LIMIT 10)",
    "UPDATE todos SET note = '' WHERE user_id = 1",
    "UPDATE todos SET note = '' WHERE id IN (SELECT id FROM todos)",
    "UPDATE todos SET note = '' WHERE id = 1 OR true",
    "UPDATE todos SET note = 'LIMIT 1' -- LIMIT 1",
    "UPDATE todos SET note = '' FROM people WHERE people.id = user_id",
    "WITH p AS (SELECT id FROM people LIMIT 5) UPDATE todos SET note = '' FROM p WHERE p.id = user_id",
    "WITH gone AS (DELETE FROM todos RETURNING id) INSERT INTO people (id) SELECT id FROM gone",
    "DELETE FROM todos USING people WHERE people.id = user_id",
    "delete from todos where id in (select id from todos where note is null)",
    "MERGE INTO todos USING people ON people.id = user_id WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE ONLY todos",
]
IN_BATCHES = [
    "UPDATE todos SET note = '' WHERE id IN (SELECT id FROM todos WHERE id > 5 ORDER BY id LIMIT 1000)",
    'UPDATE ONLY "todos" SET note = \'\' WHERE id = ANY (ARRAY(SELECT id FROM "todos" ORDER BY id LIMIT 10))',
    "WITH batch AS (SELECT id FROM todos LIMIT 10 FOR UPDATE SKIP LOCKED)"
    " UPDATE todos SET note = '' FROM batch WHERE todos.id = batch.id",
    "UPDATE todos SET note = '' FROM (SELECT id FROM todos LIMIT 10) AS batch WHERE todos.id = batch.id",
    "WITH batch AS (SELECT id FROM todos LIMIT 9), gone AS (DELETE FROM todos USING batch WHERE todos.id = batch.id)"
    " SELECT 1",
    "DELETE FROM todos WHERE id IN (1, 2, 3)",
    "UPDATE todos SET note = '' WHERE todos.id = 7",
    "INSERT INTO people DEFAULT VALUES ON CONFLICT DO NOTHING",
    "SELECT id FROM todos FOR UPDATE",
]


@pytest.mark.parametrize("statement", WHOLE_TABLE)
def test_it_refuses_to_write_a_whole_table(tmp_path: Path, statement: str) -> None:
    assert "whole-table-write" in rules_of(tmp_path, f"op.execute({statement!r})")


@pytest.mark.parametrize("statement", IN_BATCHES)
def test_a_limited_write_passes(tmp_path: Path, statement: str) -> None:
    assert rules_of(tmp_path, f"op.execute({statement!r})") == []


NOT_NULL = 'op.execute("ALTER TABLE todos ALTER COLUMN note SET NOT NULL")'
CHECKED = BLOCK + (
    'op.execute("ALTER TABLE todos DROP CONSTRAINT IF EXISTS c")\n'
    '    op.execute("ALTER TABLE todos ADD CONSTRAINT c CHECK ({column} IS NOT NULL) NOT VALID")\n'
    '    op.execute("ALTER TABLE todos VALIDATE CONSTRAINT c")\n'
)


def test_not_null_after_a_validated_check(tmp_path: Path) -> None:
    assert rules_of(tmp_path, CHECKED.format(column="note") + NOT_NULL, CONTRACT) == []


OTHER_VALIDATED = CHECKED.format(column="note").replace("VALIDATE CONSTRAINT c", "VALIDATE CONSTRAINT d")

UNCHECKED = {
    "nothing": "",
    "a check of another column": CHECKED.format(column="user_id"),
    "a check that is not the one validated": OTHER_VALIDATED,
}


@pytest.mark.parametrize("before", UNCHECKED.values(), ids=UNCHECKED)
def test_not_null_without_one(tmp_path: Path, before: str) -> None:
    assert "set-not-null-unchecked" in rules_of(tmp_path, before + NOT_NULL, CONTRACT)


def test_the_previous_release_may_still_write_null(tmp_path: Path) -> None:
    assert rules_of(tmp_path, CHECKED.format(column="note") + NOT_NULL) == ["breaks-previous-release"]


ADDED = 'op.add_column("todos", sa.Column("note2", sa.Text(){}), if_not_exists=True)\n'


@pytest.mark.parametrize(
    ("column", "expected"), [(', server_default="x"', []), ("", ["breaks-previous-release"])], ids=["default", "none"]
)
def test_not_null_on_a_column_that_the_previous_release_does_not_know(
    tmp_path: Path, column: str, expected: list[str]
) -> None:
    """Its inserts leave it out, so there has to be a default."""
    steps = ADDED.format(column) + CHECKED.format(column="note2") + NOT_NULL.replace("note", "note2")
    assert rules_of(tmp_path, steps) == expected


DROPS = [
    'op.drop_column("todos", "note")',
    'op.drop_table("people")',
    'op.execute("DROP VIEW IF EXISTS old_todos")',
    'op.drop_constraint("uq_todos_note", "todos")',
    'op.alter_column("todos", "position", server_default=None)',
]


@pytest.mark.parametrize("steps", DROPS)
def test_a_contract_may_drop_what_no_model_maps(tmp_path: Path, steps: str) -> None:
    assert rules_of(tmp_path, steps, CONTRACT) == []


def models(*columns: str) -> MetaData:
    metadata = MetaData()
    Table("todos", metadata, *[Column(name, Integer) for name in columns])
    return metadata


@pytest.mark.parametrize("steps", ['op.drop_column("todos", "note")', 'op.drop_table("todos")'])
@pytest.mark.parametrize("constants", [CONTRACT, ""])
def test_a_contract_may_not_drop_what_a_model_maps(tmp_path: Path, steps: str, constants: str) -> None:
    assert "drops-what-is-mapped" in rules_of(tmp_path, steps, constants, models("id", "note"))


def test_a_contract_may_drop_another_column_of_a_mapped_table(tmp_path: Path) -> None:
    assert rules_of(tmp_path, 'op.drop_column("todos", "note")', CONTRACT, models("id")) == []


def test_what_a_later_revision_adds_back_may_be_dropped(tmp_path: Path) -> None:
    again = 'def upgrade():\n    op.add_column("todos", sa.Column("note", sa.Text()))\n'
    history(tmp_path, 'op.drop_column("todos", "note")', CONTRACT)
    write_revision(tmp_path, "0003", "0002", EXPAND, again)
    assert lint(ScriptDirectory(str(tmp_path)), models("id", "note")) == []
