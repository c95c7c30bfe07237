"""Migration ledger: the table `schema_ledger`, one row for each applied revision with its phase (expand or contract).

After a rollback, old code does not have the newer revision files. It reads here whether it can run on the database.
Each row is written in the transaction that moves `alembic_version`, so the two cannot disagree.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, Executable, Row, Select, Text, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from online_migrations.revisions import content_hash, parents, with_ancestors
from online_migrations.state import tables
from online_migrations.state.tables import LEDGER

EXPAND = "expand"  # the previous release still runs after this step
CONTRACT = "contract"  # it does not, or the revision does not say

_ALL = select(LEDGER.c.revision, LEDGER.c.down_revisions, LEDGER.c.phase)
_HASH = tables.newer(LEDGER.c.content_hash)
_CONTENTS = select(LEDGER.c.revision, _HASH.label("content_hash")).where(_HASH.is_not(None))
_RENUMBERED = _CONTENTS.where(LEDGER.c.renumbered_from.is_not(None))
_HOLDS_ALL = text(
    "SELECT count(*) > 0 AND bool_and(content_hash IS NOT NULL) AND bool_or(down_revisions = '{}') FROM schema_ledger"
)
_HISTORY = select(LEDGER).order_by(LEDGER.c.applied_at.desc(), LEDGER.c.revision.desc())


class LedgerEntry(NamedTuple):
    down_revisions: list[str]
    phase: str


def phase_of(script: Script) -> str:
    """Return the `phase` constant of a revision file; CONTRACT, the safe answer, when there is none."""
    return EXPAND if getattr(script.module, "phase", None) == EXPAND else CONTRACT


def read_entries(connection: Connection) -> dict[str, LedgerEntry]:
    """Return the entries by revision; none of a database that this runner has never migrated."""
    return {row.revision: LedgerEntry(row.down_revisions, row.phase) for row in _rows(connection, _ALL)}


def read_steps(connection: Connection, code: ScriptDirectory) -> dict[str, LedgerEntry]:
    """Return the steps that the code or the ledger knows, by revision. The ledger says what really ran."""
    steps = {
        script.revision: LedgerEntry(parents(script, code.revision_map), phase_of(script))
        for script in code.walk_revisions()
    }
    return steps | read_entries(connection)


def steps_since(
    steps: Mapping[str, LedgerEntry], newest: Collection[str], heads: Collection[str]
) -> tuple[list[str], bool]:
    """Return the revisions up to the newest ones that code with these heads does not have, the newest first; and if
    the whole way from there is known.
    """
    parents = {revision: step.down_revisions for revision, step in steps.items()}
    way, own = with_ancestors(newest, parents), with_ancestors(heads, parents)
    since = [revision for revision in way if revision not in own]
    return since, set(heads) <= set(way) and steps.keys() >= {*heads, *since}


def read_history(connection: Connection) -> list[Row[Any]]:
    """Return all rows, the newest first."""
    return _rows(connection, _HISTORY)


def read_contents(connection: Connection) -> dict[str, str]:
    """Return by revision the hash of the file that ran here. Only revisions that ran since hashes are kept have one."""
    return {row.revision: row.content_hash for row in _rows(connection, _CONTENTS)}


def read_renumbered(connection: Connection) -> dict[str, str]:
    """Return the same of those that ran under another number; they must not run again."""
    return {row.revision: row.content_hash for row in _rows(connection, _RENUMBERED)}


def _rows(connection: Connection, query: Select[Any]) -> list[Row[Any]]:
    return list(connection.execute(query)) if tables.exists(connection, LEDGER) else []


def holds_all(connection: Connection) -> bool:
    """Return whether every revision of this database ran since hashes are kept, from the first one on."""
    return bool(connection.scalar(_HOLDS_ALL))


def verified(connection: Connection, heads: Collection[str]) -> str | None:
    """Return the fingerprint of the schema and the models that were last found alike at these revisions."""
    found: str | None = connection.scalar(select(LEDGER.c.verified).where(LEDGER.c.revision.in_(heads)).limit(1))
    return found


def verify(connection: Connection, heads: Collection[str], fingerprint: str | None) -> None:
    """Note that schema and models are alike, if the fingerprint is known. Commits."""
    connection.execute(update(LEDGER).where(LEDGER.c.revision.in_(heads)).values(verified=fingerprint))
    connection.commit()


def record_version(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
    """Alembic's on_version_apply hook, called in the migration's transaction, right after alembic_version moved."""
    guard = ctx.opts.get("guard")
    cost = guard.cost_so_far() if guard is not None else None
    for script in _passed(step):
        if step.is_upgrade:
            ctx.execute(_upsert(script, step.revision_map, cost))
        elif not step.is_stamp:  # what a stamp leaves behind did run here
            ctx.execute(delete(LEDGER).where(LEDGER.c.revision == script.revision))


def _passed(step: MigrationInfo) -> list[Any]:
    """Return the revisions that the step moves over: a migration's own, all those that a stamp leaves out."""
    if step.is_migration:
        return list(step.up_revisions)
    up, down = step.up_revision_ids, step.down_revision_ids
    return list(step.revision_map.iterate_revisions(up, down, implicit_base=True))


def _upsert(script: Any, code: RevisionMap, cost: dict[str, int] | None) -> Executable:
    values = {
        # --sql prints an empty array as ARRAY[], of which PostgreSQL cannot tell the type.
        "down_revisions": cast(parents(script, code), ARRAY(Text)),
        "phase": phase_of(script),
        "content_hash": content_hash(script.path),
        "cost": cost,
        "verified": None,
    }
    return (
        insert(LEDGER)
        .values(revision=script.revision, **values)
        .on_conflict_do_update(index_elements=["revision"], set_={**values, "applied_at": func.now()})
    )
