"""Directives: what autogenerate finds besides what Alembic compares itself, and the calls that are made of all.

Alembic finds the tables, columns, indexes, constraints that only one side has, and compares foreign keys, comments and
what may be NULL. All else is compared here by plugins of Alembic, as the server prints both sides.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import CheckConstraint, Column, Connection, Enum, Index, MetaData, Sequence, Table, literal_column
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import AddConstraint, CreateIndex
from sqlalchemy.types import NullType

from online_migrations import definitions, sql
from online_migrations.connection import connection_of
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.proofs import takes_all
from online_migrations.sql import DIALECT, condition_sql, quote, sql_name
from online_migrations.state.ledger import CONTRACT, EXPAND

NEXT = PriorityDispatchResult.CONTINUE


class Call(ops.MigrateOperation):
    """A call of one of online_migrations.operations, as it will stand in the revision file."""

    def __init__(self, function: str, arguments: str) -> None:
        self.function, self.arguments = function, arguments
        self.schema: str | None = None  # of the table, when it is not the default one

    @property
    def source(self) -> str:
        return f"{self.function}({self.arguments})"


def call(function: str, *values: Any, **options: Any) -> Call:
    """Return a call with these arguments. Options that are not set are left out."""
    named = [f"{name}={value!r}" for name, value in options.items() if value not in (None, False, ())]
    return Call(function, ", ".join([*map(repr, values), *named]))


@renderers.dispatch_for(Call)
def render_call(context: AutogenContext, call: Call) -> list[str]:
    """Render its lines; an empty one ends a block."""
    return [f"with in_schema({call.schema!r}):", call.source, ""] if call.schema else [call.source]


class Change(NamedTuple):
    """One directive, rewritten. `down` undoes `up`; both are in the order of execution."""

    up: list[ops.MigrateOperation]
    down: list[ops.MigrateOperation]
    phase: str

    @classmethod
    def joined(cls, parts: list["Change"]) -> "Change":
        """Put parts after each other, to be undone the other way round. One contract makes all of them a contract."""
        up = [op for part in parts for op in part.up]
        down = [op for part in reversed(parts) for op in part.down]
        return cls(up, down, CONTRACT if any(part.phase == CONTRACT for part in parts) else EXPAND)

    def in_schema(self, schema: str | None) -> "Change":
        """Put the calls into the schema. Plain directives name it themselves."""
        for op in (*self.up, *self.down):
            if isinstance(op, Call):
                op.schema = schema
        return self

    def imports(self) -> list[str]:
        """Return the import of the operations that are called."""
        calls = [op for op in (*self.up, *self.down) if isinstance(op, Call)]
        functions = {call.function for call in calls} | {"in_schema" for call in calls if call.schema}
        return [f"from online_migrations.operations import {', '.join(sorted(functions))}"] if calls else []


class Found(ops.MigrateOperation):
    """A difference that Alembic has no directive for. What no operation removes is refused, with advice."""

    def __init__(self, *difference: Any, advice: str = "") -> None:
        self.difference = difference  # as `flask db check` shows it
        self.advice = advice

    def reverse(self) -> "Found":
        return self  # Alembic reverses all that was found; the rewriter writes the downgrade anew

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return self.difference


class Replacement(Found):
    """Something has the same name in models and database, and another definition, which both have as SQL."""

    def __init__(self, drop: Any, create: Any, there: str, wanted: str, is_wider: bool = False) -> None:
        self.drop, self.create = drop, create  # Alembic's directives for the one of the database and of the models
        self.is_wider = is_wider  # the new one is a CHECK that takes every row that the old one takes
        self.schema = drop.schema
        kind = getattr(create, "constraint_type", "index")
        _, item = drop.to_diff_tuple()  # the index or constraint
        columns = [column.name for column in item.columns]  # none of a CHECK
        super().__init__(f"change_{kind}", item.table.fullname, _name_of(create), there, wanted, *columns)


class NewSequence(Found):
    """A sequence of the models that the database does not have."""

    def __init__(self, table: str, sequence: Sequence) -> None:
        self.sequence = sequence
        super().__init__("add_sequence", table, sequence.name)


class EnumValues(Found):
    """A type of the database whose values are not those of the model: its table, its name, both, and the column."""


class Diff:
    """All directives for the tables of one schema, which is searched first. The rewrite of one may depend on others."""

    def __init__(self, context: AutogenContext, schema: str | None = None, directives: Collection[Any] = ()) -> None:
        self.context = context
        self.schema = schema  # None: the default one
        self.new_tables = [op.table_name for op in directives if isinstance(op, ops.CreateTableOp)]
        gone = [op for op in directives if isinstance(op, ops.DropTableOp)]
        self.retired_tables = {op.table_name: {column.name for column in op.to_table().columns} for op in gone}
        added = [op for op in directives if isinstance(op, ops.AddColumnOp)]
        self.new_columns = {(op.table_name, op.column.name): op.column for op in added}
        dropped = [op for op in directives if isinstance(op, ops.DropColumnOp)]
        self.retired_columns = {(op.table_name, op.column_name): op.to_column() for op in dropped}

    @property
    def connection(self) -> Connection:
        return connection_of(self.context.migration_context)

    def model(self, table: str) -> Table | None:
        metadata = self.context.metadata
        assert isinstance(metadata, MetaData)  # noqa: S101 - the runner passes one
        return metadata.tables.get(f"{self.schema}.{table}" if self.schema else table)

    def added_to(self, table: str, columns: Iterable[str]) -> list[Column[Any]]:
        return [self.new_columns[table, name] for name in columns if (table, name) in self.new_columns]

    def retired_of(self, table: str, columns: Iterable[str]) -> list[Column[Any]]:
        return [self.retired_columns[table, name] for name in columns if (table, name) in self.retired_columns]

    def columns_in(self, table: str, condition: str) -> list[str]:
        """Find the columns of the models' table, and the retired ones, that a condition names."""
        model = self.model(table)
        known = [] if model is None else [column.name for column in model.columns]
        known += [name for of, name in self.retired_columns if of == table]
        return [name for name in known if name in sql.names_in(condition)]


