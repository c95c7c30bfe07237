"""Migration ledger: the table `schema_ledger`, one row for each applied revision with its phase (expand or contract).

After a rollback, old code does not have the newer revision files, and reads here whether it can run on the database.
Each row is written in the transaction that moves `alembic_version`, so the two cannot disagree. Where two branches
each added 0015, and one of them has the next number now, the row of a database that ran that one moves to the new
number, the version goes back, and the upgrade runs what is missing.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Executable, Row, Text, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from online_migrations.errors import ReleaseError
from online_migrations.revisions import content_hashes, parents, with_ancestors
from online_migrations.state import tables
from online_migrations.state.tables import LEDGER

EXPAND = "expand"  # the previous release still runs after this step
CONTRACT = "contract"  # it does not, or the revision does not say

_OLDEST = ("revision", "down_revisions", "phase", "applied_at")  # columns that every version had
_COLUMNS = [column if column.name in _OLDEST else tables.newer(column) for column in LEDGER.columns]
_HISTORY = select(*_COLUMNS).order_by(LEDGER.c.applied_at.desc(), LEDGER.c.revision.desc())
_VERSION = text("UPDATE alembic_version SET version_num = :parent")
_MOVE = text(
    "UPDATE schema_ledger SET revision = :now, renumbered_from = :was WHERE revision = :was AND content_hash = :hash"
)

log = logging.getLogger(__name__)


class LedgerEntry(NamedTuple):
    down_revisions: list[str]
    phase: str


def phase_of(script: Script) -> str:
    """Return the `phase` constant of a revision file; CONTRACT, the safe answer, when there is none."""
    return EXPAND if getattr(script.module, "phase", None) == EXPAND else CONTRACT


def read_steps(connection: Connection, code: ScriptDirectory) -> dict[str, LedgerEntry]:
    """Return the steps that the code or the ledger knows, by revision. The ledger says what really ran."""
    steps = {script.revision: LedgerEntry(parents(script), phase_of(script)) for script in code.walk_revisions()}
    return steps | {row.revision: LedgerEntry(row.down_revisions, row.phase) for row in read_history(connection)}


def steps_since(
    steps: Mapping[str, LedgerEntry], newest: Collection[str], heads: Collection[str]
) -> tuple[list[str], bool]:
    """Return what code with these heads lacks, the newest first; and if the whole way from there is known."""
    parents = {revision: step.down_revisions for revision, step in steps.items()}
    way, own = with_ancestors(newest, parents), with_ancestors(heads, parents)
    since = [revision for revision in way if revision not in own]
    return since, set(heads) <= set(way) and steps.keys() >= {*heads, *since}


def read_history(connection: Connection) -> list[Row[Any]]:
    """Return all rows, the newest first."""
    return list(connection.execute(_HISTORY)) if tables.exists(connection, LEDGER) else []


def holds_all(connection: Connection) -> bool:
    """Return whether every revision of this database ran since hashes are kept, from the first one on."""
    rows = read_history(connection)
    return all(row.content_hash for row in rows) and any(not row.down_revisions for row in rows)


def verified(connection: Connection, heads: Collection[str]) -> str | None:
    """Return the fingerprint of the schema and the models that were last found alike at these revisions."""
    return next((row.verified for row in read_history(connection) if row.revision in heads), None)


def verify(connection: Connection, heads: Collection[str], fingerprint: str | None) -> None:
    """Note that schema and models are alike, if the fingerprint is known. Commits."""
    connection.execute(update(LEDGER).where(LEDGER.c.revision.in_(heads)).values(verified=fingerprint))
    connection.commit()


def record_version(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
    """Alembic's on_version_apply hook, called in the migration's transaction, right after alembic_version moved."""
    guard = ctx.opts.get("guard")
    cost = guard.cost_so_far() if guard is not None else None
    if step.is_migration:
        passed: Iterable[Any] = step.up_revisions
    else:  # a stamp: all that it leaves out
        up, down = step.up_revision_ids, step.down_revision_ids
        passed = step.revision_map.iterate_revisions(up, down, implicit_base=True)
    for script in passed:
        if step.is_upgrade:
            ctx.execute(_upsert(script, cost))
        elif not step.is_stamp:  # what a stamp leaves behind did run here
            ctx.execute(delete(LEDGER).where(LEDGER.c.revision == script.revision))


def _upsert(script: Any, cost: dict[str, int] | None) -> Executable:
    values = {
        # --sql prints an empty array as ARRAY[], of which PostgreSQL cannot tell the type.
        "down_revisions": cast(parents(script), ARRAY(Text)),
        "phase": phase_of(script),
        "content_hash": content_hashes(script.path)[0],
        "cost": cost,
        "verified": None,
    }
    row = insert(LEDGER).values(revision=script.revision, **values)
    return row.on_conflict_do_update(index_elements=["revision"], set_={**values, "applied_at": func.now()})


class OtherFile(NamedTuple):
    """A revision that ran here, and whose file does something else now."""

    script: Script
    hash: str  # of what ran
    now: str | None  # the number that this has in the code; None: no file does it

    def __str__(self) -> str:
        return f"what ran here as {self.script.revision} is {self.now} in this code; its row in the ledger moves"


def other_files(connection: Connection, code: ScriptDirectory, applied: Collection[str]) -> list[OtherFile]:
    """Return what was edited or renumbered since it ran, the newest first. `applied` is what alembic_version holds."""
    ran = {row.revision: row.content_hash for row in read_history(connection) if row.content_hash}
    scripts = list(code.iterate_revisions(tuple(applied), "base")) if applied else []
    kept = [script for script in scripts if script.revision in ran]
    changed = [script for script in kept if ran[script.revision] not in content_hashes(script.path)]
    every = code.walk_revisions() if changed else ()
    numbers = {hash_: script.revision for script in every for hash_ in content_hashes(script.path)}
    hashes = ((script, ran[script.revision]) for script in changed)
    return [OtherFile(script, hash_, numbers.get(hash_)) for script, hash_ in hashes]


def require_renumbered(moved: list[OtherFile], applied: Collection[str]) -> None:
    """Refuse a file that was edited after it had run here."""
    if moved and (len(applied) > 1 or not all(one.now for one in moved)):
        script = moved[-1].script
        raise ReleaseError(
            f"{script.revision} is another one in this code than the {script.revision} that ran on this database: its"
            " file was edited since, or it took the number of a revision that is lost. Nothing was changed. Put the"
            f" file back as it was, which this shows: git log -p -- {script.path} — and write what it lacks as a new"
            " revision, with: flask db migrate"
        )


def follow_renumbering(connection: Connection, code: ScriptDirectory, applied: list[str]) -> None:
    """Move the rows of revisions that have another number now, and the version to the one before them. Commits."""
    moved = other_files(connection, code, applied)
    require_renumbered(moved, applied)
    for one in moved:  # the highest first, so the new number is free
        log.warning("%s", one)
        connection.execute(_MOVE, {"was": one.script.revision, "now": one.now, "hash": one.hash})
    if moved:
        connection.execute(_VERSION, {"parent": moved[-1].script.down_revision})
        connection.commit()


def without_what_ran(steps: Iterable[MigrationStep], history: Iterable[Row[Any]]) -> Iterator[Any]:
    """Yield Alembic's steps; one whose content ran here under another number only moves the version."""
    ran = {row.revision: row.content_hash for row in history if row.renumbered_from}
    for step in steps:
        upgrade = step.revision if isinstance(step, RevisionStep) and step.is_upgrade else None
        if upgrade and ran.get(upgrade.revision) in content_hashes(upgrade.path):
            log.info("%s ran here under another number", upgrade.revision)
            step.migration_fn = lambda **_: None
        yield step
