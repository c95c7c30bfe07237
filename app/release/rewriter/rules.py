"""Indexes and constraints."""

import re
from collections.abc import Callable
from typing import Any

from alembic.operations import ops

from app.release.ledger import CONTRACT, EXPAND
from app.release.operations.steps import DIALECT
from app.release.rewriter.calls import Call, Change, Found, arguments_of

FOREIGN_KEY_OPTIONS = ("onupdate", "ondelete", "deferrable", "initially")


def create_index(op: ops.CreateIndexOp, found: Found) -> Change:
    if op.table_name in found.new_tables:
        return Change([op], [], EXPAND)  # goes with its table
    # Alembic doubles a % for a driver that is not asked here.
    arguments = arguments_of(op, found.context).replace(", unique=False", "").replace("%%", "%")
    undo = Call("drop_index_online", repr(str(op.index_name)))
    return Change([Call("create_index_online", arguments)], [undo], phase_of_rule(op, found) if op.unique else EXPAND)


def drop_index(op: ops.DropIndexOp, found: Found) -> Change:
    index = op.to_index()
    if found.goes_with(op.table_name, [column.name for column in index.columns]):
        return Change([], [], EXPAND)  # the release that is live still searches by it
    up, down = create_index(op.reverse(), found)[:2]
    return Change(down, up, CONTRACT if index.unique else EXPAND)


def create_unique(op: ops.CreateUniqueConstraintOp, found: Found) -> Change:
    columns = [str(column) for column in op.columns]
    call = Call("add_unique_online", f"{op.table_name!r}, {name_of(op)!r}, {columns!r}")
    return Change([call], [drop_call(op)], phase_of_rule(op, found))


def create_foreign_key(op: ops.CreateForeignKeyOp, found: Found) -> Change:
    arguments = [name_of(op), op.source_table, op.referent_table, list(op.local_cols), list(op.remote_cols)]
    options = [f"{name}={op.kw[name]!r}" for name in FOREIGN_KEY_OPTIONS if op.kw.get(name) is not None]
    call = Call("add_foreign_key_online", ", ".join([*map(repr, arguments), *options]))
    rule = EXPAND if found.are_new(op.source_table, op.local_cols) else CONTRACT
    return Change([call], [Call("drop_constraint_online", f"{op.source_table!r}, {name_of(op)!r}")], rule)


def create_check(op: ops.CreateCheckConstraintOp, found: Found) -> Change:
    condition = op.condition if isinstance(op.condition, str) else str(op.condition.compile(dialect=DIALECT))
    call = Call("add_check_online", f"{op.table_name!r}, {name_of(op)!r}, {condition!r}")
    named = [column for table, column in found.new_columns if table == op.table_name]
    is_new = op.table_name in found.new_tables or any(re.search(rf"\b{re.escape(name)}\b", condition) for name in named)
    return Change([call], [drop_call(op)], EXPAND if is_new else CONTRACT)


def drop_constraint(op: ops.DropConstraintOp, found: Found) -> Change:
    """Old code that counts on uniqueness (ON CONFLICT, or an error that it catches) does not run without it."""
    reverse = op.reverse()
    columns = [str(column) for column in getattr(reverse, "columns", getattr(reverse, "local_cols", []))]
    if found.goes_with(op.table_name, columns):
        return Change([], [], EXPAND)
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
