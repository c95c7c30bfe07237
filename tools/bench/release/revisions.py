"""Write the same schema change twice, as in Alembic's manual and with our operations, and apply it."""

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from alembic.script import ScriptDirectory

from tools.bench.service import ROOT

SIDES = ("naive", "ours")
MIGRATION_WITHIN = 1800  # seconds
TIMED_OUT = 124  # exit code, as of timeout(1)

# scenario: side: the body of upgrade().
UPGRADES: Mapping[str, Mapping[str, str]] = {
    "add-column": {
        "naive": 'op.add_column("notes", sa.Column("colour", sa.String(20), server_default="", nullable=False))',
        "ours": 'add_column_online("notes", sa.Column("colour", sa.String(20), server_default="", nullable=False))',
    },
    "backfill": {
        "naive": """\
op.add_column("notes", sa.Column("length", sa.Integer()))
    op.execute("UPDATE notes SET length = length(content)")""",
        "ours": """\
add_column_online("notes", sa.Column("length", sa.Integer()))
    # Rows that are inserted from now on get the default; existing rows are still NULL.
    set_default_online("notes", "length", "0")
    backfill("notes", set_sql="length = length(content)", where="length IS NULL")""",
    },
    "index": {
        "naive": 'op.create_index("ix_notes_created_at", "notes", ["created_at"])',
        "ours": 'create_index_online("ix_notes_created_at", "notes", ["created_at"])',
    },
    "type": {
        "naive": 'op.alter_column("notes", "version", type_=sa.Integer())',
        "ours": 'change_type_online("notes", "version", "INTEGER")',
    },
    "computed": {
        "naive": """\
op.execute("ALTER TABLE notes ADD COLUMN length int GENERATED ALWAYS AS (length(content)) STORED")""",
        "ours": """\
add_computed_column_online("notes", sa.Column("length", sa.Integer(), nullable=False), "length(content)")""",
    },
    "key": {
        "naive": 'op.alter_column("notes", "id", type_=sa.BigInteger())',
        "ours": 'change_type_online("notes", "id", "BIGINT")',
    },
    "not-null": {
        "naive": 'op.alter_column("numbers", "value", nullable=False)',
        "ours": 'set_not_null_online("numbers", "value")',
    },
}
REVISION = '''\
"""{scenario}"""

import sqlalchemy as sa
from alembic import op
{imports}
revision = "bench"
down_revision = "{head}"
{phase}

def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    raise NotImplementedError
'''
OPERATIONS = """
from online_migrations.operations import *
"""


def begin(side: str, migrations: Path, environment: Mapping[str, str]) -> None:
    """Make a migrations folder without revisions: Flask-Migrate's own, or a copy of ours."""
    if side == "naive":
        subprocess.run(flask(side, "init", migrations), cwd=ROOT, env=environment, check=True, capture_output=True)
    else:
        shutil.copytree(ROOT / "migrations", migrations, ignore=shutil.ignore_patterns("versions"))
        (migrations / "versions").mkdir()


def write(side: str, scenario: str, folder: Path, environment: Mapping[str, str]) -> Path:
    """Write a migrations folder with our history and one more revision."""
    migrations = folder / "migrations"
    shutil.rmtree(migrations, ignore_errors=True)
    begin(side, migrations, environment)
    shutil.copytree(ROOT / "migrations/versions", migrations / "versions", dirs_exist_ok=True)
    is_ours = side == "ours"
    revision = REVISION.format(
        scenario=scenario,
        imports=OPERATIONS if is_ours else "",
        head=ScriptDirectory(str(ROOT / "migrations")).get_current_head(),
        phase='phase = "expand"\n' if is_ours else "",
        upgrade=UPGRADES[scenario][side],
    )
    (migrations / "versions/bench.py").write_text(revision)
    return migrations


def apply(side: str, migrations: Path, environment: Mapping[str, str], log: Path) -> int:
    """Run `flask db upgrade`; return its exit code.

    On a platform the release phase has a dyno of its own. Here it shares the machine, so `nice` lets the web go first.
    """
    with log.open("wb") as output, suppress(subprocess.TimeoutExpired):
        return subprocess.run(
            ["nice", "-n", "10", *flask(side, "upgrade", migrations)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            timeout=MIGRATION_WITHIN,
        ).returncode
    return TIMED_OUT


def flask(side: str, command: str, migrations: Path) -> list[str]:
    app = ["--app", "tools.bench.release.plain"] if side == "naive" else []
    return ["flask", *app, "db", command, "-d", str(migrations)]
