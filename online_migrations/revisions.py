"""Content hash of a revision file: what it does, without its number, its parent and its comments.

The ledger keeps the hash of the file that ran. So a file that was edited afterwards is noticed, and another file of the
same number too.

The revisions of this code: the files in migrations/versions. They do not change while a process runs.

Consistency of the revision files: duplicate revision ids and missing parents.

Revisions are numbered. Two branches that each add the next one take the same number, and git merges the two files
without a conflict. Alembic only warns, and applies one of them. Here that is an error.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from flask import current_app

from online_migrations.errors import ReleaseError


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


NAMES_ONLY = ("revision", "down_revision", "branch_labels", "depends_on")  # constants that do nothing by themselves


def content_hash(path: str | Path) -> str:
    """SHA-256 of the file's syntax tree, in hexadecimal; comments, docstrings and layout do not count."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_name(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: object) -> str:
    """The tree as text. Unlike ast.dump(), it is the same on every version of Python: without fields that are empty,
    which a newer Python adds or leaves out."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({', '.join(f'{name}={_canonical(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


def _is_name(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in NAMES_ONLY for target in targets)
