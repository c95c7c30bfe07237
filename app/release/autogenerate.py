"""`flask db migrate`: the revision that it writes is numbered, safe, and says its phase."""

import logging
from collections.abc import Iterable
from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations.ops import AddColumnOp, MigrateOperation, MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, inspect

from app.release import ledger
from app.release.connection import connection_of
from app.release.operations.steps import RETIRED
from app.release.rewriter import Call, Change, arguments_of, rewritten
from app.release.rewriter.columns import default_sql

log = logging.getLogger(__name__)

QUEUE = "procrastinate_"  # what the names of the queue's tables begin with, which no model describes


def is_ours(item: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Whether models and database are compared in this: not in what tools keep, nor in what a release retired."""
    if not reflected or compare_to is not None:
        return True
    if type_ == "table":
        is_of_a_tool = name == ledger.LEDGER.name or str(name).startswith(QUEUE)
        return not is_of_a_tool and not is_retired(item)
    if type_ == "column":
        return not is_retired(item)
    columns = getattr(item, "columns", ())
    return not any(is_retired(item.table.columns[column.name]) for column in columns)


def is_retired(item: Any) -> bool:
    return bool(item.comment == RETIRED)


class QuotesInDefaults(PostgresqlImpl):
    """Alembic's comparison, but for a text that holds a quote, which Alembic sends to the server unescaped."""

    __dialect__ = "postgresql"  # takes the place of the one that it extends

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        text_of_it = getattr(metadata_column.server_default, "arg", None)
        if rendered_inspector_default is None or not isinstance(text_of_it, str) or "'" not in text_of_it:
            return bool(
                super().compare_server_default(  # type: ignore[no-untyped-call]
                    inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default
                )
            )
        return rendered_inspector_default.split("::")[0] != default_sql(metadata_column.server_default)


# How models and database are compared, by migrate, check and doctor alike.
COMPARISON: dict[str, Any] = {
    "compare_server_default": True,
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    "include_object": is_ours,
}


def process_revision(
    migration: MigrationContext, revision: str | Iterable[str | None], directives: list[MigrationScript]
) -> None:
    """Alembic's process_revision_directives: of migrate, check and revision."""
    [script] = directives
    if getattr(context.config.cmd_opts, "autogenerate", False):
        change = change_of(script, migration)
        if not change.up:
            directives.clear()
            return
        write(script, change, migration)
    script.rev_id = next_number()


def change_of(script: MigrationScript, migration: MigrationContext) -> Change:
    """What the models ask for; when they ask for nothing, the dropping of what an earlier release retired."""
    autogen = AutogenContext(migration, opts=migration.opts)
    directives = script.upgrade_ops_list[0]
    change = dropping(migration, autogen) if directives.is_empty() else rewritten(directives, autogen)
    script.imports.update(autogen.imports)  # of the types in the arguments
    return change


def write(script: MigrationScript, change: Change, migration: MigrationContext) -> None:
    script.upgrade_ops_list[0].ops[:] = change.up
    script.downgrade_ops_list[0].ops[:] = change.down
    calls = sorted({op.function for op in [*change.up, *change.down] if isinstance(op, Call)})
    if calls:
        script.imports.add(f"from app.release.operations import {', '.join(calls)}")
    migration.opts["template_args"]["phase"] = change.phase  # read by migrations/script.py.mako


def next_number() -> str:
    """So that the folder lists the revisions in their order."""
    revisions = ScriptDirectory.from_config(context.config).walk_revisions()
    return f"{sum(1 for _ in revisions) + 1:04d}"


def dropping(migration: MigrationContext, autogen: AutogenContext) -> Change:
    """Drop what is marked as retired. That a release lies between is checked when it runs."""
    inspector = inspect(connection_of(migration))
    up: list[MigrateOperation] = []
    down: list[MigrateOperation] = []
    for table in inspector.get_table_names():
        if inspector.get_table_comment(table)["text"] == RETIRED:
            up.append(Call("drop_table_contract", repr(table)))
            continue
        for column in inspector.get_columns(table):
            if column.get("comment") == RETIRED:
                bare = Column(column["name"], column["type"], nullable=True)
                up.append(Call("drop_column_contract", f"{table!r}, {column['name']!r}"))
                down.insert(0, Call("add_column_online", arguments_of(AddColumnOp(table, bare), autogen)))
    if up:
        log.warning("this revision drops what was retired; ship it in a release after the one that retired it")
    return Change(up, down, ledger.CONTRACT)
