"""The revision files of this code, in migrations/versions: which follows which, and what each does.

Two branches that each add the next number are merged by git without a conflict. Alembic only warns, and applies one of
the two files; here that is an error. By the content hash in the ledger, a file that was edited after it ran is noticed,
and another file of the same number too.
"""

import ast
import hashlib
import inspect
import traceback
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision
from alembic.util import to_tuple

from online_migrations import options
from online_migrations.errors import BrokenFile, ReleaseError, told

NOT_RUN_BY_A_CALL = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def script_directory() -> ScriptDirectory:
    """Return Alembic's view of the directory that Flask-Migrate was given. (`flask db … -d FOLDER` uses another.)"""
    return _read(options.directory())


@cache  # the files do not change while a process runs
def _read(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def unmerged_heads(code: ScriptDirectory) -> list[str]:
    """Return the heads that nobody keeps apart: of one base, and of no branch with a label of its own."""
    alike = defaultdict(list)
    for head in code.get_heads():
        base = script = code.get_revision(head)
        while base.down_revision:  # not what a `depends_on` names, which may have another base
            base = next(iter(code.get_revisions(base.down_revision)))
        alike[base.revision, frozenset(script.branch_labels)].append(head)
    return sorted(head for same in alike.values() if len(same) > 1 for head in same)


@cache
def known_revisions(code: ScriptDirectory) -> frozenset[str]:
    return frozenset(script.revision for script in code.walk_revisions())


def parents(script: Revision) -> list[str]:
    """Return the revisions that have to run before it: what it follows, and what its `depends_on` names."""
    return list(script._all_down_revisions)


def with_ancestors(heads: Iterable[str], parents: Mapping[str, Collection[str]]) -> list[str]:
    """Return the heads and all that lies before them, as far as parents are known; breadth first."""
    found = list(heads)
    for revision in found:  # which grows meanwhile
        found += [parent for parent in parents.get(revision, ()) if parent not in found]
    return found


def pending(code: ScriptDirectory, applied: Collection[str]) -> list[Script]:
    """Return in order what `flask db upgrade heads` would run. RevisionError: alembic_version contradicts itself."""
    steps = code.iterate_revisions("heads", tuple(applied), implicit_base=True)
    return list(steps)[::-1]


def made_too_early(code: ScriptDirectory, pending: Collection[str], there: Collection[str]) -> list[str]:
    """Return which of these tables only revisions make that have not run. Not one that may be there: IF NOT EXISTS."""
    if not pending:
        return []
    ran, to_run = set[str](), set[str]()
    for script in code.walk_revisions():
        made = to_run if script.revision in pending else ran
        made |= _tables_made(Path(script.path).read_bytes())
    return sorted((to_run - ran).intersection(there))


def _tables_made(source: bytes) -> set[str]:
    """Return the names that upgrade() gives to op.create_table(), without a schema, as text."""
    found = set()
    functions = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    for node in (node for function in functions for node in ast.walk(function)):
        match node:
            case ast.Call(func=ast.Attribute(attr="create_table"), args=[ast.Constant(value=str(name)), *_]):
                given = {keyword.arg for keyword in node.keywords}
                found |= set() if given & {"schema", "if_not_exists"} else {name}
    return found


def require_consistent_files(code: ScriptDirectory) -> None:
    """Refuse two files of one revision, a file that follows a revision that no file has, and one that does nothing."""
    require_parent_files(code)
    for script in _scripts(code):
        for name in ("upgrade", *(["downgrade"] if hasattr(script.module, "downgrade") else [])):
            if not _is_run_by_a_call(getattr(script.module, name, None)):
                file = Path(script.path).name
                raise BrokenFile(f"{file}: no call runs its {name}(). Write it as: def {name}() -> None:")
    for revision, names in duplicate_revisions(code).items():
        raise ReleaseError(
            f"Revision {revision} has several files, {', '.join(names)}, of which Alembic would apply one. Give the"
            " later one the next number as its revision, and this number as its down_revision."
        )


def _is_run_by_a_call(function: object) -> bool:
    if not inspect.isfunction(function) or function.__code__.co_flags & NOT_RUN_BY_A_CALL:
        return False
    with suppress(TypeError):  # of one that wants arguments
        inspect.signature(function).bind()
        return True
    return False


def require_parent_files(code: ScriptDirectory) -> None:
    """Refuse a file that follows a revision that no file has: Alembic cannot build a history then."""
    scripts = _scripts(code)
    known = {script.revision for script in scripts}
    for script in scripts:
        for missing in {*to_tuple(script.down_revision, default=())} - known:
            raise ReleaseError(
                f"{Path(script.path).name} follows revision {missing}, which no file in migrations/versions has. Name"
                " the revision that it follows now as its down_revision, or find the lost file with:"
                f" git log --all -S {missing}"
            )


def duplicate_revisions(code: ScriptDirectory) -> dict[str, list[str]]:
    """Return by revision its files, where it has several."""
    files = defaultdict(list)
    for script in _scripts(code):
        files[script.revision].append(Path(script.path).name)
    return {revision: names for revision, names in files.items() if len(names) > 1}


def _scripts(code: ScriptDirectory) -> list[Script]:
    """Return the scripts of all files, also of two with one revision, of which Alembic's own map keeps one."""
    try:
        return sorted(code._load_revisions(), key=lambda script: script.path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file may do anything
        place = raised_at(error, *map(str, Path(code.versions).glob("*.py"))) or "A revision"
        raise BrokenFile(f"{place} cannot be imported, {told(error)}. Mend the file.") from error


def raised_at(error: BaseException, *paths: str) -> str:
    """Return the last file and line of these files in which it was raised; empty: in none of them."""
    if isinstance(error, SyntaxError) and error.filename in paths:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in paths]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def statements_of_upgrade(source: str | bytes) -> set[str]:
    """Return the statements of upgrade() in a file's text, whatever their layout."""
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return {ast.dump(statement) for node in functions if node.name == "upgrade" for statement in node.body}


NUMBERS = {"revision", "down_revision", "branch_labels", "depends_on"}  # constants that do nothing by themselves
LIBRARY = ("online_migrations.", "app.release.")  # this library; and where it was when the first revisions ran
MARK = "2:"  # of a hash without the imports of the library; those from before have no mark
LENGTH = 64  # of the ledger's column


def content_hashes(path: str | Path) -> tuple[str, str]:
    """Return the hash of a file as the ledger keeps it now, and as older versions kept it: what ran is one of these.

    Numbers, comments, docstrings, layout and from where the library is imported do not count.
    """
    return _hashes(Path(path).read_bytes())


@cache  # a command asks for it several times, of each file
def _hashes(source: bytes) -> tuple[str, str]:
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not _assigned(node) & NUMBERS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    before = _sha256(tree)
    return f"{MARK}{_sha256(_WithoutLibrary().visit(tree))}"[:LENGTH], before


def _assigned(node: ast.stmt) -> set[str]:
    """Return the name that a statement assigns to, as `name = …` or `name: type = …`."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


class _WithoutLibrary(ast.NodeTransformer):
    """Leave out the imports of the library, but an operation under another name (`import … as …`)."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        if not f"{node.module}.".startswith(LIBRARY):
            return node
        renamed = [alias for alias in node.names if alias.asname]
        return ast.ImportFrom(None, renamed, level=0) if renamed else None

    def visit_Import(self, node: ast.Import) -> ast.Import | None:
        others = [alias for alias in node.names if not f"{alias.name}.".startswith(LIBRARY)]
        return ast.Import(others) if others else None


def _sha256(tree: ast.Module) -> str:
    return hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: object) -> str:
    """Return the tree as text, without empty fields: ast.dump() has others on each version of Python."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({', '.join(f'{name}={_canonical(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)
