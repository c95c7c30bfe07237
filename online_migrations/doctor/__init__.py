"""`flask release doctor`: what is wrong between code and database, each with the command that comes next.

It only reads: what it makes in order to compare definitions, it makes in temporary tables that are rolled back. It
takes no lock on application tables beyond ACCESS SHARE, and no query runs longer than `connection.READ_ONLY_SECONDS`.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from online_migrations.doctor import tables as table_checks
from online_migrations.doctor.diagnosis import NOTE, WARNING, Diagnosis, Limits
from online_migrations.doctor.drift import diagnosis, differences
from online_migrations.doctor.revisions import revisions
from online_migrations.doctor.schema import (
    collations,
    compatibility_views,
    definitions,
    invalid_indexes,
    not_enforced_foreign_keys,
    not_valid_constraints,
    read_invalid_indexes,
    unkept_shadows,
)
from online_migrations.doctor.sessions import (
    long_transactions,
    migrators,
    prepared_transactions,
    read_only_default,
    releases,
    unfinished_backfills,
)
from online_migrations.doctor.tables import behind
from online_migrations.errors import server_message
from online_migrations.locks import sqlstate
from online_migrations.state import AT_HEAD, read_schema_state

LIMITS = Limits()
NOT_ALLOWED = (
    "42501",
    "25006",
    "0A000",
)  # SQLSTATE codes: what the role may not do, and two of what a standby does not


def diagnose(connection: Connection, metadata: MetaData, limits: Limits = LIMITS) -> list[Diagnosis]:
    """All diagnoses, one for each cause. The models are compared only when the database is at the code's head.

    Raises:
        OperationalError: the database does not answer in time.
    """
    state = read_schema_state(connection)
    schemas = sorted({table.schema for table in metadata.tables.values() if table.schema})
    found = [
        *revisions(connection, state),
        *sessions(connection, limits),
        *unfinished_backfills(connection, limits.long_transaction),
        *releases(connection),
        *read_only_default(connection),
        *not_valid_constraints(connection),
        *not_enforced_foreign_keys(connection),
        *unkept_shadows(connection),
        *attempt(connection, behind(connection, schemas)),
        *attempt(connection, compatibility_views(connection)),
    ]
    tables = table_checks.read_tables(connection, schemas)
    invalid = read_invalid_indexes(connection)
    models = table_checks.mapped(tables, metadata) if state.name == AT_HEAD else {}
    found += table_checks.tables(tables, models)
    found += invalid_indexes(invalid, _index_names(metadata) if models else None)
    if state.name == AT_HEAD:
        reported = {row.relname for row in invalid} | set(table_checks.retired_again(tables, models))
        found += attempt(connection, compared(connection, metadata, models, reported))
    connection.rollback()
    return list(dict.fromkeys(found))


def sessions(connection: Connection, limits: Limits) -> Iterator[Diagnosis]:
    """Find what blocks a migration right now."""
    yield from migrators(connection, limits.idle_migrator)
    yield from long_transactions(connection, limits.long_transaction)
    yield from prepared_transactions(connection, limits.long_transaction)


def compared(
    connection: Connection, metadata: MetaData, models: table_checks.Models, reported: set[str]
) -> Iterator[Diagnosis]:
    """Where the database differs from the models.

    Args:
        reported: tables and indexes of which another check has said what is wrong.
    """
    found = [one for one in differences(connection, metadata) if one.name not in reported]
    yield from map(diagnosis, found)
    # On a table that lacks a column, what the models have cannot be made to be compared.
    incomparable = {one.table for one in found if one.kind in ("column", "type", "table")}
    comparable = {name: model for name, model in models.items() if model.fullname not in incomparable}
    reported = reported | {one.name for one in found}
    yield from definitions(connection, comparable, reported)
    yield from collations(connection, comparable)


def attempt(connection: Connection, check: Iterable[Diagnosis]) -> list[Diagnosis]:
    """What a check finds. If a lock or a missing privilege prevents it, one diagnosis more says so."""
    found: list[Diagnosis] = []
    try:
        found.extend(check)
    except DBAPIError as error:
        connection.rollback()
        reason = server_message(error)
        if sqlstate(error) in NOT_ALLOWED:
            what = f"Some things were not compared, because that is not allowed here: {reason}."
            found.append(Diagnosis(NOTE, "not-seen", what, "flask release doctor"))
        else:
            what = f"Some things could not be compared ({reason}); somebody may be changing them."
            found.append(Diagnosis(WARNING, "not-compared", what, "flask release doctor"))
    return found


def _index_names(metadata: MetaData) -> set[str]:
    """Those of unique constraints too, whose index is built first."""
    tables = metadata.tables.values()
    indexes = {str(index.name) for table in tables for index in table.indexes}
    return indexes | {str(constraint.name) for table in tables for constraint in table.constraints}
