"""Checks of `flask release doctor` that look into the catalog and at sessions, each with the command that comes next.

Most are a query of checks.toml, of which each row is a fault. Other schemas than those of the search path and the
models are left alone.
"""

import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, MetaData, text

from online_migrations.backfills import store
from online_migrations.connection import LOCK_TIMEOUT
from online_migrations.definitions import RETIRED_COMMENT
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
    words = ['psql "$DATABASE_URL"', *(["-v ON_ERROR_STOP=1"] if len(statements) > 1 else [])]
    for sql in statements:  # in double quotes where they do, since SQL has single ones in it
        words.append(f'-c "{sql}"' if "'" in sql and not set(sql) & set('"$`\\!') else f"-c {shlex.quote(sql)}")
    return " ".join(words)


def psql_with_strong_lock(*statements: str) -> str:
    """Do as psql(), for statements that requests wait behind. It fails when a lock is not free: type it again."""
    return psql(f"SET lock_timeout = {LOCK_TIMEOUT.removesuffix('ms')}", *statements)


class Check(NamedTuple):
    what: str  # sentence and command have the query's columns in braces
    command: str
    query: str
    sent: str = "by psql"
    severity: str = ERROR


_TEXTS = tomllib.loads(Path(__file__).with_name("checks.toml").read_text(encoding="utf-8"))
CHECKS = {rule: Check(**check) for rule, check in _TEXTS["checks"].items()}
COMPATIBILITY_VIEW = "compatibility-view"
_SEND: dict[str, Callable[[str], str]] = {"by psql": psql, "by psql, locking": psql_with_strong_lock, "as it is": str}


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


def run_check(connection: Connection, rule: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Diagnosis, str]]:
    """Yield the diagnoses, each with the name by which the models know what is wrong; empty where none is asked for."""
    check = CHECKS[rule]
    for row in _rows(connection, check.query, parameters).mappings():
        next_ = _SEND[check.sent](check.command.format_map(row))
        yield Diagnosis(check.severity, rule, check.what.format_map(row), next_), row.get("model", "")


def _rows(connection: Connection, query: str, parameters: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
    return connection.execute(text(f"WITH tables AS ({_TEXTS['tables']}) {query}"), parameters)


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
    keys = _rows(connection, _TEXTS["sequence-behind"], parameters).all()  # the server has quoted the names
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
