"""Tables and columns."""

from typing import Any

from alembic.operations import ops
from sqlalchemy import Column, Enum, Integer, String, Text
from sqlalchemy.schema import CreateColumn

from app.release.errors import UnsafeOperation
from app.release.ledger import CONTRACT, EXPAND
from app.release.operations.columns import rewriting
from app.release.operations.steps import DIALECT, RETIRED
from app.release.rewriter.calls import Call, Change, Found, arguments_of


def create_table(op: ops.CreateTableOp, found: Found) -> Change:
    for column in op.columns:
        if isinstance(column, Column):
            refuse_native_enum(op.table_name, column)
    if old := found.dropped_like(op):
        raise UnsafeOperation(
            f"The table {old} goes and {op.table_name} with the same columns comes. If it is a new name, the rows have"
            f" to come along: write a revision by hand, with rename_with_view({old!r}, {op.table_name!r})."
        )
    return Change([op], [op.reverse()], EXPAND)


def comment_on_table(op: Any, found: Found) -> Change:
    """Alembic has one directive for setting a comment and one for dropping it."""
    if getattr(op, "existing_comment", None) == RETIRED:
        table = repr(op.table_name)
        return Change([Call("reinstate_table_online", table)], [Call("retire_table_online", table)], EXPAND)
    return Change([op], [op.reverse()], EXPAND)


def refuse_native_enum(table: str, column: Column[Any]) -> None:
    """
    Raises:
        UnsafeOperation: the type of the column would be a type of the database, which autogenerate does not keep.
    """
    if isinstance(column.type, Enum) and column.type.native_enum:
        raise UnsafeOperation(
            f"{table}.{column.name} is an enum of the database, which no revision could change beside the traffic."
            " Make it a text with a rule: Enum(…, native_enum=False, create_constraint=True, name=…)."
        )


def drop_table(op: ops.DropTableOp, found: Found) -> Change:
    table = repr(op.table_name)
    return Change([Call("retire_table_online", table)], [Call("reinstate_table_online", table)], EXPAND)


def add_column(op: ops.AddColumnOp, found: Found) -> Change:
    column = op.column
    refuse_native_enum(op.table_name, column)
    if not column.nullable and column.server_default is None and column.computed is None and column.identity is None:
        raise UnsafeOperation(
            f"{op.table_name}.{column.name} is required, and neither the rows that are there nor the release that is"
            f" live have a value for it. Give it a constant: mapped_column(server_default=…); or begin with"
            f" Mapped[… | None], fill it, and require it in a later release."
        )
    if reason := rewriting(op.table_name, column, found.context.connection):
        raise UnsafeOperation(reason)
    arguments = arguments_of(op, found.context)
    undo = Call("drop_column_contract", f"{op.table_name!r}, {column.name!r}")
    return Change([Call("add_column_online", arguments)], [undo], EXPAND)


def drop_column(op: ops.DropColumnOp, found: Found) -> Change:
    """Not dropped yet: the release that is live still reads it.

    Raises:
        UnsafeOperation: a column of the same type appears on the table, so this looks like a new name for the old one.
    """
    if namesake := found.added_like(op):
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} goes and {op.table_name}.{namesake} of the same type comes. If it is a"
            f' new name, keep the column and what it holds: {namesake} = mapped_column("{op.column_name}", …). If they'
            " are two things, take them in two revisions: add the one, migrate, remove the other, migrate."
        )
    where = f"{op.table_name!r}, {op.column_name!r}"
    undo: list[ops.MigrateOperation] = [Call("reinstate_column_online", where)]
    column = op.to_column()
    if not column.nullable and column.server_default is None:
        undo.append(Call("set_not_null_online", where))
    return Change([Call("retire_column_online", where)], undo, EXPAND)


def alter_column(op: ops.AlterColumnOp, found: Found) -> Change:
    where = f"{op.table_name!r}, {op.column_name!r}"
    parts: list[Change] = []
    if op.modify_type is not None:
        parts.append(alter_type(op))
    if op.modify_server_default is not False:
        new, old = (default_sql(default) for default in (op.modify_server_default, op.existing_server_default))
        parts.append(
            Change(
                [Call("set_default_online", f"{where}, {new!r}")],
                [Call("set_default_online", f"{where}, {old!r}")],
                CONTRACT if new is None else EXPAND,  # the release that is live leaves the column out
            )
        )
    if op.modify_nullable is not None:
        relax, require = Call("drop_not_null_online", where), Call("set_not_null_online", where)
        parts.append(Change([relax], [require], EXPAND) if op.modify_nullable else Change([require], [relax], CONTRACT))
    if op.existing_comment == RETIRED and op.modify_comment is None:
        parts.append(Change([Call("reinstate_column_online", where)], [Call("retire_column_online", where)], EXPAND))
    elif op.modify_comment is not False:
        only = ops.AlterColumnOp(
            op.table_name,
            op.column_name,
            modify_comment=op.modify_comment,
            existing_comment=op.existing_comment,
            existing_type=op.existing_type,
        )
        parts.append(Change([only], [only.reverse()], EXPAND))
    return Change(
        [operation for part in parts for operation in part.up],
        [operation for part in reversed(parts) for operation in part.down],
        CONTRACT if any(part.phase == CONTRACT for part in parts) else EXPAND,
    )


def alter_type(op: ops.AlterColumnOp) -> Change:
    """A text that may grow longer is a note in the catalog; any other type rewrites the table."""
    if not grows(op.existing_type, op.modify_type):
        raise UnsafeOperation(
            f"{op.table_name}.{op.column_name} would change from {op.existing_type} to {op.modify_type}, for which"
            " PostgreSQL rewrites the whole table under a lock that stops every request. Add a column of the new type"
            " under a new name, fill it with backfill(), move the code, and remove the old one in a later release."
        )
    new, old = (str(kind.compile(dialect=DIALECT)) for kind in (op.modify_type, op.existing_type) if kind is not None)
    where = f"{op.table_name!r}, {op.column_name!r}"
    # Back means shorter, which may cut texts that were written meanwhile: the longer type harms no older code.
    return (
        Change([Call("widen_text_online", f"{where}, {new!r}")], [], EXPAND) if new != old else Change([], [], EXPAND)
    )


def grows(old: Any, new: Any) -> bool:
    if not isinstance(old, String) or not isinstance(new, String):
        return False
    return isinstance(new, Text) or new.length is None or (old.length is not None and new.length >= old.length)


def default_sql(default: Any) -> str | None:
    """A server_default as SQL; None for none."""
    if default is None or default is False:
        return None
    column: Column[Any] = Column("x", Integer, server_default=getattr(default, "arg", default))
    rendered = str(CreateColumn(column).compile(dialect=DIALECT))
    return rendered.removeprefix("x INTEGER DEFAULT ")
