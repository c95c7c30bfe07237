"""Histories of migrations that tests write: a table that has been in use, and one revision after it."""

from pathlib import Path
from textwrap import dedent, indent

from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.guard.rules import Violation
from online_migrations.lint import lint

EXPAND = 'phase = "expand"'
CONTRACT = 'phase = "contract"'
BLOCK = "with op.get_context().autocommit_block():\n    "
NO_MODELS = MetaData()

BASE = f"""
op.create_table(
    "todos",
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("user_id", sa.BigInteger()),
    sa.Column("description", sa.String(200), nullable=False),
    sa.Column("position", sa.Integer(), server_default="0", nullable=False),
    sa.Column("note", sa.String(20)),
)
op.create_table(
    "people",
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.String(20)),
    sa.UniqueConstraint("name", name="uq_people_name"),
)
op.create_index("ix_todos_position", "todos", ["position"])
op.execute("CREATE TYPE mood AS ENUM ('glad')")
op.execute("ALTER TABLE todos ADD gone text")
op.execute("CREATE TABLE leftovers (id int)")
op.execute("COMMENT ON COLUMN todos.gone IS '{RETIRED_COMMENT}'")
op.execute("COMMENT ON TABLE leftovers IS '{RETIRED_COMMENT}'")
"""

REVISION = '''\
"""Step {revision}."""

import sqlalchemy as sa
from alembic import op

from online_migrations.operations import *

revision = "{revision}"
down_revision = {down!r}
{constants}


def upgrade():
{up}


def downgrade():
{back}
'''

Down = str | tuple[str, ...] | None


def revision_text(revision: str, down: Down, up: str = "pass", constants: str = EXPAND, back: str = "pass") -> str:
    """Return a revision's file. The lines of upgrade() and downgrade() may be indented."""
    up, back = (indent(dedent(lines).strip("\n"), "    ") for lines in (up, back))
    return REVISION.format(revision=revision, down=down, constants=constants, up=up, back=back)


def write_revision(folder: Path, revision: str, down: Down, up: str = "pass", constants: str = EXPAND) -> Path:
    """Write a revision into a folder of migrations."""
    versions = folder / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    path = versions / f"{revision}_step.py"
    path.write_text(revision_text(revision, down, up, constants))
    return path


def history(folder: Path, steps: str, constants: str = EXPAND) -> ScriptDirectory:
    """Write 0001, which creates todos and people; 0002, which does `steps`, the lines of its upgrade()."""
    write_revision(folder, "0001", None, BASE)
    write_revision(folder, "0002", "0001", steps, constants)
    return ScriptDirectory(str(folder))


def findings(folder: Path, steps: str, constants: str = EXPAND, models: MetaData = NO_MODELS) -> list[Violation]:
    """Return what lint says of `steps`."""
    return lint(history(folder, steps, constants), models, ["0002"])


def rules_of(folder: Path, steps: str, constants: str = EXPAND, models: MetaData = NO_MODELS) -> list[str]:
    return [finding.rule for finding in findings(folder, steps, constants, models)]
