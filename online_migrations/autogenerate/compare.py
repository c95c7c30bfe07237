"""Comparators: what autogenerate finds besides what Alembic compares itself. A plugin of Alembic.

Alembic compares CHECK constraints by their names, indexes by their columns, and PRIMARY KEY and EXCLUDE not at all.
Here the definitions are compared, as the server prints them.

How Alembic compares and writes what is PostgreSQL's: server defaults, percent signs, types of the project's own.
"""

from collections.abc import Iterator
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, Connection, Index, Sequence, Table
from sqlalchemy import inspect as inspect_database
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import NullType, TypeDecorator

from online_migrations.autogenerate.columns import default_sql
from online_migrations.autogenerate.directives import (
    Replacement,
    Unwritten,
    changed_column,
    extra_exclude,
    missing_exclude,
    missing_sequence,
    names_in,
)
from online_migrations.definitions import (
    EXCLUDE,
    PRIMARY_KEY,
    Changed,
    Definition,
    all_there,
    changed_definitions,
    column_there,
    on_search_path,
    wanted_column,
)
from online_migrations.guard.proofs import takes_all
from online_migrations.operations.names import require_short
from online_migrations.sql import DIALECT, sql_name


class ReleaseImpl(PostgresqlImpl):
    __dialect__ = "postgresql"  # registers this class in place of the one that it extends

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """A text default that holds a quote is compared in Python; Alembic would send it to the server unescaped."""
        default = getattr(metadata_column.server_default, "arg", None)
        if rendered_inspector_default is None or not isinstance(default, str) or "'" not in default:
            return bool(
                super().compare_server_default(  # type: ignore[no-untyped-call]
                    inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default
                )
            )
        return rendered_inspector_default.split("::")[0] != default_sql(metadata_column.server_default)

    def render_ddl_sql_expr(self, *arguments: Any, **options: Any) -> str:
        """Alembic doubles each % for psycopg2. A revision holds the SQL as it is meant."""
        return super().render_ddl_sql_expr(*arguments, **options).replace("%%", "%")


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Alembic's render_item hook: a revision imports no code of the project, which changes while revisions do not."""
    module = type(item).__module__
    if kind != "type" or module.startswith("sqlalchemy."):
        return False
    if isinstance(item, TypeDecorator):
        return _repr_type(item.load_dialect_impl(context.dialect), context)
    context.imports.add(f"import {module}")  # a type of its own has no other name
    return False


PLUGIN = __name__


def setup(plugin: Plugin) -> None:
    plugin.add_autogenerate_comparator(require_short_names, "schema", "names", priority=DispatchPriority.FIRST)
    plugin.add_autogenerate_comparator(find_sequences, "schema", "sequences", priority=DispatchPriority.LAST)
    plugin.add_autogenerate_comparator(compare_table, "table", "definitions", priority=DispatchPriority.LAST)


