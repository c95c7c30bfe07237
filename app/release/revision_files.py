"""Consistency of the revision files: duplicate revision ids and missing parents.

Revisions are numbered. Two branches that each add the next one take the same number, and git merges the two files
without a conflict. Alembic only warns, and applies one of them. Here that is an error.
"""

import ast
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import ScriptDirectory

from app.release.errors import ReleaseError


class DeclaredRevision(NamedTuple):
    file: str
    revision: str
    down_revisions: tuple[str, ...]


def declared_revisions(script_directory: ScriptDirectory) -> list[DeclaredRevision]:
    """`revision` and `down_revision` of each file, read without running the file."""
    paths = sorted(Path(script_directory.versions).glob("*.py"))
    found = ((path.name, _constants(path)) for path in paths)
    return [DeclaredRevision(file, names["revision"], _as_tuple(names)) for file, names in found if "revision" in names]


def duplicate_revisions(script_directory: ScriptDirectory) -> dict[str, list[str]]:
    """revision: its files. Only revisions that stand in more than one file."""
    files = defaultdict(list)
    for one in declared_revisions(script_directory):
        files[one.revision].append(one.file)
    return {revision: names for revision, names in files.items() if len(names) > 1}


def require_consistent_files(script_directory: ScriptDirectory) -> None:
    """
    Raises:
        ReleaseError: two files have one revision, or a file follows a revision that no file has.
    """
    require_parent_files(script_directory)
    for revision, names in duplicate_revisions(script_directory).items():
        raise ReleaseError(
            f"Revision {revision} has several files, {', '.join(names)}, of which Alembic would apply one. Give the"
            " later one the next number as its revision, and this number as its down_revision."
        )


def require_parent_files(script_directory: ScriptDirectory) -> None:
    """
    Raises:
        ReleaseError: a file follows a revision that no file has. Alembic cannot build a history then.
    """
    all_declared = declared_revisions(script_directory)
    known = {one.revision for one in all_declared}
    for one in all_declared:
        for missing in set(one.down_revisions) - known:
            raise ReleaseError(
                f"{one.file} follows revision {missing}, which no file in migrations/versions has. Name the revision"
                f" that it follows now as its down_revision, or find the lost file with: git log --all -S {missing}"
            )


def _constants(path: Path) -> dict[str, Any]:
    """The module's constants `revision` and `down_revision`."""
    names: dict[str, Any] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
            names[target.id] = ast.literal_eval(getattr(node, "value", None) or ast.Constant(None))
    return names


def _as_tuple(names: dict[str, Any]) -> tuple[str, ...]:
    down = names.get("down_revision") or ()
    return (down,) if isinstance(down, str) else tuple(down)
