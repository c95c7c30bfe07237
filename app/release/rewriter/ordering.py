"""The order of a revision's operations: nothing is missing for a moment, and what is referred to comes first."""

from collections.abc import Iterable

from alembic.operations import ops

from app.release.rewriter.calls import Call

# What is made comes before what goes, so that queries always have an index and rows always a rule.
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


def in_order(operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Online operations by their ranks; new tables before or after them.

    An online operation commits what stands before it. So a new table comes last, in the transaction that moves
    alembic_version. If a foreign key to it is added, it has to come first, and may be made twice.
    """
    calls = sorted((op for op in operations if isinstance(op, Call)), key=_rank)
    of_new_tables = [op for op in operations if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp)]
    going = [op for op in operations if isinstance(op, ops.DropTableOp)]
    others = [op for op in operations if op not in (*calls, *of_new_tables, *going)]
    if not any(_refers_to(call, of_new_tables) for call in calls):
        return [*others, *calls, *of_new_tables, *going]
    for op in of_new_tables:
        op.if_not_exists = True
    return [*others, *of_new_tables, *calls, *going]


def _rank(call: Call) -> int:
    return next((rank for rank, functions in enumerate(RANKS) if call.function in functions), OTHERS)


def _refers_to(call: Call, of_new_tables: Iterable[ops.MigrateOperation]) -> bool:
    names = (op.table_name for op in of_new_tables if isinstance(op, ops.CreateTableOp))
    return call.function == "add_foreign_key_online" and any(repr(name) in call.source for name in names)
