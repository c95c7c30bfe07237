"""Operations for migrations: zero-downtime schema changes, which run while the previous release serves.

How each one runs:

- It is a list of steps. A step is one statement in a transaction of its own, with a query that tells whether the step
  is still needed. So every operation is idempotent: after a failure or a kill, run it again and it does the rest.
- A statement that needs a strong lock on a table waits for it at most 300 ms (lock_timeout). Before that it takes
  SHARE UPDATE EXCLUSIVE, waiting at most 2 s; this blocks no reads and no writes. Of two tables, the one that a foreign
  key refers to is locked first, and in the next attempt last: requests that lock both may do it in either order.
- A statement that blocks neither reads nor writes may wait until the deadline of the run (50 minutes).
- After a lock timeout or a deadlock the operation is retried with backoff until the deadline.
- In --sql mode it prints its statements and asks no database.
- backfill_later, cancel_backfill and require_backfilled are not steps: they are part of the migration's transaction.

A revision that uses operations must consist of them alone. An operation commits, and with it whatever stands before it
in the revision, although alembic_version has not moved yet.

"Already there" means the same definition: what has the name and is something else is refused, or replaced if the call
says so (definitions.py).

Raised by all: DeadlineExceeded when a lock was not to be had before the deadline, ReleaseError when the table or column
does not exist, or something else has the name. Each one with its SQL and locks: docs/operations-for-migrations.md.
"""

from online_migrations.guard.watch import excused
from online_migrations.operations.backfill import backfill
from online_migrations.operations.backfill_later import backfill_later, cancel_backfill, require_backfilled
from online_migrations.operations.columns import (
    add_column_online,
    add_enum_value_online,
    drop_not_null_online,
    set_default_online,
    set_not_null_online,
    widen_text_online,
)
from online_migrations.operations.constraints import (
    add_check_online,
    add_foreign_key_online,
    add_primary_key_online,
    add_unique_online,
    drop_constraint_online,
)
from online_migrations.operations.drops import (
    drop_column_contract,
    drop_table_contract,
    reinstate_column_online,
    reinstate_table_online,
    retire_column_online,
    retire_table_online,
)
from online_migrations.operations.dual_writes import (
    add_computed_column_online,
    add_synced_column_online,
    drop_dual_write_contract,
    stop_dual_write_contract,
)
from online_migrations.operations.indexes import create_index_online, drop_index_online
from online_migrations.operations.steps import in_schema
from online_migrations.operations.tables import drop_compat_view, rename_back_from_view, rename_with_view
from online_migrations.operations.type_changes import change_type_online, drop_shadow_contract

__all__ = [
    "add_check_online",
    "add_column_online",
    "add_computed_column_online",
    "add_enum_value_online",
    "add_foreign_key_online",
    "add_primary_key_online",
    "add_synced_column_online",
    "add_unique_online",
    "backfill",
    "backfill_later",
    "cancel_backfill",
    "change_type_online",
    "create_index_online",
    "drop_column_contract",
    "drop_compat_view",
    "drop_constraint_online",
    "drop_dual_write_contract",
    "drop_index_online",
    "drop_not_null_online",
    "drop_shadow_contract",
    "drop_table_contract",
    "excused",
    "in_schema",
    "reinstate_column_online",
    "reinstate_table_online",
    "rename_back_from_view",
    "rename_with_view",
    "require_backfilled",
    "retire_column_online",
    "retire_table_online",
    "set_default_online",
    "set_not_null_online",
    "stop_dual_write_contract",
    "widen_text_online",
]
