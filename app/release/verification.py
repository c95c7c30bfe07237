"""Verification: what a green exit code says, looked up after the migration has ended."""

import logging

from alembic import context
from sqlalchemy import Connection, inspect

from app.release import autogenerate, ledger, options, revisions, schema_state
from app.release.doctor.differences import differences
from app.release.doctor.drift import diagnosis
from app.release.errors import ReleaseError

log = logging.getLogger(__name__)


def verify_committed(connection: Connection, expected: list[str]) -> None:
    """Read the revision again after a rollback, which leaves only what was committed.

    Raises:
        ReleaseError: the migration was not committed.
    """
    connection.rollback()
    found = schema_state.database_revisions(connection)
    connection.rollback()
    if found != expected:
        raise ReleaseError(
            f"The migration ended at {expected} but the database is at {found}: nothing of it was kept, and the release"
            " must not go live. See: flask release doctor"
        )
    log.info("the database is at %s", ", ".join(found) or "no revision")


def compare_with_models(connection: Connection) -> None:
    """The last act of an upgrade to the head: what the models map is there, and as they say. What is there besides does
    no harm. Definitions are compared too, on temporary tables that are rolled back.

    The ledger remembers that it is due. So a run that is red, or killed before its end, is not green when repeated.

    Raises:
        ReleaseError: something is missing or another than the models say; the release must not go live.
    """
    at_head = schema_state.database_revisions(connection) == revisions.heads(context.script)
    is_due = at_head and ledger.is_unverified(connection)
    connection.rollback()
    if not is_due:
        return
    _require_same(connection)
    ledger.verify(connection)


def _require_same(connection: Connection) -> None:
    metadata = options.current().metadata
    if not any(inspect(connection).has_table(table.name, table.schema) for table in metadata.tables.values()):
        return  # a history that makes none of the models' tables: not this project's
    found = differences(connection, metadata, autogenerate.REVISION_OPTIONS)
    connection.rollback()
    wrong = [diagnosis(one).what for one in found if one.action != "remove" and not one.kind.endswith("comment")]
    if wrong:
        raise ReleaseError(
            "Everything ran, and still the schema is not what the models say: "
            + " ".join(wrong[:3])
            + " Write what is lacking as a revision, with: flask db migrate"
        )
