"""Rewrites of the directives for tables; and the contract step, which drops what an earlier release retired."""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, PrimaryKeyConstraint, Table, inspect, text
from sqlalchemy.sql.elements import conv

from online_migrations.autogenerate.columns import refuse_type_of_database
from online_migrations.autogenerate.constraints import CREATE
from online_migrations.autogenerate.directives import Call, Change, Diff, arguments_of, names_in, with_comment
from online_migrations.connection import connection_of
from online_migrations.definitions import RETIRED_COMMENT, on_search_path
from online_migrations.errors import UnsafeOperation
from online_migrations.operations.catalog import ask
from online_migrations.operations.type_changes import SHADOW_OF_FORMER, SHADOW_PREFIX
from online_migrations.sql import shadow_of
from online_migrations.state.ledger import CONTRACT, EXPAND

log = logging.getLogger(__name__)


def create_table(op: ops.CreateTableOp, diff: Diff) -> Change:
    for column in op.columns:
        if isinstance(column, Column):
            refuse_type_of_database(op.table_name, column)
    table = op.to_table()
    if keys := sorted(str(key.name) for key in table.foreign_key_constraints if key.use_alter):
        raise UnsafeOperation(
            f"The new table {op.table_name} has the foreign key {', '.join(keys)} with use_alter, which Alembic leaves"
            " out. Take it out of the model and migrate; then put it back and migrate again."
        )
    names = {column.name for column in table.columns}
    if old := next((gone for gone, columns in diff.retired_tables.items() if columns == names), None):
        raise UnsafeOperation(
            f"The table {old} goes and {op.table_name} with the same columns comes. If it is a new name, the rows have"
            f" to come along: write a revision by hand, with rename_with_view({old!r}, {op.table_name!r})."
        )
    return Change([op], [op.reverse()], EXPAND)


def drop_table(op: ops.DropTableOp, diff: Diff) -> Change:
    """Retire the table instead: the live release still uses it."""
    reinstate = Call("reinstate_table_online", with_comment(repr(op.table_name), op.to_table().comment))
    return Change([Call("retire_table_online", repr(op.table_name))], [reinstate], EXPAND)


def comment_on_table(op: Any, diff: Diff) -> Change:
    """Set or drop a comment; Alembic has a directive for each. Dropping "retired" means that the model is back."""
    if getattr(op, "existing_comment", None) == RETIRED_COMMENT:
        reinstate = Call("reinstate_table_online", with_comment(repr(op.table_name), getattr(op, "comment", None)))
        return Change([reinstate], [Call("retire_table_online", repr(op.table_name))], EXPAND)
    return Change([op], [op.reverse()], EXPAND)


def is_retired(item: Any) -> bool:
    """Tell if a table or column has the comment of a retired one, or of the shadow of a changed type."""
    return bool(item.comment == RETIRED_COMMENT or str(item.comment).startswith(SHADOW_PREFIX))


def is_part_of_another(table: Table) -> bool:
    """Tell if it is a partition, or inherits from another table, whose queries show its rows."""
    return table.dialect_options["postgresql"]["inherits"] is not None


def stands_on_retired(item: Any) -> bool:
    """Tell if an index or constraint of the database stands on a retired column; it is dropped with that."""
    return stands_on(item, [column.name for column in item.table.columns if is_retired(column)])


def stands_on(item: Any, columns: list[str]) -> bool:
    if isinstance(item, CheckConstraint):
        return bool(names_in(str(item.sqltext), columns))
    return any(column.name in columns for column in getattr(item, "columns", ()))


def drop_retired(autogen: AutogenContext, schemas: Iterable[str | None] = (None,)) -> Change:
    """Drop the tables and columns that have the comment "retired". The downgrade makes them again, without their rows.

    upgrade checks later that another release lies between.
    """
    connection = connection_of(autogen.migration_context)
    up: list[ops.MigrateOperation] = []
    down: list[ops.MigrateOperation] = []
    for table in reversed(_tables(connection, schemas)):  # what refers to others goes first
        if table.comment == RETIRED_COMMENT:
            up.append(Call("drop_table_contract", repr(table.name), table.schema))
            indexes = [ops.CreateIndexOp.from_index(index) for index in table.indexes]
            down[:0] = [ops.CreateTableOp.from_table(table), *indexes]
            continue
        up += _stop_dual_writes(connection, table)
        for column in (column for column in table.columns if column.comment == RETIRED_COMMENT):
            up.append(Call("drop_column_contract", f"{table.name!r}, {column.name!r}", table.schema))
            down[:0] = _make_again(column, autogen)
    if up:
        log.warning("this revision drops what was retired; ship it in a release after the one that retired it")
    return Change(up, down, CONTRACT)


def _tables(connection: Connection, schemas: Iterable[str | None]) -> list[Table]:
    """Return the tables of the database, those before others that these refer to, without parts of others."""
    metadata, inspector = MetaData(), inspect(connection)
    found = [
        Table(name, metadata, schema=schema, autoload_with=connection, resolve_fks=False)
        for schema in schemas
        for name, _ in inspector.get_sorted_table_and_fkc_names(schema)
        if name
    ]
    for table in found:
        items: tuple[Any, ...] = (*table.constraints, *table.indexes)
        for item in items:
            item.name = conv(item.name) if item.name else item.name  # it is not part of a naming convention's name
    return [table for table in found if not is_part_of_another(table)]


def _stop_dual_writes(connection: Connection, table: Table) -> Iterator[ops.MigrateOperation]:
    """Stop those of a changed type, whose shadow goes with them; and those that need a column that goes."""
    shadows = [column.name for column in table.columns if column.comment == SHADOW_OF_FORMER]
    for column in table.columns:
        if shadow_of(column.name) in shadows:
            yield Call("drop_shadow_contract", f"{table.name!r}, {column.name!r}", table.schema)
    with on_search_path(connection, table.schema):
        retired = [column.name for column in table.columns if column.comment == RETIRED_COMMENT]
        needing = (ask("dual_writes_on", table.name, column=name).rows(connection).scalars() for name in retired)
        for kept in chain.from_iterable(needing):
            yield Call("stop_dual_write_contract", f"{table.name!r}, {kept!r}", table.schema)


def _make_again(column: Column[Any], autogen: AutogenContext) -> list[ops.MigrateOperation]:
    """Add the column, empty, with what stood on it."""
    table = column.table
    default = getattr(column.server_default, "arg", None)
    bare = Column(
        column.name,
        column.type,
        nullable=column.nullable,
        server_default=None if default is None else text(str(default)),
        comment=column.comment,
    )
    made: list[ops.MigrateOperation] = [
        Call("add_column_online", arguments_of(ops.AddColumnOp(table.name, bare), autogen))
    ]
    for index in table.indexes:
        if stands_on(index, [column.name]):
            made += CREATE[ops.CreateIndexOp](ops.CreateIndexOp.from_index(index), Diff(autogen)).up
    for rule in table.constraints:
        if stands_on(rule, [column.name]) and not isinstance(rule, PrimaryKeyConstraint):
            directive = ops.AddConstraintOp.from_constraint(rule)
            made += CREATE[type(directive)](directive, Diff(autogen)).up
    return Change(made, [], CONTRACT).in_schema(table.schema).up
