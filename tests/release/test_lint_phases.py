"""What the previous release survives, what may be dropped, and what may be run again, case by case."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, Table

from app.release.lint import lint
from tests.release.history import BASE, BLOCK, CONTRACT, EXPAND, history, rules_of, write_revision


def sent(*statements: str) -> str:
    """The code of a revision that sends them in its own transaction."""
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


def sent_by_themselves(*statements: str) -> str:
    return "\n    ".join(["with op.get_context().autocommit_block():", *sent(*statements).splitlines()])


BREAKS = "breaks-previous-release"

SURVIVED = {
    "a trigger made anew": ["DROP TRIGGER t ON todos", "CREATE TRIGGER t BEFORE INSERT ON todos EXECUTE FUNCTION f()"],
    "a helper that goes again": ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f"],
    "a table of the revision's own": ["CREATE TABLE draft (id bigint)", "DROP TABLE draft"],
    "a column of the revision's own": ["ALTER TABLE todos ADD COLUMN draft int", "ALTER TABLE todos DROP COLUMN draft"],
    "a constraint made anew": [
        "ALTER TABLE todos DROP CONSTRAINT c",
        "ALTER TABLE todos ADD CONSTRAINT c CHECK (position > 1) NOT VALID",
    ],
    "a table and its column renamed behind a view": [
        "ALTER TABLE todos RENAME TO tasks",
        "ALTER TABLE tasks RENAME COLUMN note TO remark",
        "CREATE VIEW todos AS SELECT id, remark AS note FROM tasks",
    ],
    "an index dropped beside the readers": ["SET LOCAL lock_timeout = '1s'"],
}
NOT_SURVIVED = {
    "a table made anew without its rows": (["DROP TABLE people", "CREATE TABLE people (id bigint)"], [BREAKS]),
    "several tables": (["DROP TABLE IF EXISTS people, todos"], [BREAKS, BREAKS]),
    "a default that comes and goes": (
        ["ALTER TABLE todos ADD COLUMN n int DEFAULT 1", "ALTER TABLE todos ALTER COLUMN n DROP DEFAULT"],
        [BREAKS],
    ),
    "a table renamed before another one of its name": (
        ["ALTER TABLE todos RENAME TO tasks", "CREATE TABLE todos (id bigint)"],
        ["renaming-table"],
    ),
    "a column renamed behind no view": (
        ["CREATE VIEW others AS SELECT 1", "ALTER TABLE todos RENAME COLUMN note TO remark"],
        ["renaming-column"],
    ),
    "a type": (["DROP TYPE mood"], [BREAKS]),
    "a function": (["DROP FUNCTION f", "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'"], [BREAKS]),
}


@pytest.mark.parametrize("statements", SURVIVED.values(), ids=SURVIVED)
def test_the_previous_release_survives(tmp_path: Path, statements: list[str]) -> None:
    assert rules_of(tmp_path, sent(*statements)) == []


@pytest.mark.parametrize(("statements", "expected"), NOT_SURVIVED.values(), ids=NOT_SURVIVED)
def test_the_previous_release_does_not_survive(tmp_path: Path, statements: list[str], expected: list[str]) -> None:
    assert sorted(rules_of(tmp_path, sent(*statements))) == sorted(expected)


def test_a_view_that_comes_a_transaction_later_leaves_a_gap(tmp_path: Path) -> None:
    code = sent("ALTER TABLE todos RENAME TO tasks") + "\n" + sent_by_themselves("SELECT 1") + "\n"
    assert "renaming-table" in rules_of(tmp_path, code + sent("CREATE VIEW todos AS SELECT * FROM tasks"))


def test_a_default_does_not_help_a_release_that_writes_null(tmp_path: Path) -> None:
    """It knows the column, so its INSERT names it."""
    code = (
        "from app.release.operations import set_default_online, set_not_null_online\n"
        'set_default_online("todos", "note", "0")\nset_not_null_online("todos", "note")'
    )
    assert rules_of(tmp_path, code) == [BREAKS]


def test_required_without_the_default_it_came_with(tmp_path: Path) -> None:
    code = (
        "from app.release.operations import set_not_null_online\n"
        + sent_by_themselves(
            "ALTER TABLE todos ADD COLUMN IF NOT EXISTS n int DEFAULT 1", "ALTER TABLE todos ALTER n DROP DEFAULT"
        )
        + '\nset_not_null_online("todos", "n")'
    )
    assert rules_of(tmp_path, code) == [BREAKS, BREAKS]


def models(*tables: str) -> MetaData:
    metadata = MetaData()
    for name in tables:
        Table(name, metadata)
    return metadata


def test_a_contract_may_not_drop_a_view_that_a_model_maps(tmp_path: Path) -> None:
    assert rules_of(tmp_path, sent("DROP VIEW todos"), CONTRACT, models("todos")) == ["drops-what-is-mapped"]


def test_a_contract_may_drop_its_own_draft_of_what_a_model_maps(tmp_path: Path) -> None:
    code = sent("CREATE TABLE draft (id bigint)", "DROP TABLE draft")
    assert rules_of(tmp_path, code, CONTRACT, models("draft")) == []


def test_a_table_that_a_later_revision_creates_again_may_be_dropped(tmp_path: Path) -> None:
    history(tmp_path, 'op.drop_table("people")', CONTRACT)
    write_revision(tmp_path, "0003", "0002", EXPAND, BASE.replace('"todos"', '"tasks"'))
    assert lint(ScriptDirectory(str(tmp_path)), models("people"), ["0002"]) == []
    assert [finding.rule for finding in lint(ScriptDirectory(str(tmp_path)), models("people"))] == []


def test_a_column_of_a_table_that_a_later_revision_creates_again_may_be_dropped(tmp_path: Path) -> None:
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer))
    history(tmp_path, 'op.drop_column("people", "id")', CONTRACT)
    again = 'def upgrade():\n    op.create_table("people", sa.Column("id", sa.BigInteger()))\n'
    write_revision(tmp_path, "0003", "0002", EXPAND, again)
    assert lint(ScriptDirectory(str(tmp_path)), metadata) == []


RUN_AGAIN = [
    "UPDATE todos SET note = '' WHERE id IN (SELECT id FROM todos WHERE note IS NULL LIMIT 9)",
    "INSERT INTO people (id) VALUES (1) ON CONFLICT DO NOTHING",
    "DELETE FROM todos WHERE id = 1",
    "CREATE OR REPLACE VIEW v AS SELECT 1",
    "CREATE TABLE IF NOT EXISTS tags (id bigint)",
    "ALTER TABLE todos ADD COLUMN IF NOT EXISTS due date",
    "ALTER TABLE todos VALIDATE CONSTRAINT c",
    "ALTER TABLE todos ALTER COLUMN note SET DEFAULT 'x'",
    "VACUUM todos",
    "COMMENT ON TABLE todos IS 'x'",
]
NOT_AGAIN = [
    "UPDATE todos SET position = position + 1 WHERE id = 1",
    "INSERT INTO people (id) VALUES (1)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TABLE tags (id bigint)",
    "ALTER TABLE todos ADD COLUMN due date",
    "ALTER TABLE IF EXISTS todos ADD COLUMN due date",
    "ALTER TABLE todos ADD COLUMN IF NOT EXISTS due date, ADD COLUMN at date",
    "ALTER TABLE todos ADD CONSTRAINT c CHECK (position > 0) NOT VALID",
    "ALTER TYPE mood ADD VALUE 'fine'",
]


@pytest.mark.parametrize("statement", RUN_AGAIN)
def test_it_may_be_run_again(tmp_path: Path, statement: str) -> None:
    assert rules_of(tmp_path, sent_by_themselves(statement)) == []


@pytest.mark.parametrize("statement", NOT_AGAIN)
def test_it_may_not_be_run_again(tmp_path: Path, statement: str) -> None:
    assert rules_of(tmp_path, sent_by_themselves(statement)) == ["not-rerunnable"]


def test_after_a_commit_of_ones_own_nothing_is_rolled_back(tmp_path: Path) -> None:
    assert rules_of(tmp_path, sent("COMMIT", "ALTER TABLE todos ADD COLUMN due date")) == ["not-rerunnable"]


def test_in_a_transaction_of_ones_own_neither(tmp_path: Path) -> None:
    code = sent("COMMIT", "START TRANSACTION", "ALTER TABLE todos ADD COLUMN due date", "END", "BEGIN", "SELECT 1")
    assert rules_of(tmp_path, code) == ["not-rerunnable"]


def test_an_index_on_a_table_of_the_revision_in_another_transaction(tmp_path: Path) -> None:
    """squawk knows no more of it there; nobody uses the table all the same."""
    code = sent_by_themselves("CREATE TABLE IF NOT EXISTS tags (id bigint)") + "\n"
    assert rules_of(tmp_path, code + sent("CREATE INDEX ix ON tags (id)")) == []


def test_a_foreign_key_of_an_old_table_to_a_new_one(tmp_path: Path) -> None:
    code = sent("CREATE TABLE tags (id bigint)", "ALTER TABLE todos ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES tags")
    assert rules_of(tmp_path, code) == ["adding-foreign-key-constraint"]


REWRITES = {
    "ALTER TABLE todos SET UNLOGGED": "table-rewrite",
    "VACUUM FULL todos": "table-rewrite",
    "VACUUM (FULL, ANALYZE) todos": "table-rewrite",
    "CLUSTER todos USING ix": "table-rewrite",
    "ALTER TABLE todos ADD COLUMN at timestamptz DEFAULT clock_timestamp()": "table-rewrite",
    "ALTER TABLE todos ADD n bigserial": "table-rewrite",
    "ALTER TABLE todos ADD COLUMN n int DEFAULT 1 CHECK (abs(n) > 0)": "constraint-missing-not-valid",
}
NO_REWRITES = [
    "ALTER TABLE todos ADD COLUMN n numeric(10, 2) DEFAULT 0.00",
    "ALTER TABLE todos ADD COLUMN t text DEFAULT 'random()'",
    "ALTER TABLE todos ADD COLUMN t text DEFAULT 'x'::varchar(10)",
    "ALTER TABLE todos ADD COLUMN at timestamptz DEFAULT now()",
]


@pytest.mark.parametrize(("statement", "rule"), REWRITES.items())
def test_it_writes_or_reads_each_row(tmp_path: Path, statement: str, rule: str) -> None:
    code = sent(statement) if statement.startswith("ALTER") else sent_by_themselves(statement)
    assert rules_of(tmp_path, code) == [rule]


@pytest.mark.parametrize("statement", NO_REWRITES)
def test_it_touches_no_row(tmp_path: Path, statement: str) -> None:
    assert rules_of(tmp_path, sent(statement)) == []


def test_several_statements_in_one_text_are_told_apart(tmp_path: Path) -> None:
    code = BLOCK + 'op.execute("SELECT 1; CREATE VIEW v AS SELECT 1; SELECT 2")'
    assert rules_of(tmp_path, code) == ["not-rerunnable"]
