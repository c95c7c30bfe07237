"""Schema state: is the database at, behind or ahead of this code's head revision, and what is there to do?

A process that serves finds nearly always that it is at head. That is read from the files of the revisions: to import
them and Alembic costs a process 12 MB, so only a database that is not at head costs that.
"""

import ast
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from online_migrations import options
from online_migrations.locks import lock_holder
from online_migrations.sessions import locale_weakness, session_obstacle

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

AT_HEAD = "at_head"
BEHIND = "behind"  # this code has revisions that are pending
AHEAD = "ahead"  # a newer release migrated, and this code still runs
AHEAD_CONTRACT = "ahead_contract"  # a newer release migrated, and this code does not run
UNKNOWN = "unknown"  # no path from the database's revision to this code, neither in the files nor in the ledger

__all__ = [
    "AHEAD",
    "AHEAD_CONTRACT",
    "AT_HEAD",
    "BEHIND",
    "UNKNOWN",
    "SchemaState",
    "applied_revisions",
    "locale_weakness",
    "migration_in_progress",
    "read_schema_state",
    "session_obstacle",
]

_NUMBERS = ("revision", "down_revision", "depends_on")  # of a file
_DATABASE_REVISIONS = text("SELECT version_num FROM alembic_version ORDER BY version_num")


class SchemaState(NamedTuple):
    name: str  # one of the constants above
    code_head: str  # several, with commas, when branches of the code were not merged
    database_revision: str | None  # several, with commas, in the same case; None before the first migration
    pending: list[str]  # revisions to apply, the first one first
    foreign: list[str]  # revisions that the database has and this code has not, the newest first
    obstacles: tuple[str, ...] = ()  # why this code does not run, where the forecast knows; a clause each


def read_schema_state(connection: Connection, code: "ScriptDirectory | None" = None) -> SchemaState:
    """Compare the database's revision to the code's, by default that of migrations/versions. Raises: OperationalError.

    On a database that is ahead, code that noted here what it uses, when it was live, is judged by the forecast; other
    code by the phases of the steps that it does not have. The transaction stays open that reading began.
    """
    applied = database_revisions(connection)
    if code is None and applied and sorted(applied) == written_heads(options.directory() / "versions"):
        return SchemaState(AT_HEAD, ",".join(sorted(applied)), ",".join(applied), [], [])
    return _compared(connection, applied, code)


@cache  # as revisions.script_directory(): the files do not change while a process runs
def written_heads(folder: Path) -> list[str] | None:
    """Return the heads as the files write them, sorted; None: only Alembic can tell, which imports the files."""
    files = (file for file in folder.glob("*.py") if not file.name.startswith(("__init__", ".#")))  # as Alembic
    try:
        numbers = [_numbers(file) for file in files]
    except (OSError, SyntaxError, ValueError):
        return None
    known = {revision for revision, _ in numbers}
    followed = {parent for _, parents in numbers for parent in parents}
    heads = sorted(known - followed)
    return heads if heads and len(known) == len(numbers) and followed <= known else None


def _numbers(file: Path) -> tuple[str, tuple[str, ...]]:
    """Return the revision of a file and what it follows. Raises: ValueError: they are more than constants."""
    found: dict[str, Any] = {}
    for node in ast.parse(file.read_bytes()).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                found[name] = ast.literal_eval(value) if name in _NUMBERS else None
            case ast.Expr() | ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.ClassDef():
                pass
            case _:  # a condition, say, in which they may be set
                raise ValueError
    revision, follows = found.get("revision", 0), found.get("down_revision", 0)  # 0: it is not there, and no name
    parents = tuple(follows) if isinstance(follows, tuple | list) else () if follows is None else (follows,)
    if found.get("depends_on") or not all(isinstance(one, str) for one in (revision, *parents)):
        raise ValueError
    return str(revision), parents