def arguments_of(directive: Any, context: AutogenContext) -> str:
    """Return the arguments of Alembic's own call as source, without op.f() and the schema, of which a block is made."""
    rendered = re.sub(r"op\.f\(('[^']*')\)", r"\1", render_op_text(context, directive))
    arguments = rendered[rendered.index("(") + 1 : -1].replace(f", schema={directive.schema!r}", "")
    return re.sub(r"\s*\n\s*", " ", arguments)


def constraint_name(op: Any) -> str:
    """Return the constraint's name; of one without, the one that PostgreSQL would give it."""
    if op.constraint_name is not None:
        return sql_name(op.constraint_name)
    if isinstance(op, ops.CreateForeignKeyOp):
        return sql.default_name(op.source_table, op.local_cols, sql.FOREIGN_KEY)
    if isinstance(op, ops.CreatePrimaryKeyOp):
        return sql.default_name(op.table_name, [], sql.PRIMARY_KEY)
    return sql.default_name(op.table_name, [str(column) for column in op.columns], sql.UNIQUE)


class ReleaseImpl(PostgresqlImpl):
    __dialect__ = "postgresql"  # registers this class in place of the one that it extends

    def render_ddl_sql_expr(self, *arguments: Any, **options: Any) -> str:
        """Render the SQL as it is meant: Alembic doubles each % for psycopg2."""
        return super().render_ddl_sql_expr(*arguments, **options).replace("%%", "%")


