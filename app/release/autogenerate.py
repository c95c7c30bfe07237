"""Numbering for now."""

from collections.abc import Iterable
from typing import Any

from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


def is_ours(item: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    return not (type_ == "table" and name == "schema_ledger")


def process_revision(
    migration: MigrationContext, revision: str | Iterable[str | None], directives: list[MigrationScript]
) -> None:
    """Give a new revision the next number, so that the folder lists them in order; write none when nothing changed."""
    [script] = directives
    if getattr(context.config.cmd_opts, "autogenerate", False) and script.upgrade_ops_list[0].is_empty():
        directives.clear()
        return
    revisions = ScriptDirectory.from_config(context.config).walk_revisions()
    script.rev_id = f"{sum(1 for _ in revisions) + 1:04d}"
