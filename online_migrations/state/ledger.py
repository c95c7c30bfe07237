"""Migration ledger: the table `schema_ledger`, one row for each applied revision with its phase (expand or contract).

After a rollback, old code does not have the newer revision files. It reads here whether it can run on the database.
Each row is written in the transaction that moves `alembic_version`, so the two cannot disagree.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Executable,
    MetaData,
    Row,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.schema import CreateColumn, CreateTable

from online_migrations.connection import connection_of, execute_verbatim
from online_migrations.revisions import content_hash, parents
from online_migrations.sql import DIALECT

EXPAND = "expand"  # the previous release still runs after this step
CONTRACT = "contract"  # it does not, or the revision does not say

# On a MetaData of its own, because no migration creates or drops it. Like alembic_version, it belongs to the tool.
LEDGER = Table(
    "schema_ledger",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("down_revisions", ARRAY(Text), nullable=False),
    Column("phase", String(8), nullable=False),
    Column("applied_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    Column("content_hash", String(64)),  # of the file that ran; NULL: an older version of this tool ran it
    Column("renumbered_from", String(32)),  # the number that the file had when it ran here
    Column("cost", JSONB),  # see effects/cost.py; NULL: no release was there to be kept waiting
    Column("verified", String(64)),  # see verification.py; NULL: nobody has compared schema and models since it ran
)

TOOL_TABLES = (LEDGER.name, "schema_releases", "schema_backfills")  # no migration makes them, and no model maps them
VERSION_TABLE = "alembic_version"

_COLUMNS = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('schema_ledger') AND attnum > 0"
    " AND NOT attisdropped"
)
_ALL = select(LEDGER.c.revision, LEDGER.c.down_revisions, LEDGER.c.phase)
# As JSON, since the ledger of an older version of this tool has no such column.
_CONTENTS = text("SELECT revision, to_jsonb(entry) ->> 'content_hash' AS content_hash FROM schema_ledger entry")
_RENUMBERED = select(LEDGER.c.revision, LEDGER.c.content_hash).where(LEDGER.c.renumbered_from.is_not(None))
_HOLDS_ALL = text(
    "SELECT count(*) > 0 AND bool_and(content_hash IS NOT NULL) AND bool_or(down_revisions = '{}') FROM schema_ledger"
)
_HISTORY = select(LEDGER).order_by(LEDGER.c.applied_at.desc(), LEDGER.c.revision.desc())


class LedgerEntry(NamedTuple):
    down_revisions: list[str]
    phase: str


def phase_of(script: Script) -> str:
    """The `phase` constant of a revision file; CONTRACT, the safe answer, when there is none."""
    return EXPAND if getattr(script.module, "phase", None) == EXPAND else CONTRACT


def exists(connection: Connection) -> bool:
    return inspect(connection).has_table(LEDGER.name)


def create(migration: MigrationContext) -> None:
    migration.execute(CreateTable(LEDGER, if_not_exists=True))


def prepare(connection: Connection) -> None:
    """Make the table, or add the columns that an older version of this tool did not have. Commits."""
    there = set(connection.scalars(_COLUMNS))
    if not there:
        connection.execute(CreateTable(LEDGER, if_not_exists=True))
    for column in LEDGER.columns if there else ():
        if column.name not in there:
            definition = str(CreateColumn(column).compile(dialect=DIALECT))
            execute_verbatim(connection, f"ALTER TABLE {LEDGER.name} ADD COLUMN IF NOT EXISTS {definition}")
    connection.commit()


def read_contents(connection: Connection) -> dict[str, str]:
    """revision: the hash of the file that ran here. Only of revisions that ran since hashes are kept."""
    found = connection.execute(_CONTENTS) if exists(connection) else ()
    return {row.revision: row.content_hash for row in found if row.content_hash}


def read_renumbered(connection: Connection) -> dict[str, str]:
    """revision: content hash, of those that ran under another number; they must not run again."""
    return {row.revision: row.content_hash for row in connection.execute(_RENUMBERED)}


def holds_all(connection: Connection) -> bool:
    """Whether every revision of this database ran since hashes are kept, from the first one on."""
    return bool(connection.scalar(_HOLDS_ALL))


def verified(connection: Connection, heads: Collection[str]) -> str | None:
    """Return the fingerprint of the schema and the models that were last found alike at these revisions."""
    found: str | None = connection.scalar(select(LEDGER.c.verified).where(LEDGER.c.revision.in_(heads)).limit(1))
    return found


def verify(connection: Connection, heads: Collection[str], fingerprint: str) -> None:
    """Note that schema and models are alike. Commits."""
    connection.execute(update(LEDGER).where(LEDGER.c.revision.in_(heads)).values(verified=fingerprint))
    connection.commit()


def read_history(connection: Connection) -> list[Row[Any]]:
    """All rows, the newest first."""
    return list(connection.execute(_HISTORY)) if exists(connection) else []


def read_entries(connection: Connection) -> dict[str, LedgerEntry]:
    """revision: its ledger entry. Empty for a database that this runner has never migrated."""
    if not exists(connection):
        return {}
    return {row.revision: LedgerEntry(row.down_revisions, row.phase) for row in connection.execute(_ALL)}


def record_version(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
    """Alembic's on_version_apply hook, called in the migration's transaction, right after alembic_version moved."""
    if not ctx.as_sql and not exists(connection_of(ctx)):
        create(ctx)
    guard = ctx.opts.get("guard")
    cost = guard.cost_so_far() if guard is not None else None
    for script in _passed(step):
        if step.is_upgrade:
            ctx.execute(_upsert(script, step.revision_map, cost))
        elif not step.is_stamp:  # what a stamp leaves behind did run here
            ctx.execute(_delete(script))


def _passed(step: MigrationInfo) -> list[Any]:
    """Return the revisions that the step moves over: a migration's own, all those that a stamp leaves out.

    What a migration's `depends_on` names has run before, in a step of its own.
    """
    if step.is_migration:
        return list(step.up_revisions)
    up, down = step.up_revision_ids, step.down_revision_ids
    return list(step.revision_map.iterate_revisions(up, down, implicit_base=True))


def _upsert(script: Any, code: RevisionMap, cost: dict[str, Any] | None) -> Executable:
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


def _delete(script: Any) -> Executable:
    return delete(LEDGER).where(LEDGER.c.revision == script.revision)
