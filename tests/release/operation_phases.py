"""One call of each operation that a revision may make, by the phase that it needs."""

from app.release import operations

# The previous release can live with the result.
EXPANDING = {
    "add_column_online": (
        'add_column_online("todos", sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False))'
    ),
    "create_index_online": 'create_index_online("ix_todos_user_id", "todos", ["user_id"])',
    "drop_index_online": 'drop_index_online("ix_todos_position")',
    "backfill": 'backfill("todos", "note = \'\'", "note IS NULL")',
    "backfill_later": 'backfill_later("notes_of_todos", "todos", "note = \'\'", "note IS NULL")',
    "rename_with_view": 'rename_with_view("todos", "tasks")',
    "drop_not_null_online": 'drop_not_null_online("todos", "description")',
    "set_default_online": 'set_default_online("todos", "note", "\'\'")',
    "widen_text_online": 'widen_text_online("todos", "description", "VARCHAR(300)")',
    "retire_table_online": 'retire_table_online("todos")',
    "retire_column_online": 'retire_column_online("todos", "description")',
    "change_type_online": 'change_type_online("todos", "position", "BIGINT")',
    "add_computed_column_online": (
        'add_computed_column_online("todos", sa.Column("x", sa.Integer(), nullable=False), "position + 1")'
    ),
    "add_synced_column_online": (
        'add_synced_column_online("todos", "note", sa.Column("x", sa.Integer()), "length(note)", "repeat(\'x\', x)")'
    ),
    "set_not_null_online": (
        'add_column_online("todos", sa.Column("due", sa.Date()))\n'
        'set_default_online("todos", "due", "current_date")\n'
        'backfill("todos", "due = current_date", "due IS NULL")\n'
        'set_not_null_online("todos", "due")'
    ),
    "add_enum_value_online": 'add_enum_value_online("mood", "fine")',
}
# It cannot: they take what it uses, or may refuse the rows that it writes.
CONTRACTING = {
    "add_check_online": 'add_check_online("todos", "ck_todos_position", "position >= 0")',
    "add_foreign_key_online": 'add_foreign_key_online("fk_todos_user_id", "todos", "people", ["user_id"], ["id"])',
    "add_unique_online": 'add_unique_online("todos", "uq_todos_note", ["note"])',
    "set_not_null_online": 'set_not_null_online("todos", "user_id")',
    "add_primary_key_online": 'add_primary_key_online("leftovers", "leftovers_pkey", ["id"])',
    "drop_constraint_online": 'drop_constraint_online("people", "uq_people_name")',
    "drop_column_contract": 'drop_column_contract("todos", "gone")',
    "drop_table_contract": 'drop_table_contract("leftovers")',
}
# In the place of another one of the name: an index is an index, but a rule is another rule.
EXPANDING_REPLACEMENTS = {
    "index": 'create_index_online("ix_todos_position", "todos", ["position", "user_id"], replace=True)',
}
CONTRACTING_REPLACEMENTS = {
    "unique index": 'create_index_online("ix_todos_position", "todos", ["id"], unique=True, replace=True)',
    "unique": 'add_unique_online("people", "uq_people_name", ["name", "id"], replace=True)',
    "primary key": 'add_primary_key_online("people", "people_pkey", ["id", "name"], replace=True)',
    "check": (
        'add_check_online("todos", "ck_todos", "position >= 0")\n'
        'add_check_online("todos", "ck_todos", "position >= -1", replace=True)'
    ),
}
# They need something that an earlier revision made; their own tests make it.
AFTER_OTHERS = {
    *("drop_compat_view", "drop_shadow_contract", "drop_dual_write_contract", "stop_dual_write_contract"),
    *("rename_back_from_view", "reinstate_column_online", "reinstate_table_online"),
    *("require_backfilled", "cancel_backfill"),
}


def steps(calls: str) -> str:
    """Return the lines of an upgrade() that makes the calls."""
    return f"from app.release.operations import {', '.join(operations.__all__)}\n{calls}"
