"""What `flask db …` runs: migrations/env.py hands over to run().

A release that ends green has its schema in the database; one that ends red has left the database at a whole revision,
on which the release that is live goes on. It never waits for a lock longer than a request can bear, and never runs
beside another release.
"""

import logging
from typing import Any

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.extensions import Base
from app.release import autogenerate, explain, files, ledger, state
from app.release.blockers import Blockers, watching
from app.release.connection import SESSION, direct_connection, direct_engine
from app.release.deadline import SECONDS, Deadline
from app.release.errors import ReleaseError, RolledBack, UnknownRevision, UnsafeOperation
from app.release.hasty_drops import hasty_drop
from app.release.lock import migration_lock
from app.release.retry import with_lock_retries
from app.release.state import SchemaState

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "transaction_per_migration": True,  # a failure keeps what was finished before it
    **autogenerate.COMPARISON,
    "process_revision_directives": autogenerate.process_revision,
    "on_version_apply": ledger.record,
}

log = logging.getLogger(__name__)


def run() -> None:
    """Apply, revert, compare or print migrations, as the command that loaded env.py asks.

    Raises:
        ReleaseError: with the sentence and the exit code that the command ends with.
    """
    if context.is_offline_mode():
        print_sql()
        return
    files.require_whole(context.script)
    engine = direct_engine()
    with direct_connection(engine) as connection:
        command = configure(connection)
        try:
            if command in ("upgrade", "downgrade", "do_stamp"):
                migrate(engine, connection, command)
            else:
                read(connection, command)
        except DBAPIError as error:
            raise ReleaseError(explain.failed_statement(error)) from error


def configure(connection: Connection, **options: Any) -> str:
    """Bind Alembic to the connection; the name of what it will do there: upgrade, downgrade, do_stamp, ….

    Alembic tells env.py neither the command nor its name, only the function that it will call.
    """
    context.configure(connection=connection, **options, **OPTIONS)
    function = context.get_context()._migrations_fn
    return function.__name__ if function else "none"


def print_sql() -> None:
    # The paramstyle leaves a % as it is; psycopg2's would double it.
    context.configure(url="postgresql+psycopg2://", literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS)
    migration = context.get_context()
    migration.impl.static_output(f"SET lock_timeout = '{SESSION['lock_timeout']}';")
    with context.begin_transaction():
        ledger.create(migration)
        context.run_migrations()


def read(connection: Connection, command: str) -> None:
    """Commands that change no schema. An explanation takes the place of Alembic's two classic errors."""
    current = state.schema_state(connection, context.script)
    connection.rollback()
    needs_head = command == "retrieve_migrations"  # check, and migrate
    if current.foreign or (needs_head and current.name == state.BEHIND):
        raise ReleaseError(explain.refusal(current))
    with context.begin_transaction():
        context.run_migrations()


def migrate(engine: Engine, connection: Connection, command: str) -> None:
    """Change the schema, alone; then look from outside whether it is there."""
    deadline = Deadline(seconds_allowed())
    with migration_lock(connection, deadline), watching(engine, connection) as blockers:
        # Under the lock: the release that held it may have been a newer one.
        current = state.schema_state(connection, context.script)
        connection.rollback()
        if command == "upgrade" and current.name == state.AHEAD:
            log.warning("%s", explain.safely_ahead(current))
            return
        refuse_to_go_on(current, connection, command)
        with_lock_retries(lambda: attempt(connection, deadline, blockers), deadline, blockers)
        claimed = state.database_revisions(connection)
    verify(engine, claimed)


def refuse_to_go_on(current: SchemaState, connection: Connection, command: str) -> None:
    """
    Raises:
        RolledBack: newer code took away what this code uses.
        UnknownRevision: nobody can tell how the database came where it is.
        UnsafeOperation: what is pending is two releases in one.
    """
    if current.name == state.AHEAD_CONTRACT:
        raise RolledBack(explain.refusal(current))
    if current.name == state.UNKNOWN and not context.get_context().purge:  # stamp --purge is for this very case
        raise UnknownRevision(explain.refusal(current))
    if current.name == state.AHEAD:
        raise ReleaseError(explain.refusal(current))
    to_apply = [] if command == "do_stamp" else steps_to_apply(connection, current)
    is_served = command == "upgrade" and current.database_revision  # on an empty database no release is live
    hasty = hasty_drop(to_apply) if is_served else None
    if hasty:
        raise UnsafeOperation(hasty)


def steps_to_apply(connection: Connection, current: SchemaState) -> list[Script]:
    """What the command, with the revision that it was given, is about to run."""
    migration = context.get_context()
    heads = migration.get_current_heads()
    connection.rollback()
    function = migration._migrations_fn
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "," in current.code_head:
            raise ReleaseError(explain.two_heads(current)) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    return [step.revision for step in steps]


def attempt(connection: Connection, deadline: Deadline, blockers: Blockers) -> None:
    """Run what is pending now. Alembic reads the version anew, so what an earlier attempt finished is not run again."""
    connection.rollback()  # what a failed attempt left open: Alembic would take it for its caller's and never commit
    connection.execute(text(f"SET statement_timeout = {deadline.milliseconds()}"))
    connection.commit()
    configure(connection, deadline=deadline, blockers=blockers)
    with context.begin_transaction():
        context.run_migrations()


def verify(engine: Engine, claimed: list[str]) -> None:
    """Read the version on a fresh connection.

    Raises:
        ReleaseError: what the migration believed that it did was not committed.
    """
    with direct_connection(engine) as connection:
        found = state.database_revisions(connection)
    if found != claimed:
        raise ReleaseError(
            f"The migration ended at {claimed} but the database is at {found}: nothing of it was kept, and the release"
            " must not go live. See: flask release doctor"
        )
    log.info("the database is at %s", ", ".join(found) or "no revision")


def seconds_allowed() -> float:
    """The deadline of `flask db upgrade -x deadline=SECONDS`."""
    try:
        seconds = float(context.get_x_argument(as_dictionary=True).get("deadline", SECONDS))
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 86400:
        raise ReleaseError("-x deadline= takes seconds, such as: flask db upgrade -x deadline=600")
    return seconds
