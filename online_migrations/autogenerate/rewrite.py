"""Rewriter: turns autogenerate's directives into online operations, and finds the revision's phase.

Alembic writes statements that lock tables. Here each of its directives becomes calls of operations, for upgrade and
downgrade. What has no safe way is refused with a sentence that says what to write in the model or by hand.
"""

from collections.abc import Callable, Iterable
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from online_migrations.autogenerate import columns, tables
from online_migrations.autogenerate.directives import Call, Change, Diff, EnumValues, Found, NewSequence, Replacement
from online_migrations.errors import UnsafeOperation
from online_migrations.state.ledger import CONTRACT


def refuse(op: Found, diff: Diff) -> Change:
    raise UnsafeOperation(op.advice)


def keep(op: Any, diff: Diff) -> Change:
    """Keep a directive that has no rewrite, as a contract to be safe."""
    return Change([op], [op.reverse()], CONTRACT)


REWRITE: dict[type, Callable[[Any, Diff], Change]] = {
    **tables.CREATE,
    ops.CreateTableOp: tables.create_table,
    ops.DropTableOp: tables.drop_table,
    ops.CreateTableCommentOp: tables.comment_on_table,
    ops.DropTableCommentOp: tables.comment_on_table,
    ops.AddColumnOp: columns.add_column,
    ops.DropColumnOp: columns.drop_column,
    ops.AlterColumnOp: columns.alter_column,
    ops.DropIndexOp: tables.drop_index,
    ops.DropConstraintOp: tables.drop_constraint,
    Replacement: tables.replace,
    Found: refuse,
    EnumValues: columns.add_values,
}

# New things come before those that go, so that queries always have an index and rows always a rule.
RANKS = (
    ("reinstate_table_online", "reinstate_column_online", "add_column_online"),
    (),  # what is not named here: another default, a wider type
    ("create_index_online", "add_unique_online", "add_primary_key_online"),
    ("add_foreign_key_online", "add_check_online"),  # a foreign key refers to a unique index
    ("set_not_null_online", "drop_not_null_online"),  # of a key's columns after the key
    ("drop_constraint_online",),
    ("drop_index_online",),
    ("retire_column_online", "retire_table_online"),
    ("drop_shadow_contract", "drop_column_contract", "drop_table_contract"),
)
OTHERS = RANKS.index(())


def rewrite_directives(upgrade: ops.UpgradeOps, context: AutogenContext) -> Change:
    """Rewrite all directives of a revision."""
    found = [op for op in upgrade.ops if isinstance(op, NewSequence)]
    by_name = {(op.sequence.schema, op.sequence.name): op for op in found}  # one may serve many columns
    sequences = Change.joined([tables.create_sequence(op) for op in by_name.values()])
    placed: list[tuple[str | None, Any]] = []  # in the order in which one refers to another; None: the default schema
    for outer in (op for op in upgrade.ops if not isinstance(op, NewSequence)):
        placed += [
            (tables.schema_of(op), op) for op in (outer.ops if isinstance(outer, ops.ModifyTableOps) else [outer])
        ]
    schemas = {schema for schema, _ in placed}
    diffs = {schema: Diff(context, schema, [op for of, op in placed if of == schema]) for schema in schemas}
    changes = [REWRITE.get(type(op), keep)(op, diffs[schema]).in_schema(schema) for schema, op in placed]
    up, down, phase = Change.joined(changes)
    return Change([*sequences.up, *in_order(up)], [*in_order(down), *sequences.down], phase)


def in_order(operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Put online operations by their ranks; new tables before or after them.

    An online operation commits what stands before it. So a new table comes last, in the transaction that moves
    alembic_version. If a foreign key to it is added, it has to come first, and may be made twice.
    """
    ranks = {function: rank for rank, functions in enumerate(RANKS) for function in functions}
    calls = [op for op in operations if isinstance(op, Call)]
    calls.sort(key=lambda call: ranks.get(call.function, OTHERS))
    of_new_tables = [op for op in operations if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp)]
    going = [op for op in operations if isinstance(op, ops.DropTableOp)]
    others = [op for op in operations if op not in (*calls, *of_new_tables, *going)]
    if not any(_refers_to(call, of_new_tables) for call in calls):
        return [*others, *calls, *of_new_tables, *going]
    for op in of_new_tables:
        op.if_not_exists = True
    return [*others, *of_new_tables, *calls, *going]


def _refers_to(call: Call, of_new_tables: Iterable[ops.MigrateOperation]) -> bool:
    names = (op.table_name for op in of_new_tables if isinstance(op, ops.CreateTableOp))
    return call.function == "add_foreign_key_online" and any(repr(name) in call.source for name in names)
