"""`flask release doctor`: what is wrong between code and database, each with the command that comes next.

It only reads: what it makes in order to compare definitions, it makes in temporary tables that are rolled back. It
takes no lock on application tables beyond ACCESS SHARE, and no query runs longer than `connection.READ_ONLY_SECONDS`.
The differences between database and models are those of `flask db check`, one for each cause. The end of an upgrade
asks for them too, and so does `plan`.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Identity, MetaData, PrimaryKeyConstraint
from sqlalchemy.exc import DBAPIError, SAWarning

from online_migrations import revisions
from online_migrations.autogenerate import REVISION_OPTIONS
from online_migrations.connection import writable_transaction
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.doctor import checks
from online_migrations.doctor.checks import ERROR, NOTE, WARNING, Diagnosis, psql
from online_migrations.errors import server_message
from online_migrations.locks import sqlstate
from online_migrations.sql import quote
from online_migrations.state import AT_HEAD, read_schema_state

__all__ = ["ERROR", "Diagnosis", "diagnose"]

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


def diagnose(connection: Connection, metadata: MetaData) -> list[Diagnosis]:
    """Return all diagnoses, one for each cause. The models are compared when the database is at the code's head.

    Raises:
        OperationalError: the database does not answer in time.
    """
    state = read_schema_state(connection)
    is_at_head = state.name == AT_HEAD and not revisions.duplicate_revisions(revisions.script_directory())
    parameters = checks.query_parameters(metadata, is_at_head)
    found = [*checks.check_revisions(connection, state), *checks.stopped_backfills(connection)]
    reported = set()
    for rule in checks.CHECKS:
        with _attempt(connection, found):
            for fault, name in checks.run_check(connection, rule, parameters):
                found.append(fault)
                reported.add(name)
    with _attempt(connection, found):
        found += checks.sequences_behind(connection, parameters)
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
    except DBAPIError as error:
        connection.rollback()
        severity, rule = WARNING, "not-compared"
        what = f"Some things could not be compared ({server_message(error)}); somebody may be changing them."
        if sqlstate(error) in NOT_ALLOWED:
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
    """Return what `flask db migrate` would write into a new revision, without what follows from another difference.

    Definitions are compared on temporary tables, which the caller rolls back.
    """
    migration = MigrationContext.configure(connection, opts=dict(options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 warns of a CHECK that is NOT VALID
        found = compare_metadata(migration, metadata)
    changes = [change for item in found for change in (item if isinstance(item, list) else [item])]
    return _causes(list(map(_difference, changes)))


def _difference(change: tuple[Any, ...]) -> Difference:
    """Read one of Alembic's tuples, or of our own comparators' (autogenerate/directives.py)."""
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
        return Difference(action, kind, _qualified(schema, table), column, (), _shown_value(old), _shown_value(new))
    if kind == "column":
        return Difference(action, kind, _qualified(change[1], change[2]), change[3].name)
    item = change[1]
    if kind in ("table", "table-comment"):
        return Difference(action, kind, item.fullname, item.fullname)
    name, columns = item.name, [column.name for column in item.columns]
    if isinstance(item, PrimaryKeyConstraint):
        kind, name = "primary-key", name or f"{item.table.name}_pkey"  # as the server calls one without a name
    return Difference(action, kind, item.table.fullname, str(name), columns)


def _causes(differences: Sequence[Difference]) -> list[Difference]:
    """Leave out what follows from another: the index of a table or column that is missing is missing too.

    On a table that lacks a column, or has it with another type, the server cannot print the definitions of the models.
    """
    tables = {one.table for one in differences if one.kind == "table"}
    columns = {(one.table, one.name) for one in differences if one.kind == "column"}
    other = {one.table for one in differences if one.kind == "type" or (one.action, one.kind) == ("add", "column")}

    def follows(one: Difference) -> bool:
        return one.kind != "table" and (
            one.table in tables
            or (one.action == "replace" and not one.columns and one.table in other)
            or any((one.table, column) in columns for column in one.columns)
        )

    return [one for one in differences if not follows(one)]


def _qualified(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else name


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
