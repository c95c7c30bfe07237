"""Unsafe migrations are refused, each with the rule that names its danger; safe ones pass without a word."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.extensions import Base
from app.release.errors import ReleaseError
from app.release.lint import lint
from tests.databases import OUR_HISTORY
from tests.release.history import (
    BASE,
    BLOCK,
    EXPAND,
    NO_MODELS,
    all_findings,
    findings,
    history,
    rules_of,
    write_revision,
)

UNSAFE = {
    "write every row in one statement": ("whole-table-write", "op.execute(\"UPDATE todos SET note = ''\")"),
    "delete every row in one statement": ("whole-table-write", 'op.execute("DELETE FROM todos")'),
    "truncate": ("whole-table-write", 'op.execute("TRUNCATE todos")'),
    "a required column without a default": (
        "adding-required-field",
        'op.add_column("todos", sa.Column("completed", sa.Boolean(), nullable=False))',
    ),
    "an index that stops the writers": (
        "require-concurrent-index-creation",
        'op.create_index("ix_todos_user_id", "todos", ["user_id"])',
    ),
    "an index dropped before all readers": (
        "require-concurrent-index-deletion",
        'op.drop_index("ix_todos_user_id", "todos")',
    ),
    "a unique constraint at once": (
        "disallowed-unique-constraint",
        'op.create_unique_constraint("uq_todos_note", "todos", ["note"])',
    ),
    "a check at once": (
        "constraint-missing-not-valid",
        'op.create_check_constraint("ck_todos_position", "todos", "position >= 0")',
    ),
    "a foreign key at once": (
        "adding-foreign-key-constraint",
        'op.create_foreign_key("fk_todos_user_id_people", "todos", "people", ["user_id"], ["id"])',
    ),
    "validate in the transaction that added": (
        "validate-under-lock",
        'op.execute("ALTER TABLE todos ADD CONSTRAINT ck_p CHECK (position >= 0) NOT VALID")\n'
        'op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_p")',
    ),
    "rename a column": ("renaming-column", 'op.alter_column("todos", "note", new_column_name="remark")'),
    "rename a table": ("renaming-table", 'op.rename_table("todos", "tasks")'),
    "change a type": ("changing-column-type", 'op.alter_column("todos", "position", type_=sa.BigInteger())'),
    "drop a column": ("breaks-previous-release", 'op.drop_column("todos", "note")'),
    "drop a table": ("breaks-previous-release", 'op.drop_table("people")'),
    "drop a default": ("breaks-previous-release", 'op.alter_column("todos", "position", server_default=None)'),
    "drop a constraint": ("breaks-previous-release", 'op.drop_constraint("uq_todos_note", "todos")'),
    "a default for each row": (
        "table-rewrite",
        'op.add_column("todos", sa.Column("key", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))',
    ),
    "an identity column": ("table-rewrite", 'op.add_column("todos", sa.Column("n", sa.BigInteger(), sa.Identity()))'),
    "a stored generated column": (
        "table-rewrite",
        'op.add_column("todos", sa.Column("n", sa.Integer(), sa.Computed("position * 2", persisted=True)))',
    ),
    "an invalid index that is kept": (
        "keeps-invalid-index",
        BLOCK + 'op.create_index("ix_a", "todos", ["user_id"], if_not_exists=True, postgresql_concurrently=True)',
    ),
    "a column that is added twice after a kill": (
        "not-rerunnable",
        'op.add_column("todos", sa.Column("due", sa.Date()))\n'
        + BLOCK
        + 'op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_a")',
    ),
    "an index that is there after a kill": (
        "not-rerunnable",
        BLOCK + 'op.create_index("ix_a", "todos", ["user_id"], postgresql_concurrently=True)',
    ),
    "a number that is doubled twice after a kill": (
        "not-rerunnable",
        BLOCK + 'op.execute("UPDATE todos SET position = position * 2 WHERE id IN (SELECT id FROM todos LIMIT 9)")',
    ),
    "an index concurrently in a transaction": (
        "ban-concurrent-index-creation-in-transaction",
        'op.create_index("ix_a", "todos", ["user_id"], postgresql_concurrently=True)',
    ),
    "a block that hides its statements": ("unreadable-block", 'op.execute("DO $$ BEGIN DELETE FROM todos; END $$")'),
    "a question to the database": (
        "unreadable",
        'if op.get_bind().execute(sa.text("SELECT 1")).scalar():\n    op.drop_column("todos", "note")',
    ),
}

SAFE = {
    "a nullable column": 'op.add_column("todos", sa.Column("due", sa.Date()))',
    "a required column with a constant default": (
        'op.add_column("todos", sa.Column("completed", sa.Boolean(), server_default=sa.false(), nullable=False))'
    ),
    "a column with the time of the statement": (
        'op.add_column("todos", sa.Column("at", sa.DateTime(True), server_default=sa.func.now(), nullable=False))'
    ),
    "a table with its index and its rows": (
        'op.create_table("tags", sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),'
        ' sa.Column("todo_id", sa.BigInteger(), sa.ForeignKey("todos.id")), sa.Column("name", sa.String(20)))\n'
        'op.create_index("ix_tags_todo_id", "tags", ["todo_id"])\n'
        'op.create_unique_constraint("uq_tags_name", "tags", ["name"])\n'
        "op.execute(\"INSERT INTO tags (name) VALUES ('DELETE FROM todos;')\")\n"
        "op.execute(\"UPDATE tags SET name = 'home'\")\n"
        'op.alter_column("tags", "name", nullable=False)'
    ),
    "an index beside the writers": (
        BLOCK + 'op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_a")\n'
        '    op.create_index("ix_a", "todos", ["user_id"], postgresql_concurrently=True)'
    ),
    "an index dropped beside the readers": (
        BLOCK + 'op.drop_index("ix_a", "todos", if_exists=True, postgresql_concurrently=True)'
    ),
    "a check that is validated in a transaction of its own": (
        'op.execute("ALTER TABLE todos DROP CONSTRAINT IF EXISTS ck_p")\n'
        'op.execute("ALTER TABLE todos ADD CONSTRAINT ck_p CHECK (position >= 0) NOT VALID")\n'
        + BLOCK
        + 'op.execute("ALTER TABLE todos VALIDATE CONSTRAINT ck_p")'
    ),
    "a batch of rows": (
        "op.execute(\"UPDATE todos SET note = '' WHERE id IN (SELECT id FROM todos WHERE note IS NULL LIMIT 1000)\")"
    ),
    "one row": "op.execute(\"UPDATE todos SET note = 'first' WHERE id = 1\")",
    "a value for a type": (BLOCK + "op.execute(\"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fine'\")"),
    "an unvalidated foreign key": (
        'op.create_foreign_key("fk_todos_user_id_people", "todos", "people", ["user_id"], ["id"],'
        " postgresql_not_valid=True)"
    ),
    "a comment that speaks of danger": (
        "op.execute(\"/* UPDATE todos SET note = 1; */ COMMENT ON TABLE todos IS 'DROP TABLE todos; -- no'\")"
    ),
    "a table renamed behind a view of its old name": (
        'op.rename_table("todos", "tasks")\nop.execute("CREATE VIEW todos AS SELECT * FROM tasks")'
    ),
    "nothing": "pass",
}


@pytest.mark.parametrize(("rule", "steps"), UNSAFE.values(), ids=UNSAFE)
def test_it_refuses(tmp_path: Path, rule: str, steps: str) -> None:
    found = findings(tmp_path, steps)
    assert [finding.rule for finding in found] == [rule]
    assert found[0].revision == "0002"
    assert found[0].excused is None
    assert found[0].instead.endswith(".")
    assert "{" not in found[0].what


@pytest.mark.parametrize("steps", SAFE.values(), ids=SAFE)
def test_it_has_nothing_to_say_about(tmp_path: Path, steps: str) -> None:
    assert all_findings(tmp_path, steps) == []


def test_it_requires_a_phase(tmp_path: Path) -> None:
    assert rules_of(tmp_path, "pass", "") == ["phase-missing"]


@pytest.mark.parametrize("phase", ["expnad", "Expand", "", 1])
def test_it_requires_a_phase_that_exists(tmp_path: Path, phase: object) -> None:
    assert rules_of(tmp_path, "pass", f"phase = {phase!r}") == ["phase-unknown"]


def test_no_reason_excuses_a_missing_phase(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, "pass", 'safety_assured = "it is nothing"')
    assert finding.excused is None


def test_a_reason_excuses_and_is_shown(tmp_path: Path) -> None:
    reason = 'safety_assured = "the table has nine rows"'
    [finding] = findings(tmp_path, 'op.execute("UPDATE todos SET note = NULL")', f"{EXPAND}\n{reason}")
    assert finding.excused == "the table has nine rows"


@pytest.mark.parametrize("reason", ["''", "'  '", "True", "None"])
def test_without_a_reason_nothing_is_excused(tmp_path: Path, reason: str) -> None:
    constants = f"{EXPAND}\nsafety_assured = {reason}"
    [finding] = findings(tmp_path, 'op.execute("UPDATE todos SET note = NULL")', constants)
    assert finding.excused is None


def test_one_cause_is_one_finding_and_two_are_two(tmp_path: Path) -> None:
    steps = 'op.drop_column("todos", "note")\nop.execute("UPDATE todos SET position = 0")'
    assert rules_of(tmp_path, steps) == ["breaks-previous-release", "whole-table-write"]


def test_it_names_the_file_and_the_line(tmp_path: Path) -> None:
    [finding] = findings(tmp_path, 'pass\nop.execute("SELECT 1; DELETE FROM todos")')
    text = (tmp_path / "versions" / "0002_step.py").read_text().splitlines()
    assert finding.line is not None
    assert "DELETE FROM todos" in text[finding.line - 1]
    assert finding.file.endswith("versions/0002_step.py")
    assert finding.statement == "DELETE FROM todos"


def test_a_file_that_raises_is_a_finding_with_what_it_sent_before(tmp_path: Path) -> None:
    found = findings(tmp_path, 'op.execute("DELETE FROM todos")\nraise RuntimeError("no\\nway")')
    assert {finding.rule for finding in found} == {"unreadable", "whole-table-write"}
    assert any("RuntimeError: no" in finding.what for finding in found)


def test_all_revisions_are_looked_at_when_none_is_named(tmp_path: Path) -> None:
    write_revision(tmp_path, "0001", None, "", BASE)
    write_revision(tmp_path, "0002", "0001", "", "def upgrade():\n    pass\n")
    found = lint(ScriptDirectory(str(tmp_path)), NO_MODELS)
    assert [finding.revision for finding in found] == ["0001", "0002"]


def test_a_revision_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"'9999'.*flask db history"):
        lint(history(tmp_path, "pass"), NO_MODELS, ["9999"])


def test_our_own_history_is_clean() -> None:
    assert {found.revision for found in lint(OUR_HISTORY, Base.metadata) if not found.excused} == set()