def require_possible(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """Refuse what PostgreSQL keeps or prints otherwise than the models have it, and what cannot be written as SQL."""
    default = context.inspector.default_schema_name
    for table in context.sorted_tables:
        if table.schema == default:
            raise UnsafeOperation(
                f"The model of {table.fullname} names the schema {default}, in which tables are made anyway, and"
                " which PostgreSQL does not name where it prints one. Leave schema= out of the model."
            )
        items: tuple[Any, ...] = (table, *table.columns, *table.constraints, *table.indexes)
        for name in (name for name in (table.schema, *(item.name for item in items)) if isinstance(name, str)):
            sql.require_short(sql_name(name))
            if (kept := sql.unqualified_name(quote(name))) != name:
                raise UnsafeOperation(
                    f"The name {name} of {table.fullname} is written without quotes, as its model says, and PostgreSQL"
                    f" keeps it as {kept}. Write {kept!r} in the model, or leave the name to be quoted."
                )
        if nameless := next((index for index in table.indexes if index.name is None), None):
            columns = ", ".join(str(getattr(column, "name", column)) for column in nameless.expressions)
            raise UnsafeOperation(
                f"The index on {table.fullname} ({columns}) has no name, since the naming convention of the models has"
                ' none for indexes. Add SQLAlchemy\'s own to it: "ix": "ix_%(column_0_label)s".'
            )
        for item in (one for one in items if isinstance(one, Index | CheckConstraint | ExcludeConstraint)):
            try:
                definitions.create(item, table)
            except CompileError as error:
                why = f"{item.name} of {table.fullname} cannot be written as SQL: {error.args[0]}."
                raise UnsafeOperation(f"{why} Write a value in SQL: literal_column(\"'…'\").") from error
    return NEXT


def find_sequences(context: AutogenContext, upgrade: ops.UpgradeOps, schemas: set[Any]) -> PriorityDispatchResult:
    """Find sequences of the models, in a default in Python or of the server, that the database does not have."""
    has_sequence = context.inspector.has_sequence
    for column in (column for table in context.sorted_tables for column in table.columns):
        for default in (column.default, getattr(column.server_default, "arg", None)):
            sequence = getattr(default, "sequence", default)
            if isinstance(sequence, Sequence) and not has_sequence(sequence.name, schema=sequence.schema):
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
            _leave_to_the_server(modify, there, model)
            _join_pairs(modify, there, model)
            for op in (one for one in modify.ops if isinstance(one, ops.CreateCheckConstraintOp)):
                op.condition = literal_column(condition_sql(op.condition))  # by columns, the model would get it twice
            known = {_name_of(op) for op in modify.ops}
            for change in definitions.changed_definitions(connection, model, there, known):
                modify.ops.extend(_directives(connection, change, reflected, model))
            modify.ops.extend(_columns(connection, reflected, model))
    return NEXT


def _name_of(op: Any) -> str:
    """Return the name of the index or constraint that a directive is about; empty: it is about something else."""
    op = op.create if isinstance(op, Replacement) else op
    if isinstance(op, ops.CreateIndexOp | ops.DropIndexOp):
        return sql_name(op.index_name or "")
    return constraint_name(op) if isinstance(op, ops.AddConstraintOp | ops.DropConstraintOp) else ""


def _leave_to_the_server(modify: ops.ModifyTableOps, there: Collection[str], model: Table) -> None:
    """Leave out foreign keys to one partition, and take no column of the primary key for one that may be NULL."""
    for op in [*modify.ops]:
        if isinstance(op, ops.AlterColumnOp) and op.column_name in {column.name for column in model.primary_key}:
            op.modify_nullable = None
        is_empty = isinstance(op, ops.AlterColumnOp) and not op.has_changes()
        is_foreign_key = isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"
        if is_empty or (is_foreign_key and _name_of(op) not in there):
            modify.ops.remove(op)


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
        if isinstance(create, ops.CreateForeignKeyOp) or name not in there or name not in definitions.named(model):
            is_index = isinstance(create, ops.CreateIndexOp)
            ddl = CreateIndex(create.to_index()) if is_index else AddConstraint(create.to_constraint())
            old = there[name].text if name in there else "INVALID"
            modify.ops.append(Replacement(drop, create, old, str(ddl.compile(dialect=DIALECT))))


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
        sides = (reflected, model)
        old, new = (side.primary_key if is_key else definitions.named(side)[there.name] for side in sides)
        drop: Any = ops.DropIndexOp.from_index if isinstance(new, Index) else ops.DropConstraintOp.from_constraint
        create: Any = ops.CreateIndexOp.from_index if isinstance(new, Index) else ops.AddConstraintOp.from_constraint
        is_wider = takes_all(connection, model.name, there.text, wanted.text)
        yield Replacement(drop(old), create(new), there.text, wanted.text, is_wider)


def _other_exclude(change: definitions.Changed, name: str, reflected: Table, model: Table) -> list[Found]:
    there, wanted = (one.text if one else "" for one in change)
    gone = {column.name for column in reflected.columns} - {column.name for column in model.columns}
    if not wanted and sql.names_in(there) & gone:
        return []  # it is dropped with the column
    table = DIALECT.identifier_preparer.format_table(model)
    drop, add = f"DROP CONSTRAINT {quote(name)}", f"ADD CONSTRAINT {quote(name)} "
    definition = wanted.rpartition(f" {add}")[2]
    action = "change" if there and wanted else "add" if wanted else "remove"
    parts = [*([drop] if there else []), *([f"{add}{definition}"] if wanted else [])]
    statement = f"ALTER TABLE {table} {', '.join(parts)}"
    advice = (
        f"{model.fullname} has another EXCLUDE constraint {name} in the database than in its model. PostgreSQL builds"
        " the index of one under a lock that stops every write. If the table is small enough for that, write a revision"
        ' by hand, with phase = "contract" and, in a block of excused("how small it is"), as its one statement'
        f" op.execute({statement!r})."
    )
    both = (there, definition) if action == "change" else ()
    return [Found(f"{action}_exclude", model.fullname, name, *both, advice=advice)]


def _columns(connection: Connection, reflected: Table, model: Table) -> Iterator[ops.MigrateOperation]:
    """Compare types with the values of enums, defaults, and how values are generated."""
    stated = [column.name for column in model.columns if column.server_default is not None]
    there = definitions.columns_there(connection, model.name, stated)
    wanted = definitions.columns_wanted(connection, model)
    for column in model.columns:
        old, new = there.get(column.name), wanted.get(column.name)
        if old is None or isinstance(column.type, NullType):  # it is to come, or no model states its type
            continue
        was = reflected.columns[column.name]
        has, wants = (definitions.innermost(one.type) for one in (was, column))
        if isinstance(has, Enum) and isinstance(wants, Enum) and {*has.enums} != {*wants.enums}:
            values = (str(has.name), list(has.enums), list(wants.enums))
            yield EnumValues("change_enum", model.fullname, *values, column.name)
        if new is None:  # the server does not make it: it has no such type, or the default names what is to come
            try:
                definitions.require_known(model.fullname, [column], connection)
            except UnsafeOperation as refused:
                difference = ("change_column", model.fullname, column.name, str(old), sql.sql_type(column.type))
                yield Found(*difference, advice=refused.message)
            continue
        is_other_type = old.type != new.type
        is_computed = any(one.computed is not None for one in (column, was))
        can_change = is_other_type and not is_computed and not isinstance(was.type, NullType)  # no Python writes that
        if old[:2] != new[:2] and not can_change:
            forms = [str(one._replace(default=None, not_null=False)) for one in (old, new)]
            advice = (
                f"{model.fullname}.{column.name} would change from {forms[0]} to {forms[1]}: the live release would"
                " read other values, and all rows be rewritten under a lock. Add a column under a new name instead."
            )
            yield Found("change_column", model.fullname, column.name, *forms, advice=advice)
            continue
        alter = ops.AlterColumnOp(model.name, column.name, schema=model.schema, existing_type=was.type)
        alter.existing_server_default = was.server_default
        alter.modify_type = column.type if is_other_type else None
        is_other_default = (old.identity, old.default) != (new.identity, new.default)
        alter.modify_server_default = column.server_default if is_other_default else False
        if alter.has_changes():
            yield alter


_plugin = Plugin(__name__)
_plugin.add_autogenerate_comparator(require_possible, "schema", "models", priority=DispatchPriority.FIRST)
_plugin.add_autogenerate_comparator(find_sequences, "schema", "sequences", priority=DispatchPriority.LAST)
_plugin.add_autogenerate_comparator(keep_tables_of_extensions, "schema", "extensions", priority=DispatchPriority.LAST)
_plugin.add_autogenerate_comparator(compare_definitions, "table", "definitions", priority=DispatchPriority.LAST)
