"""Checks of long backfills, of which `schema_backfills` keeps the state: those that do not go on by themselves.

Checks of what blocks a migration right now: another migration, open and prepared transactions.

Checks of what keeps a release from noting that it is live, or from writing at all.

A release that serves and could not note it is unknown to the next upgrade, which then judges nothing.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from online_migrations.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql
from online_migrations.locks import lock_holder
from online_migrations.state.live import RELEASES

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


# Another role than the owner, who migrates: the one of the web, when it may write a table on the search path.
_ROLES = text(
    "SELECT DISTINCT quote_ident(r.rolname) AS role FROM pg_class c, aclexplode(c.relacl) g"
    " JOIN pg_roles r ON r.oid = g.grantee WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)"
    " AND g.privilege_type = 'INSERT' AND NOT (has_table_privilege(r.oid, to_regclass(:releases), 'SELECT')"
    "  AND has_table_privilege(r.oid, to_regclass(:releases), 'INSERT')"
    "  AND has_table_privilege(r.oid, to_regclass(:releases), 'UPDATE')) ORDER BY 1"
)
_READ_ONLY = text(
    "SELECT concat_ws(' IN ', 'ROLE ' || quote_ident(rolname), 'DATABASE ' || quote_ident(datname)) AS whose"
    " FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole"
    " WHERE coalesce(datname, current_database()) = current_database()"
    " AND coalesce(rolname, current_user) = current_user AND EXISTS (SELECT FROM unnest(setconfig) setting"
    "  WHERE setting ~* '^default_transaction_read_only=(on|true|yes|1)$') ORDER BY 1"
)


def releases(connection: Connection) -> Iterator[Diagnosis]:
    """Roles that may write tables and not schema_releases."""
    for row in connection.execute(_ROLES, {"releases": RELEASES.name}):
        what = (
            f"{row.role} may write tables, and not {RELEASES.name}: a release that serves as this role cannot note that"
            " it is live, and an upgrade is not judged by what it uses."
        )
        command = psql(f"GRANT SELECT, INSERT, UPDATE ON {RELEASES.name} TO {row.role}")
        yield Diagnosis(ERROR, "release-not-noted", what, command)


def read_only_default(connection: Connection) -> Iterator[Diagnosis]:
    """A setting by which each new session of ours refuses to write. The command's own session has to write."""
    for row in connection.execute(_READ_ONLY):
        what = f"default_transaction_read_only is on for {row.whose}: new sessions of this role write nothing."
        reset = f"ALTER {row.whose} RESET default_transaction_read_only"
        yield Diagnosis(ERROR, "read-only-default", what, psql("SET default_transaction_read_only = off", reset))


_IS_THERE = text("SELECT to_regclass('schema_backfills') IS NOT NULL")
_UNFINISHED = text(
    "SELECT name, table_name, state, rows_done,"
    " extract(epoch FROM clock_timestamp() - updated_at)::int AS idle_for"
    " FROM schema_backfills WHERE state IN ('failed', 'paused')"
    " OR state = 'running' AND clock_timestamp() - updated_at >= make_interval(secs => :seconds) ORDER BY name"
)


def unfinished_backfills(connection: Connection, stalled: int) -> Iterator[Diagnosis]:
    """Those that failed, are paused, or have done nothing for long. The contract step waits for each of them.

    Args:
        stalled: seconds from which on one that should run is reported.
    """
    if not connection.scalar(_IS_THERE):
        return
    for row in connection.execute(_UNFINISHED, {"seconds": stalled}):
        named = f"The backfill {row.name} of {row.table_name}"
        if row.state == "failed":
            what = f"{named} failed at a row that it cannot fill; `flask release status` says which. Fix it first."
            yield Diagnosis(ERROR, "backfill-failed", what, f"flask release resume {row.name}")
        elif row.state == "paused":
            what = f"{named} is paused, after {row.rows_done} rows."
            yield Diagnosis(WARNING, "backfill-paused", what, f"flask release resume {row.name}")
        else:
            what = f"{named} has done nothing for {row.idle_for} s: does the worker run?"
            yield Diagnosis(WARNING, "backfill-stalled", what, "flask release status")
