"""Preconditions of a migration: what is refused before anything is changed."""

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection

from app.release import messages, revisions, schema_state
from app.release.backfills.pending import unfinished_backfill
from app.release.errors import IncompatibleSchema, ReleaseError, UnknownRevision, UnsafeOperation
from app.release.expand_contract import drop_in_same_release
from app.release.schema_state import SchemaState


def check(current: SchemaState, connection: Connection, command: str) -> list[Script]:
    """Refuse what must not run on this database, and return the revisions that are about to run.

    Raises:
        IncompatibleSchema: a newer release's contract step took away what this code uses.
        UnknownRevision: neither the code nor the ledger knows the database's revision.
        UnsafeOperation: the run would retire and drop something in one release, or needs a backfill that is not done.
        ReleaseError: the database is ahead, and the command is not upgrade.
    """
    if current.name == schema_state.AHEAD_CONTRACT:
        raise IncompatibleSchema(messages.refusal(current))
    if current.name == schema_state.UNKNOWN and not context.get_context().purge:  # stamp --purge fixes just this
        raise UnknownRevision(messages.refusal(current))
    if current.name == schema_state.AHEAD:
        raise ReleaseError(messages.refusal(current))
    to_run = [] if command == "do_stamp" else revisions_to_run(connection, current)
    is_served = command == "upgrade" and current.database_revision  # no release is live on an empty database
    if is_served and (reason := drop_in_same_release(to_run) or unfinished_backfill(connection, to_run)):
        raise UnsafeOperation(reason)
    return to_run


def revisions_to_run(connection: Connection, current: SchemaState) -> list[Script]:
    """Return what Alembic is about to upgrade or downgrade, in that order, whatever base or branch it comes by.

    Raises:
        ReleaseError: the revision that the command was given does not exist, or the code has two heads.
    """
    migration = context.get_context()
    heads = migration.get_current_heads()
    connection.rollback()
    function = migration._migrations_fn
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "ultiple head" in str(error):
            raise ReleaseError(messages.two_heads(current, revisions.unmerged_heads(context.script))) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    return [step.revision for step in steps]
