"""Directives: what autogenerate finds and Alembic has no directive for, and the calls that the rewriter makes of all.

Change is one directive rewritten; Diff is what the rewriter knows meanwhile of the others.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.operations import ops
from sqlalchemy import Column, Connection, MetaData, Sequence, Table

from online_migrations.connection import connection_of
from online_migrations.sql import names_in
from online_migrations.state.ledger import CONTRACT, EXPAND


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
    """Something has the same name in models and database, and another definition.

    Args:
        drop, create: Alembic's directives for the one of the database and the one of the models.
        there, wanted: both as SQL.
        is_wider: the new one is a CHECK that takes every row that the old one takes.
    """

    def __init__(self, drop: Any, create: Any, there: str, wanted: str, is_wider: bool = False) -> None:
        self.drop, self.create, self.is_wider = drop, create, is_wider
        self.schema = drop.schema
        kind = getattr(create, "constraint_type", "index")
        name = getattr(create, "constraint_name", None) or getattr(create, "index_name", None)
        table = f"{drop.schema}.{drop.table_name}" if drop.schema else drop.table_name
        item = drop.to_index() if isinstance(drop, ops.DropIndexOp) else drop.to_constraint()
        columns = [column.name for column in item.columns]  # none of a CHECK
        super().__init__(f"change_{kind}", table, str(name), there, wanted, *columns)


class NewSequence(Found):
    """A sequence of the models that the database does not have."""

    def __init__(self, table: str, sequence: Sequence) -> None:
        self.sequence = sequence
        super().__init__("add_sequence", table, sequence.name)


class EnumValues(Found):
    """A type of the database whose values are not those of the model: its table, its name, both, and the column."""


class Diff:
    """All directives for the tables of one schema. The rewrite of one of them may depend on the others."""

    def __init__(self, context: AutogenContext, schema: str | None = None, directives: Iterable[Any] = ()) -> None:
        self.context = context
        self.schema = schema  # None: the default one
        self.new_tables: list[str] = []
        self.retired_tables: dict[str, set[str]] = {}  # with their columns
        self.new_columns: dict[tuple[str, str], Column[Any]] = {}
        self.retired_columns: dict[tuple[str | None, str], Column[Any]] = {}
        for op in directives:
            match op:
                case ops.CreateTableOp():
                    self.new_tables.append(op.table_name)
                case ops.DropTableOp():
                    self.retired_tables[op.table_name] = {column.name for column in op.to_table().columns}
                case ops.AddColumnOp():
                    self.new_columns[op.table_name, op.column.name] = op.column
                case ops.DropColumnOp():
                    self.retired_columns[op.table_name, op.column_name] = op.to_column()

    @property
    def connection(self) -> Connection:
        return connection_of(self.context.migration_context)

    def model(self, table: str) -> Table | None:
        metadata = self.context.metadata
        assert isinstance(metadata, MetaData)  # noqa: S101 - the runner passes one
        return metadata.tables.get(f"{self.schema}.{table}" if self.schema else table)

    def added_to(self, table: str, columns: Iterable[str]) -> list[Column[Any]]:
        return [self.new_columns[table, name] for name in columns if (table, name) in self.new_columns]

    def retired_of(self, table: str | None, columns: Iterable[str]) -> list[Column[Any]]:
        return [self.retired_columns[table, name] for name in columns if (table, name) in self.retired_columns]

    def are_new(self, table: str, columns: Iterable[str]) -> bool:
        """Tell if all columns are new. The live release does not write them, so a constraint cannot hurt it."""
        return all((table, column) in self.new_columns for column in columns)

    def columns_in(self, table: str, condition: str) -> list[str]:
        """Find the columns of the models' table, and the retired ones, that a condition names."""
        model = self.model(table)
        known = [] if model is None else [column.name for column in model.columns]
        known += [name for of, name in self.retired_columns if of == table]
        return [name for name in known if name in names_in(condition)]


def arguments_of(directive: Any, context: AutogenContext) -> str:
    """Return the arguments of Alembic's own call as source, without op.f(), the naming convention's marker, and without
    the schema: the call stands in a block of in_schema().
    """
    rendered = re.sub(r"op\.f\(('[^']*')\)", r"\1", render_op_text(context, directive))
    arguments = rendered[rendered.index("(") + 1 : -1].replace(f", schema={directive.schema!r}", "")
    return re.sub(r"\s*\n\s*", " ", arguments)
