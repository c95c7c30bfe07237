"""Migration ledger: the table `schema_ledger`, one row for each applied revision with its phase (expand or contract).

After a rollback, old code does not have the newer revision files. It reads here whether it can run on the database.
Each row is written in the transaction that moves `alembic_version`, so the two cannot disagree.
"""

from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Executable,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.schema import CreateTable

from app.release.connection import connection_of

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
)

TOOL_TABLES = (LEDGER.name, "schema_releases")  # no migration makes them, and no model maps them

_ALL = select(LEDGER.c.revision, LEDGER.c.down_revisions, LEDGER.c.phase)


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


def read_entries(connection: Connection) -> dict[str, LedgerEntry]:
    """revision: its ledger entry. Empty for a database that this runner has never migrated."""
    if not exists(connection):
        return {}
    return {row.revision: LedgerEntry(row.down_revisions, row.phase) for row in connection.execute(_ALL)}


def record_version(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
    """Alembic's on_version_apply hook, called in the migration's transaction, right after alembic_version moved."""
    if not ctx.as_sql and not exists(connection_of(ctx)):
        create(ctx)
    # A migration passes one revision; a stamp may pass many.
    passed = step.revision_map.iterate_revisions(step.up_revision_ids, step.down_revision_ids or "base")
    for script in passed:
        ctx.execute(_upsert(script) if step.is_upgrade else _delete(script))


def _upsert(script: Any) -> Executable:
    down = script.down_revision or ()
    values = {"down_revisions": [down] if isinstance(down, str) else list(down), "phase": phase_of(script)}
    return (
        insert(LEDGER)
        .values(revision=script.revision, **values)
        .on_conflict_do_update(index_elements=["revision"], set_={**values, "applied_at": func.now()})
    )


def _delete(script: Any) -> Executable:
    return delete(LEDGER).where(LEDGER.c.revision == script.revision)
