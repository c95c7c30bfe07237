"""Migration runner: what `flask db …` runs. migrations/env.py calls run().

- One migration at a time: an advisory lock.
- Short locks: lock_timeout, and retry with backoff.
- Exit code 0 means that the schema is in the database: a fresh connection checks the revision afterwards.
- A failure leaves the database at a whole revision, on which the live release runs on.
"""

import logging
from typing import Any

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from app.release import autogenerate, ledger, live, messages, progress, revision_files, schema_state
from app.release.advisory_lock import migration_lock
from app.release.blockers import Blockers, watch_blockers
from app.release.connection import SESSION_SETTINGS, direct_connection, direct_engine
from app.release.deadline import DEFAULT_SECONDS, Deadline
from app.release.errors import IncompatibleSchema, ReleaseError, UnknownRevision, UnsafeOperation
from app.release.expand_contract import drop_in_same_release
from app.release.retry import with_lock_retries
from app.release.schema_state import SchemaState
from app.release.sql.render import OFFLINE_OPTIONS

ALEMBIC_OPTIONS: dict[str, Any] = {
    "transaction_per_migration": True,  # a failure keeps the revisions that were finished before it
    **autogenerate.COMPARISON_OPTIONS,
    "process_revision_directives": autogenerate.process_revision_directives,
    "on_version_apply": ledger.record_version,
}

log = logging.getLogger(__name__)


def run() -> None:
    """Run the `flask db` command that loaded env.py: upgrade, downgrade, stamp, migrate, check, current, ….

    Raises:
        ReleaseError: with the sentence and the exit code of the command.
    """
    progress.show_log()
    if context.is_offline_mode():
        print_sql()
        return
    revision_files.require_consistent_files(context.script)
    engine = direct_engine()
    with direct_connection(engine) as connection:
        command = configure(connection)
        try:
            if command in ("upgrade", "downgrade", "do_stamp"):
                migrate(engine, connection, command)
            else:
                run_read_only(connection, command)
        except DBAPIError as error:
            raise ReleaseError(messages.failed_statement(error)) from error


def configure(connection: Connection, **options: Any) -> str:
    """Bind Alembic to the connection.

    Returns:
        the name of the function that Alembic will call: upgrade, downgrade, do_stamp, …. Alembic does not tell env.py
        the command itself.
    """
    context.configure(
        connection=connection, target_metadata=autogenerate.target_metadata(), **options, **ALEMBIC_OPTIONS
    )
    function = context.get_context()._migrations_fn
    return function.__name__ if function else "none"


def print_sql() -> None:
    """Offline mode, `flask db upgrade --sql`: print the SQL, with the lock_timeout that the runner would set."""
    context.configure(target_metadata=autogenerate.target_metadata(), **OFFLINE_OPTIONS, **ALEMBIC_OPTIONS)
    migration = context.get_context()
    migration.impl.static_output(f"SET lock_timeout = '{SESSION_SETTINGS['lock_timeout']}';")
    with context.begin_transaction():
        ledger.create(migration)
        migration.execute(CreateTable(live.RELEASES, if_not_exists=True))
        context.run_migrations()


def run_read_only(connection: Connection, command: str) -> None:
    """Commands that do not change the schema.

    Raises:
        ReleaseError: in place of Alembic's "Target database is not up to date" and "Can't locate revision".
    """
    current = schema_state.read_schema_state(connection, context.script)
    connection.rollback()
    needs_head = command == "retrieve_migrations"  # check, and migrate
    if current.foreign or (needs_head and current.name == schema_state.BEHIND):
        raise ReleaseError(messages.refusal(current))
    with context.begin_transaction():
        context.run_migrations()


def migrate(engine: Engine, connection: Connection, command: str) -> None:
    """Change the schema under the advisory lock, then check the result on a fresh connection."""
    deadline = Deadline(deadline_option())
    with migration_lock(connection, deadline), watch_blockers(engine, connection) as blockers:
        # Read under the lock: the migration that held it before may have been a newer one.
        current = schema_state.read_schema_state(connection, context.script)
        connection.rollback()
        if command == "upgrade" and current.name == schema_state.AHEAD:
            log.warning("%s", messages.ahead_and_compatible(current))
            return
        check_preconditions(current, connection, command)
        live.prepare(connection)
        with_lock_retries(lambda: run_pending(connection, deadline, blockers), deadline, blockers)
        expected = schema_state.database_revisions(connection)
    verify_committed(engine, expected)


def check_preconditions(current: SchemaState, connection: Connection, command: str) -> None:
    """
    Raises:
        IncompatibleSchema: a newer release took away what this code uses.
        UnknownRevision: neither the code nor the ledger knows the database's revision.
        UnsafeOperation: the run would retire and drop something in one release.
        ReleaseError: the database is ahead, and the command is not upgrade.
    """
    if current.name == schema_state.AHEAD_CONTRACT:
        raise IncompatibleSchema(messages.refusal(current))
    if current.name == schema_state.UNKNOWN and not context.get_context().purge:  # stamp --purge mends just this
        raise UnknownRevision(messages.refusal(current))
    if current.name == schema_state.AHEAD:
        raise ReleaseError(messages.refusal(current))
    to_apply = [] if command == "do_stamp" else revisions_to_run(connection, current)
    is_served = command == "upgrade" and current.database_revision  # no release is live on an empty database
    reason = drop_in_same_release(to_apply) if is_served else None
    if reason:
        raise UnsafeOperation(reason)


def revisions_to_run(connection: Connection, current: SchemaState) -> list[Script]:
    """The revisions that the command is about to run, up to the revision that it was given.

    Raises:
        ReleaseError: that revision does not exist, or the code has two heads.
    """
    migration = context.get_context()
    heads = migration.get_current_heads()
    connection.rollback()
    function = migration._migrations_fn
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "," in current.code_head:
            raise ReleaseError(messages.two_heads(current)) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    return [step.revision for step in steps]


def run_pending(connection: Connection, deadline: Deadline, blockers: Blockers) -> None:
    """One attempt. Alembic reads the version anew, so revisions that an earlier attempt finished do not run again."""
    connection.rollback()  # Alembic never commits a transaction that it finds open
    connection.execute(text(f"SET statement_timeout = {deadline.milliseconds()}"))
    connection.commit()
    configure(connection, deadline=deadline, blockers=blockers)
    with context.begin_transaction():
        context.run_migrations()


def verify_committed(engine: Engine, expected: list[str]) -> None:
    """Read the revision on a fresh connection, which sees only what was committed.

    Raises:
        ReleaseError: the migration was not committed.
    """
    with direct_connection(engine) as connection:
        found = schema_state.database_revisions(connection)
    if found != expected:
        raise ReleaseError(
            f"The migration ended at {expected} but the database is at {found}: nothing of it was kept, and the release"
            " must not go live. See: flask release doctor"
        )
    log.info("the database is at %s", ", ".join(found) or "no revision")


def deadline_option() -> float:
    """Seconds of `flask db upgrade -x deadline=SECONDS`.

    Raises:
        ReleaseError: not a number between 0 and 86400 (a day).
    """
    try:
        seconds = float(context.get_x_argument(as_dictionary=True).get("deadline", DEFAULT_SECONDS))
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 86400:
        raise ReleaseError("-x deadline= takes seconds, such as: flask db upgrade -x deadline=600")
    return seconds
