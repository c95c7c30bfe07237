"""Preconditions of a migration: what is refused before anything is changed."""

from contextlib import suppress

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection

from online_migrations.errors import IncompatibleSchema, ReleaseError, UnknownRevision, told
from online_migrations.locks import DEFAULT_SECONDS, Deadline
from online_migrations.revisions import unmerged_heads
from online_migrations.state import AHEAD, AHEAD_CONTRACT, UNKNOWN, SchemaState, refusal, two_heads


def check(current: SchemaState, connection: Connection, command: str) -> list[Script]:
    """Refuse what must not run on this database, each by its own error, and return the revisions that would run now."""
    errors = {AHEAD_CONTRACT: IncompatibleSchema, UNKNOWN: UnknownRevision, AHEAD: ReleaseError}
    is_mended = current.name == UNKNOWN and context.get_context().purge  # stamp --purge fixes just this
    if current.name in errors and not is_mended:
        raise errors[current.name](refusal(current))
    return [] if command == "do_stamp" else _revisions_to_run(connection, current)


def _revisions_to_run(connection: Connection, current: SchemaState) -> list[Script]:
    """Return what Alembic is about to upgrade or downgrade. Refuse a revision that does not exist, and two heads."""
    migration = context.get_context()
    heads = migration.get_current_heads()
    connection.rollback()
    function = migration._migrations_fn
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "ultiple head" in str(error):
            raise ReleaseError(two_heads(current, unmerged_heads(context.script))) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    except AttributeError as error:  # Alembic's, as it takes downgrade() from each module
        raise ReleaseError(f"{told(error)}, so there is no way back from it.") from error
    return [step.revision for step in steps]


def lose_option(command: str) -> list[str]:
    """Return what `flask db downgrade -x lose=TABLE.COLUMN -x lose=TABLE` may throw away. Refuse it elsewhere."""
    given = [argument.partition("=") for argument in context.get_x_argument()]
    lose = [value for name, _, value in given if name == "lose"]
    if lose and command != "downgrade":
        raise ReleaseError("-x lose= is for flask db downgrade alone; an upgrade throws nothing away that is in use.")
    return lose


def deadline_option() -> Deadline:
    """Return the deadline of `flask db upgrade -x deadline=SECONDS`, of a day at most."""
    given = context.get_x_argument(as_dictionary=True).get("deadline", DEFAULT_SECONDS)
    with suppress(ValueError):
        if 0 < float(given) <= 86400:
            return Deadline(float(given))
    raise ReleaseError("-x deadline= takes seconds, such as: flask db upgrade -x deadline=600")
