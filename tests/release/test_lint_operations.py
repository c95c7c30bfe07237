"""Migrations written with the online operations pass lint."""

from pathlib import Path

import pytest

from app.release import operations
from app.release.sql.render import render
from tests.release.history import CONTRACT, EXPAND, history, rules_of

# What an operation has to say, in an expand revision where the previous release can live with the result.
EXPANDING = {
    "add_column_online": (
        'add_column_online("todos", sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False))'
    ),
    "create_index_online": 'create_index_online("ix_todos_user_id", "todos", ["user_id"])',
    "drop_index_online": 'drop_index_online("ix_todos_user_id")',
    "backfill": 'backfill("todos", "note = \'\'", "note IS NULL")',
    "add_check_online": 'add_check_online("todos", "ck_todos_position", "position >= 0 AND note LIKE \'%a\'")',
    "add_foreign_key_online": (
        'add_foreign_key_online("fk_todos_user_id", "todos", "people", ["user_id"], ["id"], ondelete="CASCADE")'
    ),
    "add_unique_online": 'add_unique_online("todos", "uq_todos_note", ["note"])',
    "rename_with_view": 'rename_with_view("todos", "tasks")',
    "drop_not_null_online": 'drop_not_null_online("todos", "description")',
    "set_default_online": 'set_default_online("todos", "note", "\'\'")',
    "widen_text_online": 'widen_text_online("todos", "description", "VARCHAR(300)")',
    "retire_table_online": 'retire_table_online("todos")',
    "retire_column_online": 'retire_column_online("todos", "description")',
    "change_type_online": 'change_type_online("todos", "position", "BIGINT")',
    "add_computed_column_online": 'add_computed_column_online("todos", sa.Column("x", sa.Integer()), "position + 1")',
    "add_synced_column_online": (
        'add_synced_column_online("todos", "note", sa.Column("x", sa.Integer()), "length(note)", "repeat(\'x\', x)")'
    ),
    "add_enum_value_online": 'add_enum_value_online("mood", "fine")',
    "set_not_null_online": (
        'add_column_online("todos", sa.Column("due", sa.Date()))\n'
        'set_default_online("todos", "due", "current_date")\n'
        'backfill("todos", "due = current_date", "due IS NULL")\n'
        'set_not_null_online("todos", "due")'
    ),
}
CONTRACTING = {
    "set_not_null_online": 'set_not_null_online("todos", "note")',
    "drop_constraint_online": 'drop_constraint_online("todos", "uq_todos_note")',
    "drop_column_contract": 'drop_column_contract("todos", "note")',
    "drop_table_contract": 'drop_table_contract("todos")',
    "drop_compat_view": 'drop_compat_view("old_todos")',
    "drop_shadow_contract": 'drop_shadow_contract("todos", "position")',
    "drop_dual_write_contract": 'drop_dual_write_contract("todos", "x")',
    "stop_dual_write_contract": 'stop_dual_write_contract("todos", "x")',
    "replace_check_online": 'replace_check_online("todos", "ck_todos_x", "position > 0")',
}
# Undoing an expand, in a downgrade, which lint does not read.
UNDOING = {"rename_back_from_view", "reinstate_column_online", "reinstate_table_online"}


def steps(calls: str) -> str:
    return f"from app.release.operations import *\n{calls}".replace(
        "import *", f"import {', '.join(operations.__all__)}"
    )


@pytest.mark.parametrize("calls", EXPANDING.values(), ids=EXPANDING)
def test_an_operation_passes(tmp_path: Path, calls: str) -> None:
    assert rules_of(tmp_path, steps(calls), EXPAND) == []


@pytest.mark.parametrize("calls", CONTRACTING.values(), ids=CONTRACTING)
def test_one_that_takes_away_passes_as_a_contract_alone(tmp_path: Path, calls: str) -> None:
    assert rules_of(tmp_path, steps(calls), CONTRACT) == []
    assert set(rules_of(tmp_path, steps(calls), EXPAND)) == {"breaks-previous-release"}


def test_each_operation_is_tried() -> None:
    assert {*EXPANDING, *CONTRACTING} | UNDOING == set(operations.__all__)


def test_a_plain_statement_before_an_operation_is_refused(tmp_path: Path) -> None:
    """The operation commits it, and the database's revision has not moved yet."""
    calls = 'op.add_column("todos", sa.Column("due", sa.Date()))\n' + EXPANDING["create_index_online"]
    assert rules_of(tmp_path, steps(calls)) == ["not-rerunnable"]


def test_an_operation_knows_the_line_that_called_it(tmp_path: Path) -> None:
    script = history(tmp_path, steps(EXPANDING["add_unique_online"])).get_revision("0002")
    lines = Path(script.path).read_text().splitlines()
    for statement in render(script).statements:
        assert statement.line is not None
        assert lines[statement.line - 1].strip().startswith("add_unique_online")
        assert statement.by_operation
