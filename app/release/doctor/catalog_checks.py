"""Checks of the system catalogs and of pg_stat_activity: INVALID indexes, NOT VALID constraints, stuck sessions.

Only tables on the search path are looked at. Another application may have schemas of its own in this database.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from app.release.advisory_lock import lock_holder
from app.release.doctor.diagnosis import ERROR, WARNING, Diagnosis, psql

# An index that is being built stands in pg_stat_progress_create_index. REINDEX CONCURRENTLY builds under another name.
_INVALID_INDEXES = text(
    "SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table, c.relname"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " ORDER BY 1"
)
# A constraint that is NOT ENFORCED (PostgreSQL 18) is never validated, on purpose.
_NOT_VALID_CONSTRAINTS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name, c.contype::text AS type,"
    " (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = c.conkey[1]) AS column"
    " FROM pg_constraint c WHERE NOT c.convalidated AND c.conrelid <> 0 AND pg_table_is_visible(c.conrelid)"
    " AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) ORDER BY 1, 2"
)
_LONG_TRANSACTIONS = text(
    "SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS name, state,"
    " extract(epoch FROM clock_timestamp() - xact_start)::int AS age FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    " AND clock_timestamp() - xact_start >= make_interval(secs => :seconds) ORDER BY xact_start"
)


def invalid_indexes(connection: Connection) -> Iterator[Diagnosis]:
    """A CREATE INDEX CONCURRENTLY that failed leaves one: every write maintains it, and no query uses it."""
    for row in connection.execute(_INVALID_INDEXES):
        what = f"The index {row.index} on {row.table} is INVALID: writes pay for it, and no query uses it."
        # REINDEX CONCURRENTLY leaves its copy under such a name. The original index still stands.
        is_copy = re.search(r"_cc(?:new|old)\d*$", row.relname)
        command = "DROP INDEX CONCURRENTLY" if is_copy else "REINDEX INDEX CONCURRENTLY"
        yield Diagnosis(ERROR, "invalid-index", what, psql(f"{command} {row.index}"))


def not_valid_constraints(connection: Connection) -> Iterator[Diagnosis]:
    """A NOT VALID constraint holds for new rows only; older rows were never checked."""
    for row in connection.execute(_NOT_VALID_CONSTRAINTS):
        command = psql(f"ALTER TABLE {row.table} VALIDATE CONSTRAINT {row.name}")
        if row.type == "n":  # since PostgreSQL 18; nothing else shows it, because attnotnull is already true
            what = f"{row.table}.{row.column} is NOT NULL only for new rows: {row.name} is NOT VALID."
            yield Diagnosis(ERROR, "not-null-not-valid", what, command)
        else:
            what = f"The constraint {row.name} on {row.table} is NOT VALID: rows from before may break it."
            yield Diagnosis(ERROR, "not-valid-constraint", what, command)


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
