"""What was done to this database, told to code that does not have the revisions: the release before, after a rollback.

A row is written in the transaction that moves `alembic_version`, so the two cannot disagree.
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

EXPAND = "expand"  # the previous release runs on what this step leaves
CONTRACT = "contract"  # it does not, or nobody has said that it does

# A metadata of its own: like alembic_version the table belongs to the tool, and no migration creates or drops it.
LEDGER = Table(
    "schema_ledger",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("down_revisions", ARRAY(Text), nullable=False),
    Column("phase", String(8), nullable=False),
    Column("applied_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
)

_ALL = select(LEDGER.c.revision, LEDGER.c.down_revisions, LEDGER.c.phase)


class Entry(NamedTuple):
    down_revisions: list[str]
    phase: str


def phase_of(script: Script) -> str:
    """What a revision's file says of itself; one that does not say is a contract."""
    return EXPAND if getattr(script.module, "phase", None) == EXPAND else CONTRACT


def exists(connection: Connection) -> bool:
    return inspect(connection).has_table(LEDGER.name)


def create(migration: MigrationContext) -> None:
    migration.execute(CreateTable(LEDGER, if_not_exists=True))


def entries(connection: Connection) -> dict[str, Entry]:
    """revision: what is known of it. Empty for a database that was never migrated by this runner."""
    if not exists(connection):
        return {}
    return {row.revision: Entry(row.down_revisions, row.phase) for row in connection.execute(_ALL)}


def record(*, ctx: MigrationContext, step: MigrationInfo, heads: set[str], run_args: dict[str, Any]) -> None:
    """Alembic's on_version_apply: called in the migration's transaction, right after the version was moved."""
    if not ctx.as_sql and not exists(connection_of(ctx)):
        create(ctx)
    # One revision for a migration; for a stamp all that it passes over.
    passed = step.revision_map.iterate_revisions(step.up_revision_ids, step.down_revision_ids or "base")
    for script in passed:
        ctx.execute(_remember(script) if step.is_upgrade else _forget(script))


def _remember(script: Any) -> Executable:
    down = script.down_revision or ()
    values = {"down_revisions": [down] if isinstance(down, str) else list(down), "phase": phase_of(script)}
    return (
        insert(LEDGER)
        .values(revision=script.revision, **values)
        .on_conflict_do_update(index_elements=["revision"], set_={**values, "applied_at": func.now()})
    )


def _forget(script: Any) -> Executable:
    return delete(LEDGER).where(LEDGER.c.revision == script.revision)
