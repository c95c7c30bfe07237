"""The operations of revisions: each one changes the schema while the previous release serves.

An operation is a list of steps, each one statement in a transaction of its own, with a question to the catalog that
tells if it is still needed. So after a failure or a kill it runs again, and does the rest. What is there already is
skipped if its definition is the same; what has the name and is something else is refused, or replaced if the call says
so. What needs a backfill of its table or column is refused until that is done. A revision consists of operations alone,
or of plain Alembic in one transaction: an operation commits what stands before it, but backfill_later, cancel_backfill
and require_backfilled, which are a part of the migration's transaction.

How long a statement waits for its lock, and how long others wait because of it:

- *short*: it needs a strong lock. First it takes SHARE UPDATE EXCLUSIVE, for which it waits 2 seconds at most and which
  blocks no request. Then it asks for the strong lock, for 300 ms at most; requests can queue behind it for that long.
  If it does not get the lock, all is rolled back and tried again after a pause, until the deadline. Once it has the
  lock, it changes only the catalog, in milliseconds. Of two tables, the one that a foreign key refers to is locked
  first, and in the next attempt last: requests that lock both may do it in either order. What is dropped with a foreign
  key locks both too. To replace something, the new one is built beside it under another name, which changes at the end.
- *until the deadline*: it blocks neither reads nor writes, neither while it waits nor while it runs. The deadline of a
  run is 50 minutes (flask db upgrade -x deadline=SECONDS); then it exits with 1 and names the session in the way.

A partitioned table is one of them: where PostgreSQL would read its rows under a lock, each partition gets its own index
or constraint first, and a short step gives it to the whole. A script (--sql) does not know the partitions.

All raise DeadlineExceeded at the deadline, and ReleaseError when a table or column does not exist. A table is looked
for on the search path; for one of another schema the call stands in a block of in_schema().
"""

from inspect import isfunction

from online_migrations.guard.watch import excused as excused
from online_migrations.operations.backfill import backfill as backfill
from online_migrations.operations.backfill import backfill_later as backfill_later
from online_migrations.operations.backfill import cancel_backfill as cancel_backfill
from online_migrations.operations.backfill import require_backfilled as require_backfilled
from online_migrations.operations.constraints import add_check_online as add_check_online
from online_migrations.operations.constraints import add_foreign_key_online as add_foreign_key_online
from online_migrations.operations.constraints import add_primary_key_online as add_primary_key_online
from online_migrations.operations.constraints import add_unique_online as add_unique_online
from online_migrations.operations.constraints import create_index_online as create_index_online
from online_migrations.operations.constraints import drop_constraint_online as drop_constraint_online
from online_migrations.operations.constraints import drop_index_online as drop_index_online
from online_migrations.operations.dual_writes import add_computed_column_online as add_computed_column_online
from online_migrations.operations.dual_writes import add_synced_column_online as add_synced_column_online
from online_migrations.operations.dual_writes import drop_dual_write_contract as drop_dual_write_contract
from online_migrations.operations.dual_writes import stop_dual_write_contract as stop_dual_write_contract
from online_migrations.operations.steps import in_schema as in_schema
from online_migrations.operations.tables import add_column_online as add_column_online
from online_migrations.operations.tables import add_enum_value_online as add_enum_value_online
from online_migrations.operations.tables import drop_column_contract as drop_column_contract
from online_migrations.operations.tables import drop_compat_view as drop_compat_view
from online_migrations.operations.tables import drop_not_null_online as drop_not_null_online
from online_migrations.operations.tables import drop_table_contract as drop_table_contract
from online_migrations.operations.tables import reinstate_column_online as reinstate_column_online
from online_migrations.operations.tables import reinstate_table_online as reinstate_table_online
from online_migrations.operations.tables import rename_back_from_view as rename_back_from_view
from online_migrations.operations.tables import rename_with_view as rename_with_view
from online_migrations.operations.tables import retire_column_online as retire_column_online
from online_migrations.operations.tables import retire_table_online as retire_table_online
from online_migrations.operations.tables import set_default_online as set_default_online
from online_migrations.operations.tables import set_not_null_online as set_not_null_online
from online_migrations.operations.tables import widen_text_online as widen_text_online
from online_migrations.operations.type_changes import change_type_online as change_type_online
from online_migrations.operations.type_changes import drop_shadow_contract as drop_shadow_contract

__all__ = [name for name, value in list(globals().items()) if isfunction(value) and value is not isfunction]
