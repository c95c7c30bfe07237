"""`flask release doctor`: what is wrong between code and database, each with the command that comes next.

It only reads: what it makes in order to compare definitions, it makes in temporary tables that are rolled back. It
takes no lock on application tables beyond ACCESS SHARE, and no query runs longer than `connection.READ_ONLY_SECONDS`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from online_migrations import revisions
from online_migrations.connection import writable_transaction
from online_migrations.doctor import checks
from online_migrations.doctor.checks import ERROR, NOTE, WARNING, Diagnosis
from online_migrations.doctor.drift import diagnosis, differences
from online_migrations.errors import server_message
from online_migrations.locks import sqlstate
from online_migrations.state import AT_HEAD, read_schema_state

__all__ = ["ERROR", "Diagnosis", "diagnose"]

NOT_ALLOWED = ("42501", "25006", "0A000")  # SQLSTATE: what the role may not do, and two of what a standby does not


def diagnose(connection: Connection, metadata: MetaData) -> list[Diagnosis]:
    """Return all diagnoses, one for each cause. The models are compared when the database is at the code's head.

    Raises:
        OperationalError: the database does not answer in time.
    """
    state = read_schema_state(connection)
    is_at_head = state.name == AT_HEAD and not revisions.duplicate_revisions(revisions.script_directory())
    parameters = checks.query_parameters(metadata, is_at_head)
    found = [*checks.check_revisions(connection, state, metadata), *checks.stopped_backfills(connection)]
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
