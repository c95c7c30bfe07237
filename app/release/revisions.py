"""The revisions of this code: the files in migrations/versions. They do not change while a process runs."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from flask import current_app


def script_directory() -> ScriptDirectory:
    """Alembic's view of the directory that Flask-Migrate was given. (`flask db … -d FOLDER` uses another one.)"""
    return _read(Path(current_app.extensions["migrate"].directory).resolve())


@cache
def _read(directory: Path) -> ScriptDirectory:
    return ScriptDirectory(str(directory))


def heads(code: ScriptDirectory) -> list[str]:
    """The head revisions, sorted. More than one when two branches each added a revision."""
    return sorted(code.get_heads())


@cache
def known_revisions(code: ScriptDirectory) -> frozenset[str]:
    return frozenset(script.revision for script in code.walk_revisions())


def parents(script: Script) -> list[str]:
    """The revisions that it follows: none for the first, several for a merge."""
    down = script.down_revision or ()
    return [down] if isinstance(down, str) else list(down)


def pending(code: ScriptDirectory, applied: Collection[str]) -> list[Script]:
    """The revisions between the database and the code's heads, in the order in which they are applied.

    Args:
        applied: what alembic_version holds.
    """
    steps = code.iterate_revisions("heads", tuple(applied) or "base")
    return list(steps)[::-1]
