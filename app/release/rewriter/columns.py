"""Tables and columns."""

from typing import Any

from alembic.operations import ops
from sqlalchemy import Column, Integer, String, Text
from sqlalchemy.schema import CreateColumn

from app.release.errors import UnsafeOperation
from app.release.ledger import CONTRACT, EXPAND
from app.release.operations.steps import DIALECT
from app.release.rewriter.calls import Call, Change, Found, arguments_of


def create_table(op: ops.CreateTableOp, found: Found) -> Change:
    return Change([op], [op.reverse()], EXPAND)


def drop_table(op: ops.DropTableOp, found: Found) -> Change:
    table = repr(op.table_name)
    return Change([Call("retire_table_online", table)], [Call("reinstate_table_online", table)], EXPAND)


def add_column(op: ops.AddColumnOp, found: Found) -> Change:
    column = op.column
    if not column.nullable and column.server_default is None:
        raise UnsafeOperation(
            f"{op.table_name}.{column.name} is required, and neither the rows that are there nor the release that is"
            f" live have a value for it. Give it a constant: mapped_column(server_default=…); or begin with"
            f" Mapped[… | None], fill it, and require it in a later release."
        )
    arguments = arguments_of(op, found.context)
    undo = Call("drop_column_contract", f"{op.table_name!r}, {column.name!r}")
    return Change([Call("add_column_online", arguments)], [undo], EXPAND)


def drop_column(op: ops.DropColumnOp, found: Found) -> Change:
    """Not dropped yet: the release that is live still reads it."""
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
                EXPAND,
            )
        )
    if op.modify_nullable is not None:
        relax, require = Call("drop_not_null_online", where), Call("set_not_null_online", where)
        parts.append(Change([relax], [require], EXPAND) if op.modify_nullable else Change([require], [relax], CONTRACT))
    if op.modify_comment is not False:
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
