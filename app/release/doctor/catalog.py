"""What the catalogs and the list of sessions tell without a look at the models.

Names are those of the search path, as everywhere: what another application keeps in a schema of its own is not ours.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from app.release.doctor.finding import ERROR, WARNING, Finding, psql
from app.release.lock import KEY

# A build that runs has its index in pg_stat_progress_create_index; REINDEX CONCURRENTLY builds under another name.
_INVALID_INDEXES = text(
    "SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table, c.relname"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " ORDER BY 1"
)
# A foreign key or check that is NOT ENFORCED (PostgreSQL 18) is meant to stay unvalidated.
_UNVALIDATED = text(
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
# A bigint key stands in pg_locks as its upper half (classid) and its lower half (objid).
_MIGRATORS = text(
    "SELECT a.pid, coalesce(nullif(a.application_name, ''), 'without a name') AS name, a.state,"
    " extract(epoch FROM clock_timestamp() - a.backend_start)::int AS age,"
    " a.state LIKE 'idle%' AND clock_timestamp() - a.state_change >= make_interval(secs => :idle) AS orphaned,"
    " extract(epoch FROM clock_timestamp() - a.state_change)::int AS since"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid = 0 AND l.objid = :key AND l.objsubid = 1"
).bindparams(key=KEY)


def invalid_indexes(connection: Connection) -> Iterator[Finding]:
    """Left by a build that failed: each write keeps them up, and no read uses them."""
    for row in connection.execute(_INVALID_INDEXES):
        what = f"The index {row.index} on {row.table} is INVALID: writes pay for it, and no query uses it."
        is_leftover = re.search(r"_cc(?:new|old)\d*$", row.relname)  # of a REINDEX, whose first index is still there
        command = "DROP INDEX CONCURRENTLY" if is_leftover else "REINDEX INDEX CONCURRENTLY"
        yield Finding(ERROR, "invalid-index", what, psql(f"{command} {row.index}"))


def unvalidated_constraints(connection: Connection) -> Iterator[Finding]:
    """They hold for new rows; what is there already was never looked at."""
    for row in connection.execute(_UNVALIDATED):
        command = psql(f"ALTER TABLE {row.table} VALIDATE CONSTRAINT {row.name}")
        if row.type == "n":  # since 18; attnotnull says true already, so nothing else shows it
            what = f"{row.table}.{row.column} is NOT NULL only for new rows: {row.name} is NOT VALID."
            yield Finding(ERROR, "not-null-not-valid", what, command)
        else:
            what = f"The constraint {row.name} on {row.table} is NOT VALID: rows from before may break it."
            yield Finding(ERROR, "not-valid-constraint", what, command)


def migrators(connection: Connection, idle: int) -> Iterator[Finding]:
    """Who holds the migration lock."""
    for row in connection.execute(_MIGRATORS, {"idle": idle}):
        if row.orphaned:
            what = f"Session {row.pid} ({row.name}) holds the migration lock and has done nothing for {row.since} s."
            yield Finding(ERROR, "orphaned-migrator", what, psql(f"SELECT pg_terminate_backend({row.pid})"))
        else:
            what = f"A migration is running: session {row.pid} ({row.name}), for {row.age} s."
            yield Finding(WARNING, "running-migrator", what, "flask release status")


def long_transactions(connection: Connection, seconds: int) -> Iterator[Finding]:
    """Behind them queues each migration that needs a lock, and no dead row is cleared away."""
    for row in connection.execute(_LONG_TRANSACTIONS, {"seconds": seconds}):
        what = f"Session {row.pid} ({row.name}, {row.state}) has had a transaction open for {row.age} s."
        yield Finding(WARNING, "long-transaction", what, psql(f"SELECT pg_terminate_backend({row.pid})"))
