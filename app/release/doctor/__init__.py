"""`flask release doctor`: what is wrong between this code and its database, each with the one command that comes next.

It reads: nothing is changed, no application table is locked beyond ACCESS SHARE, and no question takes longer than
`reading.SECONDS`.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, MetaData

from app.release.doctor import catalog as catalog_checks
from app.release.doctor.drift import drift
from app.release.doctor.finding import ERROR, WARNING, Finding
from app.release.files import twice
from app.release.revisions import script_directory
from app.release.state import AHEAD, AHEAD_CONTRACT, AT_HEAD, BEHIND, SchemaState, schema_state

LONG_TRANSACTION = 300  # seconds
IDLE_MIGRATOR = 60  # seconds; one that works pauses for a few at most


def examine(
    connection: Connection,
    metadata: MetaData,
    *,
    long_transaction: int = LONG_TRANSACTION,
    idle_migrator: int = IDLE_MIGRATOR,
) -> list[Finding]:
    """The findings, one for each cause. The schema is compared to the models only where the two should agree.

    Args:
        long_transaction: seconds from which on one is reported.
        idle_migrator: seconds without a statement after which whoever holds the migration lock counts as orphaned.

    Raises:
        OperationalError: the database does not answer in time.
    """
    state = schema_state(connection)
    findings = [
        *(list(doubled_revisions()) or position(state)),
        *catalog_checks.invalid_indexes(connection),
        *catalog_checks.unvalidated_constraints(connection),
        *catalog_checks.migrators(connection, idle_migrator),
        *catalog_checks.long_transactions(connection, long_transaction),
    ]
    if state.name == AT_HEAD:
        findings += drift(connection, metadata)
    connection.rollback()
    return findings


def doubled_revisions() -> Iterator[Finding]:
    """Of two files with one revision Alembic applies one, so the database lacks the other's steps."""
    for revision, names in twice(script_directory()).items():
        what = f"Revision {revision} has several files, {', '.join(names)}, of which only one is ever applied."
        yield Finding(ERROR, "revision-twice", what, f"flask release lint {revision}")


def position(state: SchemaState) -> list[Finding]:
    """What the revisions of code and database say."""
    at = f"the database is at {state.database_revision or 'no revision'} and the code at {state.code_head}"
    steps = ", ".join(state.foreign) or state.database_revision
    if "," in state.code_head and state.name in (AT_HEAD, BEHIND):
        what = f"The code has several heads, {state.code_head}: two branches each added a revision."
        return [Finding(ERROR, "two-heads", what, 'flask db merge heads -m "Merge"')]
    if state.name == AT_HEAD:
        return []
    if state.name == BEHIND:
        what = f"The database is behind: {at}; {len(state.pending)} pending: {', '.join(state.pending)}."
        return [Finding(ERROR, "behind", what, "flask db upgrade")]
    if state.name == AHEAD:
        what = f"The database is ahead: {at}. A newer release added {steps}, on which this code runs."
        return [Finding(WARNING, "ahead", what, "git pull")]
    if state.name == AHEAD_CONTRACT:
        what = f"The database is ahead: {at}. {steps} took away what this code uses: deploy the newer code."
        return [Finding(ERROR, "ahead-contract", what, "git pull")]
    what = f"Revision unknown: {at}, and neither the code nor the ledger says how {steps} came about. Do not stamp."
    return [Finding(ERROR, "unknown-revision", what, f"git log --all -S {steps} -- migrations/versions")]
