"""What autogenerate found, said in online operations, with the phase that follows from it.

Alembic's directives are right about what to change and careless about how. Each is turned into calls of
app.release.operations, forth and back, or refused with a sentence that says what to write in the model.
"""

from collections.abc import Callable, Iterable
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from app.release.ledger import CONTRACT, EXPAND
from app.release.rewriter import columns, rules
from app.release.rewriter.calls import Call, Change, Found, arguments_of

__all__ = ["Call", "Change", "arguments_of", "rewritten"]

REWRITE: dict[type, Callable[[Any, Found], Change]] = {
    ops.CreateTableOp: columns.create_table,
    ops.DropTableOp: columns.drop_table,
    ops.CreateTableCommentOp: columns.comment_on_table,
    ops.DropTableCommentOp: columns.comment_on_table,
    ops.AddColumnOp: columns.add_column,
    ops.DropColumnOp: columns.drop_column,
    ops.AlterColumnOp: columns.alter_column,
    ops.CreateIndexOp: rules.create_index,
    ops.DropIndexOp: rules.drop_index,
    ops.CreateUniqueConstraintOp: rules.create_unique,
    ops.CreateForeignKeyOp: rules.create_foreign_key,
    ops.CreateCheckConstraintOp: rules.create_check,
    ops.DropConstraintOp: rules.drop_constraint,
}


def rewritten(directives: ops.UpgradeOps, context: AutogenContext) -> Change:
    """The whole revision.

    Raises:
        UnsafeOperation: there is no safe way, or a person has to choose one.
    """
    flat = flattened(directives.ops)
    found = Found(
        context,
        new_tables={op.table_name for op in flat if isinstance(op, ops.CreateTableOp)},
        new_columns={(op.table_name, op.column.name) for op in flat if isinstance(op, ops.AddColumnOp)},
        retired={(op.table_name, op.column_name) for op in flat if isinstance(op, ops.DropColumnOp)},
        added=[op for op in flat if isinstance(op, ops.AddColumnOp)],
        dropped_tables=[op for op in flat if isinstance(op, ops.DropTableOp)],
    )
    changes = [REWRITE.get(type(op), as_it_is)(op, found) for op in flat]
    up = [operation for change in changes for operation in change.up]
    down = [operation for change in reversed(changes) for operation in change.down]
    phases = {change.phase for change in changes}
    return Change(rerunnable(up), down, CONTRACT if CONTRACT in phases else EXPAND)


def flattened(directives: Iterable[ops.MigrateOperation]) -> list[Any]:
    flat: list[Any] = []
    for op in directives:
        flat.extend(flattened(op.ops) if isinstance(op, ops.ModifyTableOps) else [op])
    return flat


def rerunnable(operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Plain directives first, and such as may be run again: the first online operation commits them."""
    calls = [op for op in operations if isinstance(op, Call)]
    plain = [op for op in operations if not isinstance(op, Call)]
    for op in plain if calls else []:
        if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp):
            op.if_not_exists = True
    return [*plain, *calls]


def as_it_is(op: Any, found: Found) -> Change:
    """What nobody has thought about is treated as the worst."""
    return Change([op], [op.reverse()], CONTRACT)
