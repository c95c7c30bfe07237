"""Read a revision's file: the operations that it calls, however it writes them, its phase, and its content hash."""

from pathlib import Path

from alembic.script import Script
from alembic.util.pyfiles import load_module_py

from app.release.content_hash import content_hash
from app.release.expand_contract import drop_in_same_release
from app.release.ledger import phase_of
from app.release.revision_calls import operation_calls
from tests.release.history import history

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


def said_of(folder: Path, *bodies: str) -> str:
    """Return what is said against revisions with these bodies, in one release."""
    scripts = [script(folder, number, body) for number, body in enumerate(bodies, start=1)]
    return drop_in_same_release(scripts) or ""


def test_what_one_revision_retires_the_next_does_not_drop(tmp_path: Path) -> None:
    pairs = [(retires, DROPS["by name"]) for retires in RETIRES.values()]
    pairs += [(RETIRES["by both"], drops) for drops in DROPS.values()]
    refused = "0002 drops notes.pinned, which 0001 retires in this same release"
    assert [pair for pair in pairs if not said_of(tmp_path, *pair).startswith(refused)] == []


def test_nothing_is_said_of_another(tmp_path: Path) -> None:
    assert {name: said for name, bodies in OTHERS.items() if (said := said_of(tmp_path, *bodies))} == {}


def test_one_revision_does_not_do_both(tmp_path: Path) -> None:
    assert "0001 both retires and drops notes.pinned" in said_of(
        tmp_path, f"{RETIRES['by place']}\n{DROPS['by place']}"
    )


def test_a_table_in_a_schema_is_named_with_it(tmp_path: Path) -> None:
    body = 'with in_schema("audit"):\n    retire_table_online("notes")\n    drop_table_contract(table="notes")'
    assert "drops audit.notes," in said_of(tmp_path, body)


def test_what_the_text_does_not_say_is_left_to_the_run(tmp_path: Path) -> None:
    unreadable = (
        'retire_column_online(name(), "pinned")',
        "retire_column_online(*arguments)",
        'retire_column_online("notes")',
        'print("notes", "pinned")',
        'op.retire_column_online("notes", "pinned")',
        "for column in columns():\n    retire_column_online(TABLE, column)",
        'table = name()\nretire_column_online(table, "pinned")',
    )
    assert [body for body in unreadable if operation_calls(script(tmp_path, 1, body))] == []


def test_whatever_does_not_say_expand_counts_as_contract(tmp_path: Path) -> None:
    """That is the safe answer for a rollback."""
    constants = ('phase = "expand"', 'phase = "contract"', "", 'phase = "Expand"', "phase = True")
    phases = [
        phase_of(history(tmp_path / str(n), "pass", said).get_revision("0002")) for n, said in enumerate(constants)
    ]
    assert phases == ["expand", *4 * ["contract"]]


REVISION = '''\
"""Add notes.colour."""

from alembic import op

revision = "0002"
phase = "expand"


def upgrade() -> None:
    """Why."""
    op.execute(f"ALTER TABLE notes ADD colour {'text'}")  # a comment


def downgrade() -> None:
    pass
'''


def test_what_it_does_counts_and_numbers_comments_and_docstrings_do_not(tmp_path: Path) -> None:
    """Python 3.13 prints a syntax tree otherwise than 3.12, and reads the ledger that 3.12 wrote."""
    file = tmp_path / "0002_add_notes_colour.py"

    def hash_of(old: str, new: str) -> str:
        file.write_text(REVISION.replace(old, new))
        return content_hash(file)

    own = hash_of("", "")
    assert own == "72e7628bce56c8307e204035b9fee14c2678b8d4fb23bb0395990e2538e82a18"
    for old, new in (('"0002"', '"0003"'), ("  # a comment", ""), ('"""Why."""', '"""Because."""')):
        assert hash_of(old, new) == own, old
    for old, new in (("colour", "color"), ('"expand"', '"contract"'), ("pass", "upgrade()")):
        assert hash_of(old, new) != own, old