def require_short_names(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """
    Raises:
        UnsafeOperation: a name in the models is longer than PostgreSQL keeps it.
    """
    for table in context.sorted_tables:
        require_short(table.name)
        items: tuple[Any, ...] = (*table.columns, *table.constraints, *table.indexes)
        for name in (item.name for item in items if isinstance(item.name, str)):
            require_short(sql_name(name))
    return PriorityDispatchResult.CONTINUE


def find_sequences(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """Sequences of the models that the database does not have."""
    inspector = inspect_database(_connection(context))
    columns = [column for table in context.sorted_tables for column in table.columns]
    wanted = {sequence.name: column for column in columns for sequence in _sequences_of(column)}
    upgrade.ops[:0] = [
        missing_sequence(wanted[name], name) for name in sorted(wanted) if not inspector.has_sequence(name)
    ]
    return PriorityDispatchResult.CONTINUE


def compare_table(
    context: AutogenContext,
    modify: ops.ModifyTableOps,
    schema: str | None,
    name: str,
    reflected: Table | None,
    model: Table | None,
) -> PriorityDispatchResult:
    """Definitions of what has the same name in models and database; PRIMARY KEY and EXCLUDE whatever their names."""
    if reflected is None or model is None:
        return PriorityDispatchResult.CONTINUE
    connection = _connection(context)
    found_by_alembic = {_name_of(op) for op in modify.ops}
    for change in changed_definitions(connection, model, found_by_alembic):
        modify.ops.append(_directive(connection, change, reflected, model))
    with on_search_path(connection, schema):
        modify.ops.extend(_excludes(all_there(connection, name), reflected, model))
        modify.ops.extend(_columns(connection, modify, reflected, model))
    return PriorityDispatchResult.CONTINUE


def _directive(connection: Connection, change: Changed, reflected: Table, model: Table) -> ops.MigrateOperation:
    there, wanted = change
    if wanted is None:
        return ops.DropConstraintOp.from_constraint(reflected.primary_key)
    if there is None:
        return ops.AddConstraintOp.from_constraint(model.primary_key)
    if wanted.kind == EXCLUDE:
        return missing_exclude(_named(model, there.name), there.text)
    is_key = wanted.kind == PRIMARY_KEY
    old, new = (table.primary_key if is_key else _named(table, there.name) for table in (reflected, model))
    with on_search_path(connection, model.schema):
        is_wider = takes_all(connection, model.name, there.text, wanted.text)
    return Replacement(*_drop_and_create(old, new), there.text, wanted.text, is_wider)


def _drop_and_create(old: Any, new: Any) -> tuple[Any, Any]:
    if isinstance(new, Index):
        return ops.DropIndexOp.from_index(old), ops.CreateIndexOp.from_index(new)
    return ops.DropConstraintOp.from_constraint(old), ops.AddConstraintOp.from_constraint(new)


def _named(table: Table, name: str) -> Any:
    items: tuple[Any, ...] = (*table.constraints, *table.indexes)
    return next((item for item in items if isinstance(item.name, str) and sql_name(item.name) == name), None)


def _excludes(there: dict[str, Definition], reflected: Table, model: Table) -> Iterator[Unwritten]:
    """EXCLUDE constraints that only one of both has. One on a column that goes is dropped with the column."""
    gone = [column.name for column in reflected.columns if column.name not in model.columns]
    wanted = {
        sql_name(constraint.name): constraint
        for constraint in model.constraints
        if isinstance(constraint, ExcludeConstraint) and isinstance(constraint.name, str)
    }
    for name, constraint in sorted(wanted.items()):
        if name not in there:
            yield missing_exclude(constraint)
    for name, definition in there.items():
        if definition.kind == EXCLUDE and name not in wanted and not names_in(definition.text, gone):
            yield extra_exclude(model, name)


def _columns(
    connection: Connection, modify: ops.ModifyTableOps, reflected: Table, model: Table
) -> Iterator[ops.MigrateOperation]:
    """Columns that the database computes, or that have a collation, and types that differ in their precision. Alembic
    compares the first roughly, the others not."""
    other_type = {op.column_name for op in modify.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type}
    for column in model.columns:
        old = reflected.columns.get(column.name)
        if old is None or column.name in other_type:
            continue
        is_special = _is_special(column) or _is_special(old)
        if not is_special and _spelled(old) in (None, _spelled(column)):
            continue
        definition = str(CreateColumn(column).compile(dialect=DIALECT))
        there = column_there(connection, model.name, column.name)
        wanted = wanted_column(connection, model.name, column.name, definition)
        if there is None or there.type == wanted.type:
            continue
        if is_special:
            yield changed_column(model, column.name, there.type, wanted.type)
        else:
            yield ops.AlterColumnOp(
                model.name,
                column.name,
                schema=model.schema,
                existing_type=old.type,
                modify_type=column.type,
                existing_nullable=old.nullable,
            )


def _spelled(column: Column[Any]) -> str | None:
    """The type as SQLAlchemy writes it; None: one of the database that it does not know."""
    return None if isinstance(column.type, NullType) else str(column.type.compile(dialect=DIALECT))


def _is_special(column: Column[Any]) -> bool:
    return column.computed is not None or getattr(column.type, "collation", None) is not None


def _sequences_of(column: Column[Any]) -> Iterator[Sequence]:
    """Of a default in Python, or of nextval() as server_default."""
    for default in (column.default, getattr(getattr(column.server_default, "arg", None), "sequence", None)):
        if isinstance(default, Sequence):
            yield default


def _name_of(op: Any) -> str:
    return sql_name(getattr(op, "constraint_name", None) or getattr(op, "index_name", None) or "")


def _connection(context: AutogenContext) -> Connection:
    assert context.connection is not None  # noqa: S101 - autogenerate has no --sql mode
    return context.connection


setup(Plugin(PLUGIN))
