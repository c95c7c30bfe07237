"""Checks of `flask release doctor` that look into the catalog and at sessions, each with the command that comes next.

Most are a query of checks.sql, of which each row is a fault. Other schemas than those of the search path and the models
are left alone.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, MetaData, text

from online_migrations.backfills import store
from online_migrations.connection import LOCK_TIMEOUT
from online_migrations.definitions import RETIRED_COMMENT, read_queries
from online_migrations.locks import lock_holder
from online_migrations.sql import literal

ERROR = "error"  # something is broken, or the next release will break it
WARNING = "warning"
NOTE = "note"  # what could not be looked at


class Diagnosis(NamedTuple):
    severity: str
    rule: str
    what: str
    next: str  # the one command to type


LONG_TRANSACTION = 300  # seconds from which on an open or a prepared transaction is reported
# Seconds without a statement after which the holder of the advisory lock counts as orphaned. A migration that works
# pauses for a few seconds at most.
IDLE_MIGRATOR = 60


def psql(*statements: str) -> str:
    """Return the shell command that sends statements, each in a transaction of its own, up to an error."""
    stop = " -v ON_ERROR_STOP=1" if len(statements) > 1 else ""
    return f'psql "$DATABASE_URL"{stop}' + "".join(f" -c {_shell_word(statement)}" for statement in statements)


def psql_with_strong_lock(*statements: str) -> str:
    """Do as psql(), for statements that requests wait behind. It fails when a lock is not free: type it again."""
    return psql(f"SET lock_timeout = {LOCK_TIMEOUT.removesuffix('ms')}", *statements)


def _shell_word(sql: str) -> str:
    """Quote with double quotes where they do, since SQL has single ones in it."""
    return f'"{sql}"' if "'" in sql and not set(sql) & set('"$`\\!') else shlex.quote(sql)


class Check(NamedTuple):
    """A query, of which each row is a fault. Sentence and command have its columns in braces."""

    rule: str  # the query's name in checks.sql
    what: str
    command: str
    send: Callable[[str], str] = psql
    severity: str = ERROR


CHECKS = (
    Check(
        "long-transaction",
        "Session {pid} ({name}, {state}) has had a transaction open for {age} s.",
        "SELECT pg_terminate_backend({pid})",
        severity=WARNING,
    ),
    Check(
        "prepared-transaction",
        "The transaction {gid} of {owner} was prepared {age} s ago and neither committed nor rolled back: it keeps its"
        " locks, and VACUUM cannot remove dead rows.",
        "ROLLBACK PREPARED {gid}",
    ),
    Check(
        "release-not-noted",
        "{role} may write tables, and not schema_releases: a release that serves as this role cannot note that it is"
        " live, and an upgrade is not judged by what it uses.",
        "GRANT SELECT, INSERT, UPDATE ON schema_releases TO {role}",
    ),
    Check(
        "read-only-default",
        "default_transaction_read_only is on for {whose}: new sessions of this role write nothing.",
        "SET transaction_read_only = off; ALTER {whose} RESET default_transaction_read_only",
    ),
    Check(
        "not-enforced-constraint",
        "Nothing checks the foreign key {name} on {table}: it is NOT ENFORCED. Rows may break it.",
        "ALTER TABLE {table} ALTER CONSTRAINT {name} ENFORCED",
        psql_with_strong_lock,
    ),
    Check(
        "not-null-not-valid",
        "{table}.{column} is NOT NULL only for new rows: {name} is NOT VALID.",
        "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
    ),
    Check(
        "not-valid-constraint",
        "The constraint {name} on {table} is NOT VALID: rows from before may break it.",
        "ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
    ),
    Check(
        "unkept-shadow",
        "No trigger keeps {table}.{column} any more, the shadow of a column whose type changes: what it holds is old."
        " Without it, the change cannot be reversed.",
        "ALTER TABLE {table} DROP COLUMN {column}",
        psql_with_strong_lock,
    ),
    Check(
        "other-owner",
        "The table {name} belongs to {owner} and not to {migrating_role}, who migrates: a revision that changes it"
        " fails. Only a member of both roles, or a superuser, may change that.",
        "ALTER TABLE {name} OWNER TO {migrating_role}",
        psql_with_strong_lock,
    ),
    Check(
        "missing-privilege",
        "{role} may not read and write {name}.",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {role}",
    ),
    Check(
        "disabled-trigger",
        "Triggers of {name} are disabled, so nothing keeps {disabled}: rows of now may break it.",
        "ALTER TABLE {name} ENABLE TRIGGER {which}",
        psql_with_strong_lock,
    ),
    Check(
        "instead-rule",
        "The rule {rule} on {name} does something else INSTEAD of what is written.",
        "DROP RULE {rule} ON {name}",
        psql_with_strong_lock,
    ),
    Check(
        "row-security",
        "Row security of {name} is on, and its policies {policies} a role that does not own the table.",
        "ALTER TABLE {name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
        psql_with_strong_lock,
    ),
    Check(
        "retired-table",
        "The table {name} is marked as retired, and a model uses it.",
        "COMMENT ON TABLE {name} IS NULL",
    ),
    Check(
        "invalid-index",
        "The index {name} on {table} is INVALID: writes pay for it, and no query uses it.",
        "{action} INDEX CONCURRENTLY {name}",
    ),
)
VIEWS = Check(  # the server locks a view's table to print it
    "compatibility-view",
    "{view} is a view of {renamed}, for releases from before the table was renamed. If none runs any more, drop it in a"
    ' contract revision: drop_compat_view("{old}").',
    'flask db revision -m "Drop the view {old}"',
    str,
    WARNING,
)
QUERIES = read_queries(__package__, "checks.sql")


def query_parameters(metadata: MetaData, is_at_head: bool) -> dict[str, Any]:
    """Return those of all queries. Only at the head do the database's tables have to be those of the models."""
    models = metadata.tables if is_at_head else {}
    items: list[Any] = [item for model in models.values() for item in (*model.indexes, *model.constraints)]
    return {
        "long_transaction": LONG_TRANSACTION,
        "schemas": sorted({table.schema for table in metadata.tables.values() if table.schema}),
        "models": list(models),
        "secured": [name for name, model in models.items() if model.info.get("row_security")],
        "retired": RETIRED_COMMENT,
        "wanted": [str(item.name) for item in items] if is_at_head else None,  # a constraint's index is built first
    }


