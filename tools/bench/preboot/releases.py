"""Make releases of this very code: each adds a column that its pages read and write, or drops the one before.

An expand adds `bench_N` to the notes and retires the column of the expand before it; the contract after it drops that
one. So old code, new code and the schema always differ by a column that a page needs.
"""

from pathlib import Path

MODELS, SERVICE = "app/notes/models.py", "app/notes/service.py"
# Each stands once in its file, and tests/bench/test_bench.py says so when that is no longer true.
ANCHORS = {
    MODELS: "    archived_at: Mapped[datetime | None]  # in the archive since then",
    f"{SERVICE} insert": '_CREATE = QUOTA.insert("title", "content", "tags")',
    f"{SERVICE} values": "is_alone=True,",
    f"{SERVICE} select": "Note.updated_at, Note.archived_at, Note.deleted_at,",
}

REVISION = '''"""Release {number} of tools.bench.preboot."""

import sqlalchemy as sa

from online_migrations.operations import (
    add_column_online,
    drop_column_contract,
    reinstate_column_online,
    retire_column_online,
)

revision = "{revision}"
down_revision = "{before}"
phase = "{phase}"


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''
ADD = '    add_column_online("notes", sa.Column("bench_{0}", sa.Integer(), server_default="0", nullable=False))'
DROP = '    drop_column_contract("notes", "bench_{0}")'
RETIRE = '    retire_column_online("notes", "bench_{0}")'
REINSTATE = '    reinstate_column_online("notes", "bench_{0}")'


def release(root: Path, number: int, head: str) -> dict[str, str]:
    """Return the files of a release, by path, of the code in `root`, whose newest revision is `head`.

    0 adds the first column; then odd ones expand, and even ones contract.
    """
    revision = f"{int(head) + number + 1:04}"
    newest = number if number % 2 else max(number - 1, 0)
    before = max(newest - 2, 0)  # the column of the expand before the newest
    if number == 0:
        steps = "expand", [ADD.format(0)], [DROP.format(0)]
    elif number % 2:
        steps = (
            "expand",
            [ADD.format(newest), RETIRE.format(before)],
            [REINSTATE.format(before), DROP.format(newest)],
        )
    else:
        steps = "contract", [DROP.format(before)], [ADD.format(before), RETIRE.format(before)]
    return {f"migrations/versions/{revision}_bench.py": _revision(number, revision, *steps), **_code(root, newest)}


def _revision(number: int, revision: str, phase: str, upgrade: list[str], downgrade: list[str]) -> str:
    return REVISION.format(
        number=number,
        revision=revision,
        before=f"{int(revision) - 1:04}",
        phase=phase,
        upgrade="\n".join(upgrade),
        downgrade="\n".join(downgrade),
    )


def _code(root: Path, number: int) -> dict[str, str]:
    """Return the code that maps bench_N, writes it with each new note, and reads it with each note that is shown."""
    column = f"bench_{number}"
    models, service = ((root / name).read_text() for name in (MODELS, SERVICE))
    mapped = f'{ANCHORS[MODELS]}\n    {column}: Mapped[int] = mapped_column(server_default="0")'
    changes = {
        f"{SERVICE} insert": f'_CREATE = QUOTA.insert("title", "content", "tags", "{column}")',
        f"{SERVICE} values": f"is_alone=True, {column}={number},",
        f"{SERVICE} select": f"Note.updated_at, Note.archived_at, Note.{column}, Note.deleted_at,",
    }
    for name, text in changes.items():
        service = service.replace(ANCHORS[name], text)
    return {MODELS: models.replace(ANCHORS[MODELS], mapped), SERVICE: service}
