"""`flask release doctor`: what is wrong between code and database, each with the command that comes next.

It only reads. It takes no lock on application tables beyond ACCESS SHARE, and no query runs longer than
`connection.READ_ONLY_SECONDS`.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, MetaData

from app.release.doctor import catalog_checks
from app.release.doctor.diagnosis import ERROR, WARNING, Diagnosis
from app.release.doctor.drift import drift
from app.release.revision_files import duplicate_revisions
from app.release.revisions import script_directory
from app.release.schema_state import AHEAD, AHEAD_CONTRACT, AT_HEAD, BEHIND, SchemaState, read_schema_state

LONG_TRANSACTION = 300  # seconds
IDLE_MIGRATOR = 60  # seconds; a migration that works pauses for a few seconds at most


def diagnose(
    connection: Connection,
    metadata: MetaData,
    *,
    long_transaction: int = LONG_TRANSACTION,
    idle_migrator: int = IDLE_MIGRATOR,
) -> list[Diagnosis]:
    """All diagnoses, one for each cause. Schema drift is looked for only when the database is at the code's head.

    Args:
        long_transaction: seconds from which on an open transaction is reported.
        idle_migrator: seconds without a statement after which the holder of the advisory lock counts as orphaned.

    Raises:
        OperationalError: the database does not answer in time.
    """
    state = read_schema_state(connection)
    diagnoses = [
        *(list(duplicate_revision_files()) or revision_state(state)),
        *catalog_checks.invalid_indexes(connection),
        *catalog_checks.not_valid_constraints(connection),
        *catalog_checks.migrators(connection, idle_migrator),
        *catalog_checks.long_transactions(connection, long_transaction),
    ]
    if state.name == AT_HEAD:
        diagnoses += drift(connection, metadata)
    connection.rollback()
    return diagnoses


def duplicate_revision_files() -> Iterator[Diagnosis]:
    """Alembic applies only one of two files with the same revision, so the steps of the other are missing."""
    for revision, names in duplicate_revisions(script_directory()).items():
        what = f"Revision {revision} has several files, {', '.join(names)}, of which only one is ever applied."
        yield Diagnosis(ERROR, "revision-twice", what, f"flask release lint {revision}")


def revision_state(state: SchemaState) -> list[Diagnosis]:
    """The database is not at the code's head, or the code has two heads."""
    at = f"the database is at {state.database_revision or 'no revision'} and the code at {state.code_head}"
    steps = ", ".join(state.foreign) or state.database_revision
    if "," in state.code_head and state.name in (AT_HEAD, BEHIND):
        what = f"The code has several heads, {state.code_head}: two branches each added a revision."
        return [Diagnosis(ERROR, "two-heads", what, 'flask db merge heads -m "Merge"')]
    if state.name == AT_HEAD:
        return []
    if state.name == BEHIND:
        what = f"The database is behind: {at}; {len(state.pending)} pending: {', '.join(state.pending)}."
        return [Diagnosis(ERROR, "behind", what, "flask db upgrade")]
    if state.name == AHEAD:
        what = f"The database is ahead: {at}. A newer release added {steps}, on which this code runs."
        return [Diagnosis(WARNING, "ahead", what, "git pull")]
    if state.name == AHEAD_CONTRACT:
        what = f"The database is ahead: {at}. {steps} took away what this code uses: deploy the newer code."
        return [Diagnosis(ERROR, "ahead-contract", what, "git pull")]
    what = f"Revision unknown: {at}, and neither the code nor the ledger says how {steps} came about. Do not stamp."
    return [Diagnosis(ERROR, "unknown-revision", what, f"git log --all -S {steps} -- migrations/versions")]
