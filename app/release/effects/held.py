"""What a transaction holds and has written so far: locks, rows, and the lock_timeout that it waits with."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text

ACCESS_EXCLUSIVE = "AccessExclusiveLock"

# Modes that block writes, or reads too. Source: PostgreSQL manual, "Explicit Locking".
_LOCKS = (
    "SELECT jsonb_object_agg(relation, mode) FROM (SELECT DISTINCT ON (relation) relation, mode FROM pg_locks"
    " WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND mode IN"
    " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " ORDER BY relation, mode) strong"
)
_ROWS = (
    "SELECT jsonb_object_agg(relid, n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables"
    " WHERE n_tup_upd + n_tup_del > 0"
)
_HELD = text(f"SELECT ({_LOCKS}) AS locks, ({_ROWS}) AS rows, current_setting('lock_timeout') AS lock_timeout")


class Held(NamedTuple):
    """
    Args:
        locks: oid of a table: the mode in which this transaction holds it; only modes that make others wait.
        rows: oid of a table: rows that this transaction has updated or deleted.
    """

    locks: Mapping[int, str]
    rows: Mapping[int, int]
    lock_timeout: str


def read_held(connection: Connection) -> Held:
    row = connection.execute(_HELD).one()
    locks, rows = ({int(oid): value for oid, value in (found or {}).items()} for found in (row.locks, row.rows))
    return Held(locks, rows, row.lock_timeout)
