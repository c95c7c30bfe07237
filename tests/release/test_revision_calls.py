"""Which operations a revision calls, however it writes them; and that none drops what the same release retires."""

from pathlib import Path

import pytest
from alembic.script import Script
from alembic.util.pyfiles import load_module_py

from app.release.expand_contract import drop_in_same_release
from app.release.revision_calls import operation_calls

FILE = """\
from app.release import operations
from app.release.operations import *
from app.release.operations import retire_column_online as retire
from app.release.operations.schemas import in_schema

down_revision = None
TABLE, COLUMNS = "notes", ("pinned", "colour")


def upgrade():
{body}
"""

RETIRES = {
    "by place": 'retire_column_online("notes", "pinned")',
    "by name": 'retire_column_online(table="notes", column="pinned")',
    "by both": 'retire_column_online("notes", column="pinned")',
    "by constants of the module": "retire_column_online(TABLE, COLUMNS[0])",
    "by variables": 'table = "notes"\nretire_column_online(table, "pin" + "ned")',
    "under another name": 'retire("notes", "pinned")',
    "by its module": 'operations.retire_column_online("notes", "pinned")',
    "in a loop": "for column in COLUMNS:\n    retire_column_online(TABLE, column)",
    "in a loop over pairs": 'for t, c in [("notes", "pinned")]:\n    retire_column_online(t, c)',
    "with a default": 'retire_column_online("notes", "pinned", default="false")',
    "under a condition": 'if True:\n    retire_column_online("notes", "pinned")',
    "in the schema that is the default one": 'with in_schema("public"):\n    retire_column_online("notes", "pinned")',
}
DROPS = {
    "by place": 'drop_column_contract("notes", "pinned")',
    "by name": 'drop_column_contract(column="pinned", table="notes")',
    "in a loop": "for column in COLUMNS:\n    drop_column_contract(TABLE, column)",
    "with its table": 'drop_table_contract("notes")',
}
OTHERS = {
    "another column": ('retire_column_online("notes", "pinned")', 'drop_column_contract("notes", "colour")'),
    "another table": ('retire_table_online("notes")', 'drop_table_contract("todos")'),
    "another table, by names": ('retire_table_online(table="notes")', 'drop_table_contract(table="todos")'),
    "of names that are equal in two schemas": (
        'with in_schema("audit"):\n    retire_table_online("notes")',
        'drop_table_contract("notes")',
    ),
    "a column that is called as a table of a schema": (
        'with in_schema("notes"):\n    retire_table_online("pinned")',
        'drop_column_contract("notes", "pinned")',
    ),
    "what was reinstated between": (
        'retire_column_online(table="notes", column="pinned")\nreinstate_column_online("notes", "pinned")',
        'drop_column_contract("notes", "pinned")',
    ),
    "a table of which a column is retired elsewhere": (
        'with in_schema("audit"):\n    retire_column_online("notes", "pinned")',
        'drop_table_contract("notes")',
    ),
}


def script(folder: Path, number: int, body: str) -> Script:
    path = folder / f"{number:04d}_step.py"
    path.write_text(FILE.format(body="\n".join(f"    {line}" for line in body.splitlines())))
    return Script(load_module_py(f"step_{number}", path), f"{number:04d}", str(path))


@pytest.mark.parametrize("retires", RETIRES.values(), ids=list(RETIRES))
@pytest.mark.parametrize("drops", DROPS.values(), ids=list(DROPS))
def test_what_one_revision_retires_the_next_does_not_drop(tmp_path: Path, retires: str, drops: str) -> None:
    said = drop_in_same_release([script(tmp_path, 1, retires), script(tmp_path, 2, drops)])
    assert said is not None
    assert said.startswith("0002 drops notes.pinned, which 0001 retires in this same release")


@pytest.mark.parametrize(("retires", "drops"), OTHERS.values(), ids=list(OTHERS))
def test_nothing_is_said_of_another(tmp_path: Path, retires: str, drops: str) -> None:
    assert drop_in_same_release([script(tmp_path, 1, retires), script(tmp_path, 2, drops)]) is None


def test_one_revision_does_not_do_both(tmp_path: Path) -> None:
    both = f"{RETIRES['by name']}\n{DROPS['by place']}"
    assert "0001 both retires and drops notes.pinned" in (drop_in_same_release([script(tmp_path, 1, both)]) or "")


def test_a_table_in_a_schema_is_named_with_it(tmp_path: Path) -> None:
    body = 'with in_schema("audit"):\n    retire_table_online("notes")\n    drop_table_contract(table="notes")'
    assert "drops audit.notes," in (drop_in_same_release([script(tmp_path, 1, body)]) or "")


@pytest.mark.parametrize(
    "body",
    [
        'retire_column_online(name(), "pinned")',
        "retire_column_online(*arguments)",
        'retire_column_online("notes")',
        'print("notes", "pinned")',
        'op.retire_column_online("notes", "pinned")',
        "for column in columns():\n    retire_column_online(TABLE, column)",
        'table = name()\nretire_column_online(table, "pinned")',
    ],
)
def test_what_the_text_does_not_say_is_left_to_the_run(tmp_path: Path, body: str) -> None:
    assert operation_calls(script(tmp_path, 1, body)) == []
