"""Checks of sessions: what blocks a migration right now, and what keeps new sessions from noting or writing.

A release that serves and could not note it is unknown to the next upgrade, which then judges nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from online_migrations.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql
from online_migrations.locks import lock_holder
from online_migrations.state.tables import RELEASES


class Limits(NamedTuple):
    """
    Args:
        long_transaction: seconds from which on an open or a prepared transaction is reported.
        idle_migrator: seconds without a statement after which the holder of the advisory lock counts as orphaned. A
            migration that works pauses for a few seconds at most.
    """

    long_transaction: int = 300
    idle_migrator: int = 60


LIMITS = Limits()

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


def sessions(connection: Connection, limits: Limits) -> Iterator[Diagnosis]:
    """Find what blocks a migration right now."""
    yield from migrators(connection, limits.idle_migrator)
    yield from long_transactions(connection, limits.long_transaction)
    yield from prepared_transactions(connection, limits.long_transaction)


def migrators(connection: Connection, idle: int) -> Iterator[Diagnosis]:
    """Find the session that holds the migration's advisory lock."""
    holder = lock_holder(connection)
    if holder is None:
        return
    if holder.idle_for is not None and holder.idle_for >= idle:
        what = (
            f"Session {holder.pid} ({holder.name}) holds the migration lock and has done nothing for"
            f" {holder.idle_for:.0f} s."
        )
        yield Diagnosis(ERROR, "orphaned-migrator", what, psql(f"SELECT pg_terminate_backend({holder.pid})"))
    else:
        what = f"A migration is running: session {holder.pid} ({holder.name}), for {holder.age:.0f} s."
        yield Diagnosis(WARNING, "running-migrator", what, "flask release status")


def long_transactions(connection: Connection, seconds: int) -> Iterator[Diagnosis]:
    """Find what a migration that needs a lock waits behind; VACUUM cannot remove dead rows meanwhile."""
    for row in connection.execute(_LONG_TRANSACTIONS, {"seconds": seconds}):
        what = f"Session {row.pid} ({row.name}, {row.state}) has had a transaction open for {row.age} s."
        yield Diagnosis(WARNING, "long-transaction", what, psql(f"SELECT pg_terminate_backend({row.pid})"))


def prepared_transactions(connection: Connection, seconds: int) -> Iterator[Diagnosis]:
    """Find a two-phase commit whose second phase never came. It holds its locks, even across a restart."""
    for row in connection.execute(_PREPARED_TRANSACTIONS, {"seconds": seconds}):
        what = (
            f"The transaction {row.gid} of {row.owner} was prepared {row.age} s ago and neither committed nor rolled"
            " back: it keeps its locks, and VACUUM cannot remove dead rows."
        )
        yield Diagnosis(ERROR, "prepared-transaction", what, psql(f"ROLLBACK PREPARED {row.gid}"))


# Roles besides the owner, such as that of the web, which may write a table on the search path.
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


def unnoted_releases(connection: Connection) -> Iterator[Diagnosis]:
    """Find roles that may write tables and not schema_releases."""
    for row in connection.execute(_ROLES, {"releases": RELEASES.name}):
        what = (
            f"{row.role} may write tables, and not {RELEASES.name}: a release that serves as this role cannot note that"
            " it is live, and an upgrade is not judged by what it uses."
        )
        command = psql(f"GRANT SELECT, INSERT, UPDATE ON {RELEASES.name} TO {row.role}")
        yield Diagnosis(ERROR, "release-not-noted", what, command)


def read_only_default(connection: Connection) -> Iterator[Diagnosis]:
    """Find a setting by which each new session of ours refuses to write. The command's own session has to write."""
    for row in connection.execute(_READ_ONLY):
        what = f"default_transaction_read_only is on for {row.whose}: new sessions of this role write nothing."
        reset = f"ALTER {row.whose} RESET default_transaction_read_only"
        yield Diagnosis(ERROR, "read-only-default", what, psql("SET default_transaction_read_only = off", reset))
