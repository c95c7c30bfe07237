"""Checks of what blocks a migration right now: another migration, open and prepared transactions."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from app.release.advisory_lock import lock_holder
from app.release.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql

_LONG_TRANSACTIONS = text(
    "SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS name, state,"
    " extract(epoch FROM clock_timestamp() - xact_start)::int AS age FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " AND clock_timestamp() - xact_start >= make_interval(secs => :seconds) ORDER BY xact_start"
)
_PREPARED_TRANSACTIONS = text(
    "SELECT quote_literal(gid) AS gid, owner, extract(epoch FROM clock_timestamp() - prepared)::int AS age"
    " FROM pg_prepared_xacts WHERE database = current_database()"
    " AND clock_timestamp() - prepared >= make_interval(secs => :seconds) ORDER BY prepared"
)


def migrators(connection: Connection, idle: int) -> Iterator[Diagnosis]:
    """The session that holds the migration's advisory lock.

    Args:
        idle: seconds without a statement after which it counts as orphaned.
    """
    holder = lock_holder(connection)
    if holder is None:
        return
    if holder.idle_for is not None and holder.idle_for >= idle:
        since = f"{holder.idle_for:.0f} s"
        what = f"Session {holder.pid} ({holder.name}) holds the migration lock and has done nothing for {since}."
        yield Diagnosis(ERROR, "orphaned-migrator", what, psql(f"SELECT pg_terminate_backend({holder.pid})"))
    else:
        what = f"A migration is running: session {holder.pid} ({holder.name}), for {holder.age:.0f} s."
        yield Diagnosis(WARNING, "running-migrator", what, "flask release status")


def long_transactions(connection: Connection, seconds: int) -> Iterator[Diagnosis]:
    """A migration that needs a lock waits behind them, and VACUUM cannot remove dead rows."""
    for row in connection.execute(_LONG_TRANSACTIONS, {"seconds": seconds}):
        what = f"Session {row.pid} ({row.name}, {row.state}) has had a transaction open for {row.age} s."
        yield Diagnosis(WARNING, "long-transaction", what, psql(f"SELECT pg_terminate_backend({row.pid})"))


def prepared_transactions(connection: Connection, seconds: int) -> Iterator[Diagnosis]:
    """Two-phase commit whose second phase never came. It holds its locks, even across a restart."""
    for row in connection.execute(_PREPARED_TRANSACTIONS, {"seconds": seconds}):
        what = (
            f"The transaction {row.gid} of {row.owner} was prepared {row.age} s ago and neither committed nor rolled"
            " back: it keeps its locks, and VACUUM cannot remove dead rows."
        )
        yield Diagnosis(ERROR, "prepared-transaction", what, psql(f"ROLLBACK PREPARED {row.gid}"))
