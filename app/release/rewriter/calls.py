"""The pieces of a rewritten revision, and how they are written into its file."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.operations import ops

from app.release.operations.steps import DIALECT


class Call(ops.MigrateOperation):
    """A call of one of app.release.operations, as it will stand in the revision's file."""

    def __init__(self, function: str, arguments: str) -> None:
        self.function = function
        self.source = f"{function}({arguments})"


@renderers.dispatch_for(Call)
def render_call(context: AutogenContext, call: Call) -> str:
    return call.source


class Change(NamedTuple):
    """One directive, rewritten. `down` undoes `up`, in the order in which it is to be done."""

    up: list[ops.MigrateOperation]
    down: list[ops.MigrateOperation]
    phase: str


class Found(NamedTuple):
    """What one directive has to know of the others."""

    context: AutogenContext
    new_tables: set[str]
    new_columns: set[tuple[str, str]]
    retired: set[tuple[str, str]]
    added: list[ops.AddColumnOp]
    dropped_tables: list[ops.DropTableOp]

    def added_like(self, dropped: ops.DropColumnOp) -> str | None:
        """A column that comes to the table in the type of one that goes: what renaming an attribute looks like."""
        kind = str(dropped.to_column().type.compile(dialect=DIALECT))
        same = (op.column for op in self.added if op.table_name == dropped.table_name)
        return next((column.name for column in same if str(column.type.compile(dialect=DIALECT)) == kind), None)

    def dropped_like(self, created: ops.CreateTableOp) -> str | None:
        """A table that goes with the columns of one that comes: what renaming a table looks like."""
        names = {column.name for column in created.to_table().columns}
        same = (op.table_name for op in self.dropped_tables if {c.name for c in op.to_table().columns} == names)
        return next(same, None)

    def goes_with(self, table: str | None, columns: Iterable[str]) -> bool:
        """Whether an index or a rule stands on what a release retires: it goes when that is dropped."""
        is_table_retired = any(op.table_name == table for op in self.dropped_tables)
        return is_table_retired or any((table, column) in self.retired for column in columns)

    def are_new(self, table: str, columns: Iterable[str]) -> bool:
        """Whether no release that is live writes these columns, so that no rule on them can hurt it."""
        return table in self.new_tables or all((table, column) in self.new_columns for column in columns)


def arguments_of(directive: Any, context: AutogenContext) -> str:
    """What stands in the brackets of Alembic's own call; names without the marker of the naming convention."""
    rendered = re.sub(r"op\.f\(('[^']*')\)", r"\1", render_op_text(context, directive))
    arguments = rendered[rendered.index("(") + 1 : -1]
    return re.sub(r"\s*\n\s*", " ", arguments)
