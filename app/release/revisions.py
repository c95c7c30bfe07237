"""The revisions of this code: the files in migrations/versions, which do not change while a process runs."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

from alembic.script import Script, ScriptDirectory

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@cache
def script_directory() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


def code_heads() -> list[str]:
    """More than one when two branches of the code each added a revision."""
    return sorted(script_directory().get_heads())


def known(revision: str) -> bool:
    return revision in all_revisions()


@cache
def all_revisions() -> frozenset[str]:
    return frozenset(script.revision for script in script_directory().walk_revisions())


def pending(applied: Collection[str]) -> list[Script]:
    """The steps from the revisions that a database is at to the code's heads, the first one first."""
    steps = script_directory().iterate_revisions("heads", tuple(applied) or "base")
    return list(steps)[::-1]
