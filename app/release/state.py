"""Where the database's schema stands, seen from this code."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

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


def schema_state(connection: Connection) -> SchemaState:
    """Read what the database says. Leaves the transaction open that the reading began.

    Raises:
        OperationalError: the database does not answer.
    """
    applied = database_revisions(connection)
    code_heads = revisions.code_heads()
    unknown = [revision for revision in applied if not revisions.known(revision)]
    name, pending, foreign = (
        _ahead(unknown, applied, ledger.entries(connection)) if unknown else _at_or_behind(applied, code_heads)
    )
    return SchemaState(name, ",".join(code_heads), ",".join(applied) or None, pending, foreign)


def database_revisions(connection: Connection) -> list[str]:
    """What alembic_version holds; nothing when no migration has run."""
    try:
        with connection.begin_nested():
            return list(connection.scalars(_DATABASE_REVISIONS))
    except ProgrammingError:  # no such table
        return []


def _at_or_behind(applied: list[str], code_heads: list[str]) -> tuple[str, list[str], list[str]]:
    if applied == code_heads:
        return AT_HEAD, [], []
    return BEHIND, [step.revision for step in revisions.pending(applied)], []


def _ahead(
    unknown: list[str], applied: list[str], entries: Mapping[str, ledger.Entry]
) -> tuple[str, list[str], list[str]]:
    """Walk down the ledger from what this code does not know to what it knows."""
    foreign: list[str] = []
    reached = {revision for revision in applied if revisions.known(revision)}
    to_visit = list(unknown)
    while to_visit:
        revision = to_visit.pop(0)
        if revisions.known(revision):
            reached.add(revision)
        elif revision not in entries:
            return UNKNOWN, [], [*foreign, revision]
        elif revision not in foreign:
            foreign.append(revision)
            to_visit.extend(entries[revision].down_revisions)
    if _missing(reached):
        return UNKNOWN, [], foreign
    contract = any(entries[revision].phase != ledger.EXPAND for revision in foreign)
    return AHEAD_CONTRACT if contract else AHEAD, [], foreign


def _missing(reached: Collection[str]) -> bool:
    """Whether the code has steps of which the database has none: it went another way, not further."""
    return bool(revisions.pending(reached))