def _compared(connection: Connection, applied: list[str], code: "ScriptDirectory | None") -> SchemaState:
    """Compare them with what Alembic knows of the code. Its revisions are imported for that, and here for that."""
    from alembic.script.revision import RevisionError

    from online_migrations import revisions
    from online_migrations.state import ledger, live
    from online_migrations.state.forecasts import forecast

    code = code or revisions.script_directory()
    head, revision = ",".join(sorted(code.get_heads())), ",".join(applied) or None
    if revisions.known_revisions(code).issuperset(applied):
        try:
            pending = [step.revision for step in revisions.pending(code, applied)]
        except RevisionError:  # rows of alembic_version that contradict each other
            return SchemaState(UNKNOWN, head, revision, [], applied)
        return SchemaState(BEHIND if pending else AT_HEAD, head, revision, pending, [])
    steps = ledger.read_steps(connection, code)
    foreign, is_known = ledger.steps_since(steps, applied, code.get_heads())
    if not is_known:  # or the two histories have diverged
        return SchemaState(UNKNOWN, head, revision, [], foreign)
    release = live.own_release(connection, options.current().metadata, head)
    obstacles = tuple(forecast(connection, release)) if release else ()
    contracts = [step for step in foreign if steps[step].phase != ledger.EXPAND]
    name = AHEAD_CONTRACT if (obstacles if release else contracts) else AHEAD
    return SchemaState(name, head, revision, [], foreign, obstacles)


def database_revisions(connection: Connection) -> list[str]:
    """Return what alembic_version holds; nothing when no migration has run."""
    try:
        with connection.begin_nested():
            return list(connection.scalars(_DATABASE_REVISIONS))
    except ProgrammingError:  # there is no such table
        return []


def applied_revisions(connection: Connection) -> dict[str, datetime]:
    """Return by revision when it ran here, as the ledger says."""
    from online_migrations.state import ledger  # with Alembic

    return {row.revision: row.applied_at for row in ledger.read_history(connection)}


def migration_in_progress(connection: Connection) -> bool:
    """Return whether a session holds the migration lock of this project. Leaves the transaction open."""
    return lock_holder(connection) is not None


def ahead_and_compatible(state: SchemaState) -> str:
    """Say after a rollback that there is nothing to do: all newer steps are expand steps."""
    at = f"the database is at {state.database_revision}, ahead of this code at {state.code_head}"
    return f"nothing to do: {at}, by steps that this code runs on ({', '.join(state.foreign)})"


def two_heads(state: SchemaState, unmerged: list[str]) -> str:
    several = f"The code has more than one head ({', '.join(unmerged) or state.code_head})"
    if not unmerged:
        return f"{several}. Apply all of them with: flask db upgrade heads"
    join = "flask db merge heads -m 'Merge' — and then run: flask db upgrade"
    return f"{several}: two branches each added a revision. Join them with: {join}"


def refusal(state: SchemaState) -> str:
    """Return why a command cannot run in this schema state, and which one to type."""
    database, code = state.database_revision or "no revision", state.code_head
    foreign = ", ".join(state.foreign) or database
    obstacles = f" ({'; '.join(state.obstacles)})" if state.obstacles else ""
    return {
        BEHIND: f"The database is at {database} and the code at {code}; {len(state.pending)} pending:"
        f" {', '.join(state.pending)}. Apply them with: flask db upgrade — and then run this command again.",
        AHEAD: f"The database is at {database}, ahead of this code at {code}: a newer release added {foreign}, on which"
        " this code runs. This command needs the newer code: git pull (or deploy the newer commit), then run it again.",
        AHEAD_CONTRACT: f"The database is at {database}, ahead of this code at {code}, and {foreign} took away what"
        f" this code uses{obstacles}. Do not go back: deploy the newer commit again, fixed if need be (roll forward).",
        UNKNOWN: f"The database is at {database}, and neither this code (at {code}) nor the database's ledger knows how"
        f" {foreign} came about; nothing was changed. If it is the right database, find the revision's file with: git"
        f" log --all -S {foreign} -- migrations/versions — and bring it back. Do not stamp: that hides the difference.",
    }[state.name]
