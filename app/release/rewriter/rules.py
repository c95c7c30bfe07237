"""Indexes and constraints."""

from collections.abc import Callable
from typing import Any

from alembic.operations import ops

from app.release.ledger import CONTRACT, EXPAND
from app.release.operations.steps import DIALECT
from app.release.rewriter.calls import Call, Change, Found, arguments_of


def create_index(op: ops.CreateIndexOp, found: Found) -> Change:
    if op.table_name in found.new_tables:
        return Change([op], [], EXPAND)  # goes with its table
    arguments = arguments_of(op, found.context).replace(", unique=False", "")
    undo = Call("drop_index_online", repr(str(op.index_name)))
    return Change([Call("create_index_online", arguments)], [undo], phase_of_rule(op, found) if op.unique else EXPAND)


def drop_index(op: ops.DropIndexOp, found: Found) -> Change:
    index = op.to_index()
    if any((op.table_name, column.name) in found.retired for column in index.columns):
        return Change([], [], EXPAND)  # the release that is live still searches by it; it goes with its column
    up, down = create_index(op.reverse(), found)[:2]
    return Change(down, up, CONTRACT if index.unique else EXPAND)


def create_unique(op: ops.CreateUniqueConstraintOp, found: Found) -> Change:
    columns = [str(column) for column in op.columns]
    call = Call("add_unique_online", f"{op.table_name!r}, {name_of(op)!r}, {columns!r}")
    return Change([call], [drop_call(op)], phase_of_rule(op, found))


def create_foreign_key(op: ops.CreateForeignKeyOp, found: Found) -> Change:
    arguments = [name_of(op), op.source_table, op.referent_table, list(op.local_cols), list(op.remote_cols)]
    ondelete = f", ondelete={op.kw['ondelete']!r}" if op.kw.get("ondelete") else ""
    call = Call("add_foreign_key_online", ", ".join(map(repr, arguments)) + ondelete)
    rule = EXPAND if found.are_new(op.source_table, op.local_cols) else CONTRACT
    return Change([call], [Call("drop_constraint_online", f"{op.source_table!r}, {name_of(op)!r}")], rule)


def create_check(op: ops.CreateCheckConstraintOp, found: Found) -> Change:
    condition = op.condition if isinstance(op.condition, str) else str(op.condition.compile(dialect=DIALECT))
    call = Call("add_check_online", f"{op.table_name!r}, {name_of(op)!r}, {condition!r}")
    return Change([call], [drop_call(op)], EXPAND if op.table_name in found.new_tables else CONTRACT)


def drop_constraint(op: ops.DropConstraintOp, found: Found) -> Change:
    """Old code that counts on uniqueness (ON CONFLICT, or an error that it catches) does not run without it."""
    reverse = op.reverse()
    columns = [str(column) for column in getattr(reverse, "columns", getattr(reverse, "local_cols", []))]
    if any((op.table_name, column) in found.retired for column in columns):
        return Change([], [], EXPAND)  # goes with its column
    up, down = ADD[type(reverse)](reverse, found)[:2]
    return Change(down, up, CONTRACT if isinstance(reverse, ops.CreateUniqueConstraintOp) else EXPAND)


def phase_of_rule(op: Any, found: Found) -> str:
    """A new rule on columns that the release that is live writes may refuse what it writes."""
    return EXPAND if found.are_new(op.table_name, [str(column) for column in op.columns]) else CONTRACT


def drop_call(op: Any) -> Call:
    return Call("drop_constraint_online", f"{op.table_name!r}, {name_of(op)!r}")


def name_of(op: Any) -> str:
    return str(op.constraint_name)


ADD: dict[type, Callable[[Any, Found], Change]] = {
    ops.CreateUniqueConstraintOp: create_unique,
    ops.CreateForeignKeyOp: create_foreign_key,
    ops.CreateCheckConstraintOp: create_check,
}
