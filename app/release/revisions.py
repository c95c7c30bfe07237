"""The revisions of this code: the files in migrations/versions, which do not change while a process runs."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

from alembic.script import Script, ScriptDirectory

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@cache
def script_directory() -> ScriptDirectory:
    """This code's own; `flask db … -d FOLDER` names another."""
    return ScriptDirectory(str(MIGRATIONS))


def heads(code: ScriptDirectory) -> list[str]:
    """More than one when two branches of the code each added a revision."""
    return sorted(code.get_heads())


@cache
def known(code: ScriptDirectory) -> frozenset[str]:
    return frozenset(script.revision for script in code.walk_revisions())


def pending(code: ScriptDirectory, applied: Collection[str]) -> list[Script]:
    """The steps from the revisions that a database is at to the code's heads, the first one first."""
    steps = code.iterate_revisions("heads", tuple(applied) or "base")
    return list(steps)[::-1]
