"""Autogenerate: `flask db migrate` writes a numbered revision in online operations, with its phase."""

import logging
from collections.abc import Iterable
from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations.ops import AddColumnOp, MigrateOperation, MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, inspect, text

from app.release import ledger, naming, operations, options
from app.release.connection import connection_of
from app.release.marks import RETIRED_COMMENT
from app.release.operations import schemas
from app.release.operations.column_swap import SHADOW_OF_FORMER, SHADOW_PREFIX, shadow_of
from app.release.operations.dual_writes import dual_writes_on
from app.release.rewriter import Call, Change, arguments_of, enums, rewrite_directives
from app.release.rewriter.columns import default_sql

_SEARCH_FIRST = text(
    "SELECT set_config('search_path', quote_ident(:schema) || ', ' || current_setting('search_path'), true)"
)

log = logging.getLogger(__name__)


def target_metadata() -> MetaData:
    """The models' MetaData. Each CHECK in it has a name, by which it is compared."""
    metadata = options.current().metadata
    naming.name_checks(metadata)
    return metadata


def include_object(item: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Alembic's include_object hook: leave out the tables of tools, and what an earlier release retired."""
    if not reflected or compare_to is not None:
        return True
    if type_ == "table":
        is_of_a_tool = name in ledger.TOOL_TABLES or str(name).startswith(options.current().unmapped_prefixes)
        return not is_of_a_tool and not is_retired(item)
    if type_ == "column":
        return not is_retired(item)
    columns = getattr(item, "columns", ())
    return not any(is_retired(item.table.columns[column.name]) for column in columns)


def is_retired(item: Any) -> bool:
    """Whether a table or column has the comment of a retired one, or of the shadow of a changed type."""
    return bool(item.comment == RETIRED_COMMENT or str(item.comment).startswith(SHADOW_PREFIX))


def include_name(name: str | None, type_: str, parents: Any) -> bool:
    """Alembic's include_name hook: look into the default schema, which is None, and into those that the models name."""
    return type_ != "schema" or name in model_schemas()


def model_schemas() -> list[str | None]:
    """The default one first."""
    return [None, *sorted({table.schema for table in options.current().metadata.tables.values() if table.schema})]


class PostgresqlImplWithQuotedDefaults(PostgresqlImpl):
    """Compares a text default that holds a quote in Python; Alembic would send it to the server unescaped."""

    __dialect__ = "postgresql"  # registers this class in place of the one that it extends

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        default = getattr(metadata_column.server_default, "arg", None)
        if rendered_inspector_default is None or not isinstance(default, str) or "'" not in default:
            return bool(
                super().compare_server_default(  # type: ignore[no-untyped-call]
                    inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default
                )
            )
        return rendered_inspector_default.split("::")[0] != default_sql(metadata_column.server_default)


# How models and database are compared, by migrate, check and doctor alike.
COMPARISON_OPTIONS: dict[str, Any] = {
    "compare_server_default": True,
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", enums.PLUGIN],
    "include_object": include_object,
    "include_name": include_name,
    "include_schemas": True,
}


def process_revision_directives(
    migration: MigrationContext, revision: str | Iterable[str | None], directives: list[MigrationScript]
) -> None:
    """Alembic's process_revision_directives hook, of migrate and check.

    `flask db revision` does not load env.py, so it does not come here: give it its number with --rev-id.
    """
    [script] = directives
    if getattr(context.config.cmd_opts, "autogenerate", False):
        change = compute_change(script, migration)
        if not change.up:
            directives.clear()
            return
        fill_script(script, change, migration)
    script.rev_id = next_number()


def compute_change(script: MigrationScript, migration: MigrationContext) -> Change:
    """What the models ask for. If they ask for nothing: drop what an earlier release retired."""
    autogen = AutogenContext(migration, opts=migration.opts)
    directives = script.upgrade_ops_list[0]
    change = drop_retired(migration, autogen) if directives.is_empty() else rewrite_directives(directives, autogen)
    script.imports.update(autogen.imports)  # of the types in the arguments
    return change


def fill_script(script: MigrationScript, change: Change, migration: MigrationContext) -> None:
    """Put the change, its imports and its phase into the file to be written."""
    script.upgrade_ops_list[0].ops[:] = change.up
    script.downgrade_ops_list[0].ops[:] = change.down
    calls = [op for op in [*change.up, *change.down] if isinstance(op, Call)]
    if calls:
        functions = sorted({call.function for call in calls})
        script.imports.add(f"from {operations.__name__} import {', '.join(functions)}")
    if any(call.schema for call in calls):
        script.imports.add(f"from {schemas.__name__} import {schemas.in_schema.__name__}")
    migration.opts["template_args"]["phase"] = change.phase  # read by migrations/script.py.mako


def next_number() -> str:
    """The next revision id, such as "0015". Numbers keep the files in order."""
    revisions = ScriptDirectory.from_config(context.config).walk_revisions()
    return f"{sum(1 for _ in revisions) + 1:04d}"


def drop_retired(migration: MigrationContext, autogen: AutogenContext) -> Change:
    """The contract step: drop the tables and columns that have the comment "retired".

    upgrade checks later that another release lies between (expand_contract.py).
    """
    inspector = inspect(connection_of(migration))
    up: list[MigrateOperation] = []
    down: list[MigrateOperation] = []
    places = [(schema, table) for schema in model_schemas() for table in inspector.get_table_names(schema)]
    for schema, table in places:
        if schema:  # what asks the catalog by the table's name alone finds it
            connection_of(migration).execute(_SEARCH_FIRST, {"schema": schema})
        if inspector.get_table_comment(table, schema)["text"] == RETIRED_COMMENT:
            up.append(Call("drop_table_contract", repr(table), schema))
            continue
        columns = inspector.get_columns(table, schema)
        shadows = [column["name"] for column in columns if column.get("comment") == SHADOW_OF_FORMER]
        up += [
            Call("drop_shadow_contract", f"{table!r}, {column['name']!r}", schema)
            for column in columns
            if shadow_of(column["name"]) in shadows
        ]
        for column in columns:
            if column.get("comment") == RETIRED_COMMENT:
                up += [
                    Call("stop_dual_write_contract", f"{table!r}, {kept!r}", schema)
                    for kept in dual_writes_on(connection_of(migration), table, column["name"])
                ]
                bare = Column(column["name"], column["type"], nullable=True)
                up.append(Call("drop_column_contract", f"{table!r}, {column['name']!r}", schema))
                arguments = arguments_of(AddColumnOp(table, bare), autogen)
                down.insert(0, Call("add_column_online", arguments, schema))
    if up:
        log.warning("this revision drops what was retired; ship it in a release after the one that retired it")
    return Change(up, down, ledger.CONTRACT)
