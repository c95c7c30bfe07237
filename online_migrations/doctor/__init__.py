"""`flask release doctor`: what is wrong between code and database, each with the command that comes next.

It only reads: definitions are compared in temporary tables that are rolled back. It takes no lock on application tables
beyond ACCESS SHARE, and no query runs longer than `connection.READ_ONLY_SECONDS`. Most checks are a query of
checks.toml, of which each row is a fault. The differences from the models are those of `flask db check`.
"""

import logging
import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, CursorResult, Identity, MetaData, PrimaryKeyConstraint, text
from sqlalchemy.exc import DBAPIError

from online_migrations import locks, options, revisions, state
from online_migrations.autogenerate import REVISION_OPTIONS, compared, looks_at
from online_migrations.backfills import store
from online_migrations.connection import LOCK_TIMEOUT, writable_transaction
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.errors import ReleaseError, server_message
from online_migrations.revisions import script_directory
from online_migrations.sessions import RIGHT, locale_weakness
from online_migrations.sql import literal, quote
from online_migrations.state import SchemaState, database_revisions, ledger
from online_migrations.state.tables import LEDGER, exists, is_of_a_tool

__all__ = ["ERROR", "Diagnosis", "diagnose"]

log = logging.getLogger(__name__)

ERROR = "error"  # something is broken, or the next release will break it
WARNING = "warning"
NOTE = "note"  # what could not be looked at
NOT_ALLOWED = ("42501", "25006", "0A000")  # SQLSTATE: what the role may not do, and two of what a standby does not
NO_VALUE = "none"
WRITE_REVISION = 'flask db migrate -m "Bring the schema to the models"'
KINDS = {  # Alembic's word: ours
    "fk": "foreign-key",
    "foreignkey": "foreign-key",
    "primarykey": "primary-key",
    "unique": "constraint",
    "exclude": "constraint",
    "table_comment": "table-comment",
}


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


class Check(NamedTuple):
    what: str  # sentence and command have the query's columns in braces
    command: str
    query: str
    needs_strong_lock: bool = False  # requests wait behind it, so it fails when the lock is not free: type it again
    severity: str = ERROR


_TEXTS = tomllib.loads(Path(__file__).with_name("checks.toml").read_text(encoding="utf-8"))
CHECKS = {rule: Check(**check) for rule, check in _TEXTS["checks"].items()}


