"""Comparators: what autogenerate finds besides what Alembic compares itself. A plugin of Alembic.

Alembic compares CHECK constraints by their names, indexes by their columns, and PRIMARY KEY and EXCLUDE not at all.
Here the definitions are compared, as the server prints them.
"""

from collections.abc import Iterator
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, Sequence, Table, UniqueConstraint
from sqlalchemy import inspect as inspect_database
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.schema import AddConstraint, CreateColumn, CreateIndex

from app.release import definitions
from app.release.definitions import Definition
from app.release.operations.identifiers import require_short
from app.release.rewriter.calls import names_in
from app.release.rewriter.directives import ChangedColumn, CreateSequence, DropExclude, Replacement
from app.release.sql.dialect import DIALECT, sql_name
from app.release.unimported_models import require_all_imported

PLUGIN = __name__
COMPARED = (CheckConstraint, ExcludeConstraint, UniqueConstraint)


def setup(plugin: Plugin) -> None:
    plugin.add_autogenerate_comparator(require_whole_models, "schema", "models", priority=DispatchPriority.FIRST)
    plugin.add_autogenerate_comparator(find_sequences, "schema", "sequences", priority=DispatchPriority.LAST)
    plugin.add_autogenerate_comparator(compare_table, "table", "definitions", priority=DispatchPriority.LAST)


def require_whole_models(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """
    Raises:
        ReleaseError: nothing imports a module that has models.
        UnsafeOperation: a name in the models is longer than PostgreSQL keeps it.
    """
    require_all_imported(cast(MetaData, context.metadata))
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
    wanted = {sequence.name for column in columns for sequence in _sequences_of(column)}
    missing = sorted(name for name in wanted if not inspector.has_sequence(name))
    upgrade.ops[:0] = [CreateSequence(name) for name in missing]
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
    if reflected is None or model is None or schema is not None:
        return PriorityDispatchResult.CONTINUE
    connection = _connection(context)
    there = definitions.all_there(connection, name)
    found_by_alembic = {_name_of(op) for op in modify.ops}
    statements = {
        called: statement
        for called, statement in _statements(model).items()
        if called in there and called not in found_by_alembic
    }
    wanted = definitions.all_wanted(connection, name, statements) if statements else {}
    for called, statement in statements.items():
        new = wanted.get(called, Definition(called, there[called].kind, statement))
        if not _is_same(connection, name, there[called], new):
            drop, create = _directives(reflected, model, called)
            modify.ops.append(Replacement(drop, create, there[called].text, new.text))
    modify.ops.extend(_primary_key(there, reflected, model))
    modify.ops.extend(_excludes(there, reflected, model))
    modify.ops.extend(_columns(connection, modify, reflected, model))
    return PriorityDispatchResult.CONTINUE


def _statements(model: Table) -> dict[str, str]:
    """name: the statement that makes it on its table."""
    found = {}
    for constraint in model.constraints:
        if isinstance(constraint, COMPARED) and isinstance(constraint.name, str):
            add = AddConstraint(constraint, isolate_from_table=False)
            found[sql_name(constraint.name)] = str(add.compile(dialect=DIALECT))
    for index in model.indexes:
        found[sql_name(index.name or "")] = str(CreateIndex(index).compile(dialect=DIALECT))
    return found


def _is_same(connection: Connection, table: str, there: Definition, wanted: Definition) -> bool:
    if there[1:] == wanted[1:]:
        return True
    both_checks = there.kind == wanted.kind == "c" and wanted.text.startswith("CHECK")
    return both_checks and definitions.is_same_constraint(connection, table, there.name, there.text, wanted.text)


def _directives(reflected: Table, model: Table, name: str) -> tuple[Any, Any]:
    old, new = (_named(table, name) for table in (reflected, model))
    if isinstance(new, ExcludeConstraint):
        return DropExclude(model.name, name, ""), ops.AddConstraintOp.from_constraint(new)
    if hasattr(new, "expressions"):
        return ops.DropIndexOp.from_index(old), ops.CreateIndexOp.from_index(new)
    return ops.DropConstraintOp.from_constraint(old), ops.AddConstraintOp.from_constraint(new)


def _named(table: Table, name: str) -> Any:
    items: tuple[Any, ...] = (*table.constraints, *table.indexes)
    return next((item for item in items if isinstance(item.name, str) and sql_name(item.name) == name), None)


def _primary_key(there: dict[str, Definition], reflected: Table, model: Table) -> Iterator[ops.MigrateOperation]:
    old, new = reflected.primary_key, model.primary_key
    if [column.name for column in old.columns] == [column.name for column in new.columns]:
        return
    if not len(new.columns):
        yield ops.DropConstraintOp.from_constraint(old)
    elif not len(old.columns):
        yield ops.AddConstraintOp.from_constraint(new)
    else:
        definition = next(one.text for one in there.values() if one.kind == "p")
        drop, create = ops.DropConstraintOp.from_constraint(old), ops.AddConstraintOp.from_constraint(new)
        key = ", ".join(column.name for column in new.columns)
        yield Replacement(drop, create, definition, f"PRIMARY KEY ({key})")


def _excludes(there: dict[str, Definition], reflected: Table, model: Table) -> Iterator[ops.MigrateOperation]:
    """EXCLUDE constraints that only one of both has. One on a column that goes is dropped with the column."""
    gone = [column.name for column in reflected.columns if column.name not in model.columns]
    wanted = {
        sql_name(constraint.name): constraint
        for constraint in model.constraints
        if isinstance(constraint, ExcludeConstraint) and isinstance(constraint.name, str)
    }
    for name, constraint in sorted(wanted.items()):
        if name not in there:
            yield ops.AddConstraintOp.from_constraint(constraint)
    for name, definition in there.items():
        if definition.kind == "x" and name not in wanted and not names_in(definition.text, gone):
            yield DropExclude(model.name, name, definition.text)


def _columns(
    connection: Connection, modify: ops.ModifyTableOps, reflected: Table, model: Table
) -> Iterator[ops.MigrateOperation]:
    """Columns that the database computes, or that have a collation. Alembic compares the one roughly, the other not."""
    other_type = {op.column_name for op in modify.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type}
    for column in model.columns:
        old = reflected.columns.get(column.name)
        if old is None or column.name in other_type or not (_is_special(column) or _is_special(old)):
            continue
        definition = str(CreateColumn(column).compile(dialect=DIALECT))
        there = definitions.column_there(connection, model.name, column.name)
        wanted = definitions.wanted_column(connection, model.name, column.name, definition)
        if there is not None and there.type != wanted.type:
            yield ChangedColumn(model.name, column.name, there.type, wanted.type)


def _is_special(column: Column[Any]) -> bool:
    return column.computed is not None or getattr(column.type, "collation", None) is not None


def _sequences_of(column: Column[Any]) -> Iterator[Sequence]:
    """Of a default in Python, or of nextval() as server_default."""
    for default in (column.default, getattr(getattr(column.server_default, "arg", None), "sequence", None)):
        if isinstance(default, Sequence):
            yield default


def _name_of(op: Any) -> str | None:
    name = getattr(op, "constraint_name", None) or getattr(op, "index_name", None) or getattr(op, "name", None)
    return sql_name(name) if name else None


def _connection(context: AutogenContext) -> Connection:
    assert context.connection is not None  # noqa: S101 - autogenerate has no --sql mode
    return context.connection


setup(Plugin(PLUGIN))
