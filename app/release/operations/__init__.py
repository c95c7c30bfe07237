"""What migrations are written with: changes that the release that is live does not notice.

Each operation commits by itself, in steps that look first at what is there: it may be run again after any failure, and
a run that was killed goes on where it stopped. It waits for a lock for 300 ms at most and then tries again, and in
--sql mode it prints what it would do. A revision that uses them consists of them alone: what stands before one would be
committed by it without the version having moved.
"""

from app.release.operations.backfill import backfill
from app.release.operations.columns import (
    add_column_online,
    drop_column_contract,
    reinstate_column_online,
    retire_column_online,
    set_default_online,
    widen_text_online,
)
from app.release.operations.constraints import (
    add_check_online,
    add_foreign_key_online,
    add_unique_online,
    drop_constraint_online,
)
from app.release.operations.indexes import create_index_online, drop_index_online
from app.release.operations.nullability import drop_not_null_online, set_not_null_online
from app.release.operations.tables import (
    drop_compat_view,
    drop_table_contract,
    reinstate_table_online,
    rename_back_from_view,
    rename_with_view,
    retire_table_online,
)

__all__ = [
    "add_check_online",
    "add_column_online",
    "add_foreign_key_online",
    "add_unique_online",
    "backfill",
    "create_index_online",
    "drop_column_contract",
    "drop_compat_view",
    "drop_constraint_online",
    "drop_index_online",
    "drop_not_null_online",
    "drop_table_contract",
    "reinstate_column_online",
    "reinstate_table_online",
    "rename_back_from_view",
    "rename_with_view",
    "retire_column_online",
    "retire_table_online",
    "set_default_online",
    "set_not_null_online",
    "widen_text_online",
]
