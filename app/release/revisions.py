"""The revisions of this code: the files in migrations/versions. They do not change while a process runs."""

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
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


def unmerged_heads(code: ScriptDirectory) -> list[str]:
    """Return the heads that nobody keeps apart: of one base, and of no branch with a label of its own."""
    alike = defaultdict(list)
    for head in heads(code):
        script = code.get_revision(head)
        alike[_base(script, code), frozenset(script.branch_labels)].append(head)
    return sorted(head for same in alike.values() if len(same) > 1 for head in same)


def _base(script: Script, code: ScriptDirectory) -> str:
    while script.down_revision:
        script = next(iter(code.get_revisions(script.down_revision)))
    return script.revision


@cache
def known_revisions(code: ScriptDirectory) -> frozenset[str]:
    return frozenset(script.revision for script in code.walk_revisions())


def parents(script: Revision, code: RevisionMap) -> list[str]:
    """Return the revisions that have to run before it: what it follows, and what its `depends_on` names.

    None for a base, several for a merge.
    """
    down = script.down_revision or ()
    needed = code.get_revisions(script.dependencies or ())
    follows = [down] if isinstance(down, str) else list(down)
    return [*follows, *(one.revision for one in needed if isinstance(one, Revision))]


def pending(code: ScriptDirectory, applied: Collection[str]) -> list[Script]:
    """Return the revisions that `flask db upgrade heads` would run, in that order, whatever base they come by.

    Args:
        applied: what alembic_version holds.

    Raises:
        RevisionError: its rows contradict each other.
    """
    steps = code.iterate_revisions("heads", tuple(applied), implicit_base=True)
    return list(steps)[::-1]
