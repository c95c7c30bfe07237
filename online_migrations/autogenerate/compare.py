"""Comparators: what autogenerate finds besides what Alembic compares itself, as plugins of Alembic.

Alembic finds the tables, columns, indexes, constraints that only one side has, and compares foreign keys, comments and
what may be NULL. All else is compared here, as the server prints both sides.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Connection, Enum, Index, Sequence, Table
from sqlalchemy import inspect as inspect_database
from sqlalchemy.schema import AddConstraint, CreateIndex
from sqlalchemy.types import NullType

from online_migrations import definitions
from online_migrations.autogenerate.directives import EnumValues, Found, NewSequence, Replacement
from online_migrations.autogenerate.tables import constraint_name
from online_migrations.autogenerate.types import require_known, sql_type
from online_migrations.connection import connection_of
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.proofs import takes_all
from online_migrations.sql import DIALECT, names_in, quote, require_short, sql_name

NEXT = PriorityDispatchResult.CONTINUE


class ReleaseImpl(PostgresqlImpl):
    __dialect__ = "postgresql"  # registers this class in place of the one that it extends

    def render_ddl_sql_expr(self, *arguments: Any, **options: Any) -> str:
        """Render the SQL as it is meant: Alembic doubles each % for psycopg2."""
        return super().render_ddl_sql_expr(*arguments, **options).replace("%%", "%")


def require_short_names(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """Refuse a name in the models that is longer than PostgreSQL keeps it."""
    for table in context.sorted_tables:
        require_short(table.name)
        items: tuple[Any, ...] = (*table.columns, *table.constraints, *table.indexes)
        for name in (item.name for item in items if isinstance(item.name, str)):
            require_short(sql_name(name))
    return NEXT


def find_sequences(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """Find sequences of the models, in a default in Python or of the server, that the database does not have."""
    inspector = inspect_database(connection_of(context.migration_context))
    for column in (column for table in context.sorted_tables for column in table.columns):
        for default in (column.default, getattr(column.server_default, "arg", None)):
            sequence = getattr(default, "sequence", default)
            if isinstance(sequence, Sequence) and not inspector.has_sequence(sequence.name, schema=sequence.schema):
                upgrade.ops.append(NewSequence(column.table.fullname, sequence))
    return NEXT


def keep_tables_of_extensions(
    context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]
) -> PriorityDispatchResult:
    """Leave the tables that belong to an extension, such as spatial_ref_sys of PostGIS."""
    connection = connection_of(context.migration_context)
    owned: set[Any] = {tuple(row) for row in connection.execute(definitions.QUERIES["of_extensions"])}
    for op in [*upgrade.ops]:  # that drops a table, or what stands on it
        if isinstance(op, ops.DropTableOp | ops.ModifyTableOps) and (op.schema, op.table_name) in owned:
            upgrade.ops.remove(op)
    return NEXT


def compare_definitions(context: AutogenContext, modify: ops.ModifyTableOps, *place: Any) -> PriorityDispatchResult:
    """Compare what Alembic has not found, of a table that models and database have."""
    schema, _, reflected, model = place
    if reflected is not None and model is not None:
        connection = connection_of(context.migration_context)
        with definitions.on_search_path(connection, schema):
            there = definitions.all_there(connection, model.name)
            modify.ops[:] = [op for op in modify.ops if not _is_of_partition(op, there)]
            _join_pairs(modify, there, model)
            _keep_keys_required(modify, model)
            known = {_name_of(op) for op in modify.ops}
            for change in definitions.changed_definitions(connection, model, there, known):
                modify.ops.extend(_directives(connection, change, reflected, model))
            modify.ops.extend(_columns(connection, reflected, model))
        modify.ops.extend(_enums(reflected, model))
    return NEXT


def _name_of(op: Any) -> str:
    """Return the name of the index or constraint that a directive is about; empty: it is about something else."""
    op = op.create if isinstance(op, Replacement) else op
    if isinstance(op, ops.CreateIndexOp | ops.DropIndexOp):
        return sql_name(op.index_name or "")
    return constraint_name(op) if isinstance(op, ops.AddConstraintOp | ops.DropConstraintOp) else ""


def _is_of_partition(op: ops.MigrateOperation, there: Collection[str]) -> bool:
    """Tell if it would drop a foreign key to one partition, which belongs to the one to the whole."""
    is_drop = isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"
    return is_drop and _name_of(op) not in there


def _join_pairs(modify: ops.ModifyTableOps, there: Mapping[str, definitions.Definition], model: Table) -> None:
    """Take out the pairs by which Alembic drops and recreates what has changed: the server compares the definitions.

    What it does not compare becomes one directive: foreign keys, INVALID indexes, and what the model does not name.
    """
    drops = [op for op in modify.ops if isinstance(op, ops.DropIndexOp | ops.DropConstraintOp)]
    created = {(type(op), _name_of(op)): op for op in modify.ops if op not in drops and _name_of(op)}
    for drop in drops:
        name = _name_of(drop)
        create: Any = created.get((type(drop.reverse()), name))
        if create is None and any(name == taken for _, taken in created):
            advice = f"{name} on {model.fullname} is of another kind in the database than in the models, and the one is"
            advice += " made before the other goes. Give it another name in the model."
            modify.ops.append(Found("change_constraint", model.fullname, name, "an index", "a rule", advice=advice))
        if create is None:
            continue
        modify.ops[:] = [op for op in modify.ops if op not in (drop, create)]
        if isinstance(create, ops.CreateForeignKeyOp) or name not in there or _named(model, name) is None:
            is_index = isinstance(create, ops.CreateIndexOp)
            ddl = CreateIndex(create.to_index()) if is_index else AddConstraint(create.to_constraint())
            old = there[name].text if name in there else "INVALID"
            modify.ops.append(Replacement(drop, create, old, str(ddl.compile(dialect=DIALECT))))


def _keep_keys_required(modify: ops.ModifyTableOps, model: Table) -> None:
    """Take no column of the primary key for one that may be NULL, whatever its model says: the server does not."""
    key = {column.name for column in model.primary_key}
    for op in modify.ops:
        if isinstance(op, ops.AlterColumnOp) and op.modify_nullable and op.column_name in key:
            op.modify_nullable = None
    modify.ops[:] = [op for op in modify.ops if not isinstance(op, ops.AlterColumnOp) or op.has_changes()]


def _directives(
    connection: Connection, change: definitions.Changed, reflected: Table, model: Table
) -> Iterator[ops.MigrateOperation]:
    there, wanted = change
    one = wanted or there
    if one is not None and one.kind == definitions.EXCLUDE:
        yield from _other_exclude(change, one.name, reflected, model)
    elif there is None:
        yield ops.AddConstraintOp.from_constraint(model.primary_key)
    elif wanted is None:
        yield ops.DropConstraintOp.from_constraint(reflected.primary_key)
    else:
        is_key = wanted.kind == definitions.PRIMARY_KEY
        old, new = (table.primary_key if is_key else _named(table, there.name) for table in (reflected, model))
        drop: Any = ops.DropIndexOp.from_index if isinstance(new, Index) else ops.DropConstraintOp.from_constraint
        create: Any = ops.CreateIndexOp.from_index if isinstance(new, Index) else ops.AddConstraintOp.from_constraint
        is_wider = takes_all(connection, model.name, there.text, wanted.text)
        yield Replacement(drop(old), create(new), there.text, wanted.text, is_wider)


def _named(table: Table, name: str) -> Any:
    items: tuple[Any, ...] = (*table.constraints, *table.indexes)
    return next((item for item in items if isinstance(item.name, str) and sql_name(item.name) == name), None)


def _other_exclude(change: definitions.Changed, name: str, reflected: Table, model: Table) -> list[Found]:
    there, wanted = (one.text if one else "" for one in change)
    gone = {column.name for column in reflected.columns} - {column.name for column in model.columns}
    if not wanted and names_in(there) & gone:
        return []  # it is dropped with the column
    table = DIALECT.identifier_preparer.format_table(model)
    drop, add = f"DROP CONSTRAINT {quote(name)}", f"ADD CONSTRAINT {quote(name)} "
    definition = wanted.rpartition(f" {add}")[2]
    actions = [*([drop] if there else []), *([add + definition] if wanted else [])]
    statement = f"ALTER TABLE {table} {', '.join(actions)}"
    action = "change" if there and wanted else "add" if wanted else "remove"
    return [
        Found(
            *(f"{action}_exclude", model.fullname, name, *((there, definition) if action == "change" else ())),
            advice=f"{model.fullname} has another EXCLUDE constraint {name} in the database than in its model."
            " PostgreSQL builds the index of one under a lock that stops every write. If the table is small enough for"
            ' that, write a revision by hand, with phase = "contract" and, in a block of excused("how small it is"),'
            f" as its one statement op.execute({statement!r}).",
        )
    ]


def _columns(connection: Connection, reflected: Table, model: Table) -> Iterator[ops.MigrateOperation]:
    """Compare types, defaults, and how values are generated."""
    there, wanted = definitions.columns_there(connection, model.name), definitions.columns_wanted(connection, model)
    for column in model.columns:
        old, new = there.get(column.name), wanted.get(column.name)
        if old is None or isinstance(column.type, NullType):  # it is to come, or no model states its type
            continue
        if new is None:  # the server does not make it: it has no such type, or the default names what is to come
            try:
                require_known(model.fullname, [column], connection)
            except UnsafeOperation as refused:
                difference = ("change_column", model.fullname, column.name, str(old), sql_type(column.type))
                yield Found(*difference, advice=refused.message)
            continue
        was, is_other_type = reflected.columns[column.name], old.type != new.type
        is_computed = any(one.computed is not None for one in (column, was))
        can_change = is_other_type and not is_computed and not isinstance(was.type, NullType)  # no Python writes that
        if old[:2] != new[:2] and not can_change:
            forms = [str(one._replace(default=None, not_null=False)) for one in (old, new)]
            yield Found(
                *("change_column", model.fullname, column.name, *forms),
                advice=f"{model.fullname}.{column.name} would change from {forms[0]} to {forms[1]}: the live release"
                " would read other values, and what is stored be rewritten under a lock that stops every request. Leave"
                " it as it is, and add a column under a new name.",
            )
            continue
        alter = ops.AlterColumnOp(model.name, column.name, schema=model.schema, existing_type=was.type)
        alter.existing_server_default = was.server_default
        alter.modify_type = column.type if is_other_type else None
        if (old.identity, old.default) != (new.identity, new.default):
            alter.modify_server_default = column.server_default
        if alter.has_changes():
            yield alter


def _enums(reflected: Table, model: Table) -> Iterator[EnumValues]:
    """Compare the values of enums."""
    for column in model.columns:
        there = reflected.columns.get(column.name)
        if there is not None and isinstance(column.type, Enum) and isinstance(there.type, Enum):
            old, new = list(there.type.enums), list(column.type.enums)
            if set(old) != set(new):
                yield EnumValues("change_enum", model.fullname, str(there.type.name), old, new, column.name)


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(require_short_names, "schema", "names", priority=DispatchPriority.FIRST)
_plugin.add_autogenerate_comparator(find_sequences, "schema", "sequences", priority=DispatchPriority.LAST)
_plugin.add_autogenerate_comparator(keep_tables_of_extensions, "schema", "extensions", priority=DispatchPriority.LAST)
_plugin.add_autogenerate_comparator(compare_definitions, "table", "definitions", priority=DispatchPriority.LAST)