def run_check(connection: Connection, check: Check, parameters: Mapping[str, Any]) -> Iterator[tuple[Diagnosis, str]]:
    """Yield the diagnoses, each with the name by which the models know what is wrong; empty where none is asked for."""
    for row in connection.execute(QUERIES[check.rule], parameters).mappings():
        next_ = check.send(check.command.format_map(row))
        yield Diagnosis(check.severity, check.rule, check.what.format_map(row), next_), row.get("model", "")


def migrators(connection: Connection) -> Iterator[Diagnosis]:
    """Find the session that holds the migration's advisory lock."""
    holder = lock_holder(connection)
    if holder is None:
        return
    if holder.idle_for is not None and holder.idle_for >= IDLE_MIGRATOR:
        did_nothing = f"holds the migration lock and has done nothing for {holder.idle_for:.0f} s"
        what = f"Session {holder.pid} ({holder.name}) {did_nothing}."
        yield Diagnosis(ERROR, "orphaned-migrator", what, psql(f"SELECT pg_terminate_backend({holder.pid})"))
    else:
        what = f"A migration is running: session {holder.pid} ({holder.name}), for {holder.age:.0f} s."
        yield Diagnosis(WARNING, "running-migrator", what, "flask release status")


def sequences_behind(connection: Connection, parameters: Mapping[str, Any]) -> Iterator[Diagnosis]:
    """Find sequences whose next number is not above the highest key, as after a restore: inserts fail."""
    keys = connection.execute(QUERIES["sequence-behind"], parameters).all()  # the server has quoted the names
    positions = [
        f"SELECT {number}, (SELECT max({key.column}) FROM {key.table}),"
        f" CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END FROM {key.sequence}"
        for number, key in enumerate(keys)
    ]
    for number, at, next_ in connection.execute(text(" UNION ALL ".join(positions))) if positions else ():
        if at is not None and next_ <= at:
            key = keys[number]
            what = f"The sequence {key.sequence} gives {next_:,}, and {key.table}.{key.column} is at {at:,}"
            catch_up = f"SELECT setval({literal(key.sequence)}, max({key.column})) FROM {key.table}"
            yield Diagnosis(ERROR, "sequence-behind", f"{what}: inserts fail.", psql(catch_up))


def unfinished_backfills(connection: Connection) -> Iterator[Diagnosis]:
    """Find backfills that failed, are paused, or have done nothing for long. The contract step waits for each."""
    for one in store.unfinished_backfills(connection):
        named = f"The backfill {one.name} of {one.table_name}"
        if one.state == store.FAILED:
            what = f"{named} failed at a row that it cannot fill; `flask release status` says which. Fix it first."
            yield Diagnosis(ERROR, "backfill-failed", what, f"flask release resume {one.name}")
        elif one.state == store.PAUSED:
            what = f"{named} is paused, after {one.rows_done} rows."
            yield Diagnosis(WARNING, "backfill-paused", what, f"flask release resume {one.name}")
        elif store.is_stalled(one):
            what = f"{named} has done nothing for {one.idle_for:.0f} s: does the worker run?"
            yield Diagnosis(WARNING, "backfill-stalled", what, "flask release status")
