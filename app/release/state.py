"""Where the database's schema stands, seen from this code."""

from collections.abc import Mapping
from typing import NamedTuple

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app.release import ledger, revisions

AT_HEAD = "at_head"
BEHIND = "behind"  # steps of this code are pending
AHEAD = "ahead"  # a newer release migrated, by steps that this code can live with
AHEAD_CONTRACT = "ahead_contract"  # … by steps that it cannot
UNKNOWN = "unknown"  # at a revision of which neither the code nor the ledger knows how to come from here

_DATABASE_REVISIONS = text("SELECT version_num FROM alembic_version ORDER BY version_num")


class SchemaState(NamedTuple):
    name: str
    code_head: str  # several, with commas, when branches of the code were not merged
    database_revision: str | None  # likewise
    pending: list[str]  # revisions, the first to be applied first
    foreign: list[str]  # revisions that the database has and this code does not, the newest first


def schema_state(connection: Connection, code: ScriptDirectory | None = None) -> SchemaState:
    """Read what the database says. Leaves the transaction open that the reading began.

    Args:
        code: the revisions to compare with, else this code's own.

    Raises:
        OperationalError: the database does not answer.
    """
    code = code or revisions.script_directory()
    applied = database_revisions(connection)
    unknown = [revision for revision in applied if revision not in revisions.known(code)]
    if unknown:
        name, foreign = _ahead(code, applied, ledger.entries(connection))
        pending: list[str] = []
    else:
        name, foreign, pending = _at_or_behind(code, applied)
    return SchemaState(name, ",".join(revisions.heads(code)), ",".join(applied) or None, pending, foreign)


def _at_or_behind(code: ScriptDirectory, applied: list[str]) -> tuple[str, list[str], list[str]]:
    if applied == revisions.heads(code):
        return AT_HEAD, [], []
    try:
        return BEHIND, [], [step.revision for step in revisions.pending(code, applied)]
    except RevisionError:  # rows of alembic_version that contradict each other
        return UNKNOWN, applied, []


def database_revisions(connection: Connection) -> list[str]:
    """What alembic_version holds; nothing when no migration has run."""
    try:
        with connection.begin_nested():
            return list(connection.scalars(_DATABASE_REVISIONS))
    except ProgrammingError:  # no such table
        return []


def _ahead(code: ScriptDirectory, applied: list[str], entries: Mapping[str, ledger.Entry]) -> tuple[str, list[str]]:
    """Walk down the ledger from what this code does not know to what it knows: the state, and what is foreign."""
    foreign: list[str] = []
    reached: set[str] = set()
    to_visit = list(applied)
    while to_visit:
        revision = to_visit.pop(0)
        if revision in revisions.known(code):
            reached.add(revision)
        elif revision not in entries:
            return UNKNOWN, [*foreign, revision]
        elif revision not in foreign:
            foreign.append(revision)
            to_visit.extend(entries[revision].down_revisions)
    if revisions.pending(code, reached):  # the database went another way than this code, not further
        return UNKNOWN, foreign
    contract = any(entries[revision].phase != ledger.EXPAND for revision in foreign)
    return AHEAD_CONTRACT if contract else AHEAD, foreign