def query_parameters(metadata: MetaData, is_at_head: bool) -> dict[str, Any]:
    """Return those of all queries. Only at the head do the database's tables have to be those of the models."""
    models = metadata.tables if is_at_head else {}
    items: list[Any] = [item for model in models.values() for item in (*model.indexes, *model.constraints)]
    return {
        "key": locks.lock_key(options.current().name),
        "idle_migrator": IDLE_MIGRATOR,
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
        next_ = check.command.format_map(row)
        if not next_.startswith("flask "):
            brief = [f"SET lock_timeout = {LOCK_TIMEOUT.removesuffix('ms')}"] if check.needs_strong_lock else []
            next_ = psql(*brief, next_)
        yield Diagnosis(check.severity, rule, check.what.format_map(row), next_), row.get("model", "")


def _rows(connection: Connection, query: str, parameters: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
    tables, holder = _TEXTS["tables"], locks.QUERIES["holder"].text
    return connection.execute(text(f"WITH tables AS ({tables}), migrator AS ({holder}) {query}"), parameters)


def not_adopted(connection: Connection, found: SchemaState, metadata: MetaData) -> list[str]:
    """Return the tables of a database in which no revision has run, though there are models: those of no tool, on the
    search path and in the models' schemas, as the models would name them.
    """
    if not metadata.tables or found.database_revision or exists(connection, LEDGER):
        return []
    tables = _rows(connection, "SELECT model FROM tables ORDER BY 1", query_parameters(metadata, False)).scalars()
    return [name for name in tables if looks_at(name) and not is_of_a_tool(name.rpartition(".")[2])]


def sequences_behind(connection: Connection, parameters: Mapping[str, Any]) -> Iterator[Diagnosis]:
    """Find sequences whose next number is not above the highest key, as after a restore: inserts fail."""
    for key in _rows(connection, _TEXTS["sequence-behind"], parameters).all():  # the server has quoted the names
        following = f"CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END"
        position = f"SELECT (SELECT max({key.column}) FROM {key.table}), {following} FROM {key.sequence}"
        at, next_ = connection.execute(text(position)).one()
        if at is not None and next_ <= at:
            what = f"The sequence {key.sequence} gives {next_:,}, and {key.table}.{key.column} is at {at:,}"
            catch_up = f"SELECT setval({literal(key.sequence)}, max({key.column})) FROM {key.table}"
            yield Diagnosis(ERROR, "sequence-behind", f"{what}: inserts fail.", psql(catch_up))


_STOPPED = {
    store.FAILED: (ERROR, "backfill-failed"),
    store.PAUSED: (WARNING, "backfill-paused"),
    store.RUNNING: (WARNING, "backfill-stalled"),
}


def stopped_backfills(connection: Connection) -> Iterator[Diagnosis]:
    """Find backfills that failed, are paused, or have done nothing for long. The contract step waits for each."""
    for one in store.unfinished_backfills(connection):
        is_running = one.state == store.RUNNING
        if not is_running or store.is_stalled(one):
            command = "flask release status" if is_running else f"flask release resume {one.name}"
            what = f"The backfill {one.name} does not go on; flask release status says why: {store.progress(one)}."
            yield Diagnosis(*_STOPPED[one.state], what, command)


def check_revisions(connection: Connection, found: SchemaState, metadata: MetaData) -> Iterator[Diagnosis]:
    """Check the revisions. Two files of one revision, or a version that is wrong, explain all the rest."""
    if twice := revisions.duplicate_revisions(script_directory()):
        for revision, names in twice.items():
            what = f"Revision {revision} has several files, {', '.join(names)}, of which only one is ever applied."
            yield Diagnosis(ERROR, "revision-twice", what, f"flask release lint {revision}")
        return
    if there := not_adopted(connection, found, metadata):
        what = f"The database has no revision, and tables that none has made: {', '.join(there)}. An upgrade"
        what += " is refused, and says how to record what they are."
        yield Diagnosis(ERROR, "not-adopted", what, "flask db upgrade")
        return
    yield from list(other_version(connection, found)) or revision_state(found)
    if found.name in (state.AT_HEAD, state.BEHIND) and found.database_revision and exists(connection, LEDGER):
        code = script_directory()
        changed = ledger.other_files(connection, code, database_revisions(connection))
        yield from map(_other_file, reversed(changed)) if changed else mixed(connection, found, metadata, code)


def _other_file(one: ledger.OtherFile) -> Diagnosis:
    number = one.script.revision
    if one.now:
        what = f"What ran here as {number} is {one.now} in this code."
        return Diagnosis(ERROR, "renumbered-revision", what, "flask db upgrade")
    what = (
        f"{number} in this code is not what ran here as {number}: its file was edited since, or another revision had"
        " its number. Put the file back as it was; what it lacks is a new revision."
    )
    return Diagnosis(ERROR, "edited-revision", what, f"git log -p -- {os.path.relpath(one.script.path)}")


def mixed(connection: Connection, found: SchemaState, metadata: MetaData, code: ScriptDirectory) -> Iterator[Diagnosis]:
    """Find an older schema that was restored over a newer one, of which tables stand that the version does not have.

    They are older than alembic_version, which came with the backup; by hand one may have been made since.
    """
    noted = {row.revision for row in ledger.read_history(connection)}
    if not (to_run := [revision for revision in found.pending if revision not in noted]):
        return
    older = "SELECT model FROM tables WHERE oid < to_regclass('alembic_version')"
    there = _rows(connection, older, query_parameters(metadata, False)).scalars().all()
    if early := revisions.made_too_early(code, to_run, there):
        what = (
            f"The database is at {found.database_revision}, and has what later revisions make: {', '.join(early)}. A"
            " backup of an older schema was restored over a newer one (pg_restore --clean), which mixes the rows of two"
            " databases. Keep a dump of what is there, and restore the backup again into an empty schema."
        )
        schema = quote(connection.scalar(text("SELECT current_schema()")))
        yield Diagnosis(ERROR, "mixed", what, psql(f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema}"))


def locale(connection: Connection) -> Iterator[Diagnosis]:
    if weakness := locale_weakness(connection):
        make = f"CREATE DATABASE {quote(f'{connection.engine.url.database}_new')} {RIGHT}"
        yield Diagnosis(WARNING, "locale", f"{weakness} Restore into another database.", psql(make))


def faults(connection: Connection) -> Iterator[Diagnosis]:
    """Find what only the project knows to be wrong."""
    project = options.current().faults
    yield from (Diagnosis(*one) for one in (project(connection) if project else ()))


def require_no_fault(connection: Connection, found: SchemaState, metadata: MetaData, code: ScriptDirectory) -> None:
    """Refuse to upgrade a database that has a fault which is an error, and log the others. At head, read no table."""
    connection.rollback()  # of the try before
    of_rows = [*mixed(connection, found, metadata, code), *faults(connection)] if found.pending else []
    for one in (*of_rows, *locale(connection)):
        if one.severity == ERROR:
            raise ReleaseError(f"Nothing was changed. {one.what} Type: {one.next}")
        log.warning("%s See: flask release doctor", one.what)


def other_version(connection: Connection, found: SchemaState) -> Iterator[Diagnosis]:
    """Compare alembic_version with the ledger. A downgrade moves both, so one was changed by hand if they differ."""
    noted, applied = {row.revision for row in ledger.read_history(connection)}, database_revisions(connection)
    newest_first = [script.revision for script in script_directory().walk_revisions()]
    if ran := [revision for revision in found.pending if revision in noted]:
        right, why = ran[-1], f"by the ledger {ran[-1]} ran after it"
    elif found.name == state.UNKNOWN and revisions.known_revisions(script_directory()).issuperset(applied):
        right, why = min(applied, key=newest_first.index), "one of it comes before the other"
    else:
        return
    what = f"alembic_version holds {found.database_revision or 'no revision'}, and {why}: somebody changed it by hand."
    yield Diagnosis(ERROR, "other-version", what, f"flask db stamp --purge {right}")


def revision_state(found: SchemaState) -> list[Diagnosis]:
    """Say where the database is, unless it is at the code's one head, as the commands do that are refused there."""
    is_on_the_way = found.name in (state.AT_HEAD, state.BEHIND)
    if is_on_the_way and (unmerged := revisions.unmerged_heads(script_directory())):
        what = state.two_heads(found, unmerged)
        return [Diagnosis(ERROR, "two-heads", what, 'flask db merge heads -m "Merge"')]
    heads = " heads" if "," in found.code_head else ""
    unknown = found.foreign[-1] if found.foreign else found.database_revision
    severity, rule, command = {
        state.AT_HEAD: ("", "", ""),
        state.BEHIND: (ERROR, "behind", f"flask db upgrade{heads}"),
        state.AHEAD: (WARNING, "ahead", "git pull"),
        state.AHEAD_CONTRACT: (ERROR, "ahead-contract", "git pull"),
        state.UNKNOWN: (ERROR, "unknown-revision", f"git log --all -S {unknown} -- migrations/versions"),
    }[found.name]
    return [Diagnosis(severity, rule, state.refusal(found), command)] if rule else []


def diagnose(connection: Connection, metadata: MetaData) -> list[Diagnosis]:
    """Return one for each cause. The models are compared at the code's head. Raises: OperationalError, if slow."""
    there = state.read_schema_state(connection)
    is_at_head = there.name == state.AT_HEAD and not revisions.duplicate_revisions(script_directory())
    parameters = query_parameters(metadata, is_at_head)
    found = [*check_revisions(connection, there, metadata), *stopped_backfills(connection)]
    with _attempt(connection, found):
        found += [*locale(connection), *faults(connection)]
    reported = set()
    for rule in CHECKS:
        with _attempt(connection, found):
            for fault, name in run_check(connection, rule, parameters):
                found.append(fault)
                reported.add(name)
    with _attempt(connection, found):
        found += sequences_behind(connection, parameters)
    if is_at_head:
        with _attempt(connection, found):
            with writable_transaction(connection):
                differing = [one for one in differences(connection, metadata) if one.name not in reported]
            # A primary key that no model has harms nobody.
            found += [diagnosis(one) for one in differing if (one.action, one.kind) != ("remove", "primary-key")]
    connection.rollback()
    return list(dict.fromkeys(found))


@contextmanager
def _attempt(connection: Connection, found: list[Diagnosis]) -> Iterator[None]:
    """Go on behind the block if a lock or a missing privilege prevents it; a diagnosis more says so."""
    try:
        yield
    except ReleaseError as error:  # of a model that no schema can be compared with
        found.append(Diagnosis(ERROR, "not-compared", error.message, "flask db check"))
    except DBAPIError as error:
        connection.rollback()
        severity, rule = WARNING, "not-compared"
        what = f"Some things could not be compared ({server_message(error)}); somebody may be changing them."
        if locks.sqlstate(error) in NOT_ALLOWED:
            severity, rule = NOTE, "not-seen"
            what = f"Some things were not compared, because that is not allowed here: {server_message(error)}."
        found.append(Diagnosis(severity, rule, what, "flask release doctor"))


class Difference(NamedTuple):
    action: str  # add (to the database), remove (from it), replace (by another definition), or modify
    kind: str  # table, column, index, check, primary-key, …; of "modify" what of a column differs
    table: str  # with its schema, unless that is the default one
    name: str
    columns: Sequence[str] = ()  # on which an index or a constraint stands
    there: str = ""  # of "replace" and "modify", what the database has
    wanted: str = ""  # and the models


def differences(
    connection: Connection, metadata: MetaData, options: Mapping[str, Any] = REVISION_OPTIONS
) -> list[Difference]:
    """Return what `flask db migrate` would write, one for each cause. The caller rolls back the temporary tables."""
    _, found = compared(connection, metadata, options)
    changes = [change for item in found.as_diffs() for change in (item if isinstance(item, list) else [item])]
    return _causes(list(map(_difference, changes)))


def _difference(change: tuple[Any, ...]) -> Difference:
    """Read one of Alembic's tuples, or of our own comparators' (autogenerate/compare.py)."""
    action, kind = change[0].split("_", 1)
    kind = KINDS.get(kind, kind)
    if action == "change":
        _, table, name, there, wanted, *columns = change
        return Difference("replace", kind, table, name, columns, str(there), str(wanted))
    if isinstance(change[1], str):  # a sequence or an EXCLUDE, by its table and its name
        return Difference(action, kind, *change[1:3])
    if action == "modify":
        _, schema, table, column, _, old, new = change
        kind = "identity" if isinstance(new, Identity) else kind
        where = ".".join(filter(None, (schema, table)))
        return Difference(action, kind, where, column, (), _shown_value(old), _shown_value(new))
    if kind == "column":
        return Difference(action, kind, ".".join(filter(None, change[1:3])), change[3].name)
    item = change[1]
    if kind in ("table", "table-comment"):
        return Difference(action, kind, item.fullname, item.fullname)
    name, columns = item.name, [column.name for column in item.columns]
    if isinstance(item, PrimaryKeyConstraint):
        kind, name = "primary-key", name or f"{item.table.name}_pkey"  # as the server calls one without a name
    return Difference(action, kind, item.table.fullname, str(name), columns)


def _causes(differences: Sequence[Difference]) -> list[Difference]:
    """Leave out what follows from another: the index of a table or column that is missing is missing too."""
    tables = {one.table for one in differences if one.kind == "table"}
    columns = {(one.table, one.name) for one in differences if one.kind == "column"}
    # On these the server cannot print the definitions of the models.
    other = {one.table for one in differences if one.kind == "type" or (one.action, one.kind) == ("add", "column")}

    def follows(one: Difference) -> bool:
        return one.kind != "table" and (
            one.table in tables
            or (one.action == "replace" and not one.columns and one.table in other)
            or any((one.table, column) in columns for column in one.columns)
        )

    return [one for one in differences if not follows(one)]


def _shown_value(value: Any) -> str:
    if isinstance(value, Identity):
        return f"GENERATED {'ALWAYS' if value.always else 'BY DEFAULT'} AS IDENTITY"
    return NO_VALUE if value is None else str(getattr(value, "arg", value))


def diagnosis(one: Difference) -> Diagnosis:
    """Say what a difference means, with the command that removes it: a new revision, where one can be written."""
    rule, command, values = f"other-{one.kind}", WRITE_REVISION, f"{one.there} in the database and {one.wanted}"
    if one.kind == "comment" and one.there == RETIRED_COMMENT:
        rule, what = "retired-column", f"The column {one.table}.{one.name} is marked as retired, and a model uses it."
        table = ".".join(map(quote, one.table.split(".")))
        command = psql(f"COMMENT ON COLUMN {table}.{quote(one.name)} IS NULL")
    elif one.action == "modify":
        what = f"{one.table}.{one.name} has another {one.kind}: {values} in the models."
    elif one.action == "replace":
        what = f"{_named(one)} is {values} in the models."
    elif one.action == "add":
        rule, what = f"missing-{one.kind}", f"{_named(one)} is in the models and not in the database."
    else:
        rule, what = f"extra-{one.kind}", f"{_named(one)} is in the database and in no model."
        if one.kind == "table":
            what += f" If another program made it, name it in Options(unmapped_prefixes=({one.name!r},))."
    return Diagnosis(ERROR, rule, what, command)


def _named(one: Difference) -> str:
    kind = f"The {one.kind.replace('-', ' ')}"
    if one.kind in ("table", "table-comment"):
        return f"{kind} {one.table}" if one.kind == "table" else f"{kind} of {one.table}"
    return f"{kind} {one.table}.{one.name}" if one.kind == "column" else f"{kind} {one.name} on {one.table}"
