"""Migration runner: what `flask db …` runs. migrations/env.py calls run().

One migration runs at a time, with short locks that are tried again, and the guard judges each step before it is
committed. A failed upgrade leaves the database at a complete revision that the live release supports.
"""

import logging
import os
import signal
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SAWarning
from sqlalchemy.schema import CreateTable

from online_migrations import state
from online_migrations.autogenerate import REVISION_OPTIONS, is_written_by_hand, target_metadata
from online_migrations.connection import SESSION_SETTINGS, direct_connection, direct_engine
from online_migrations.doctor import other_version
from online_migrations.errors import ReleaseError, failed_statement
from online_migrations.guard.guard import Guard, WouldLose, require_nothing_lost
from online_migrations.locks import DEFAULT_SECONDS, Deadline, migration_lock, watch_blockers, with_lock_retries
from online_migrations.operations.catalog import require_explained
from online_migrations.revisions import require_consistent_files
from online_migrations.runner import verification
from online_migrations.runner.preconditions import check
from online_migrations.sql import OFFLINE_OPTIONS
from online_migrations.state import ledger, live, tables

ALEMBIC_OPTIONS: dict[str, Any] = {
    "transaction_per_migration": True,  # a failure keeps the revisions that were finished before it
    **REVISION_OPTIONS,
    "on_version_apply": [ledger.record_version, require_explained],
}

STOPPING = (signal.SIGTERM, signal.SIGINT)

# Alembic says this of itself at every command.
NOISE = ("Context impl", "Will assume", "setting up autogenerate plugin", "Detected sequence")

LIBRARY = __name__.partition(".")[0]
log = logging.getLogger(__name__)


def run() -> None:
    """Run the `flask db` command that loaded env.py: upgrade, downgrade, stamp, migrate, check, current, …."""
    show_log()
    heed_signals()
    if context.is_offline_mode():
        print_sql()
        return
    require_consistent_files(context.script)
    if is_written_by_hand():
        return
    engine = direct_engine()
    with direct_connection(engine) as connection:
        command = configure(connection)
        compares = command != "retrieve_migrations"  # and judges; migrate and check tell each difference
        logging.getLogger("alembic.autogenerate").setLevel(logging.WARNING if compares else logging.NOTSET)
        try:
            if command in ("upgrade", "downgrade", "do_stamp"):
                migrate(engine, connection, command)
            else:
                run_read_only(connection, command)
        except DBAPIError as error:
            why = verification.there_already(connection, error) if command == "upgrade" else None
            raise ReleaseError(why or failed_statement(error)) from error


def show_log() -> None:
    """Print our log lines and Alembic's to stderr, unless the project decides about its log, without the NOISE.

    Python by itself shows warnings alone: a release that waits for a lock for minutes would say nothing.
    """
    for name in ("runtime.migration", "runtime.plugins", "ddl.postgresql"):
        logging.getLogger(f"alembic.{name}").addFilter(lambda record: not str(record.msg).startswith(NOISE))
    if logging.getLogger().handlers:
        return
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(logging.Formatter("%(levelname)s [%(name)s] %(message)s"))
    for name in (LIBRARY, "alembic"):
        logger = logging.getLogger(name)
        if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(to_stderr)
            logger.setLevel(logging.INFO)
            logger.propagate = False  # the application's logger, which Flask sets up, would print it once more


def heed_signals() -> None:
    """Let SIGTERM and SIGINT end a process that is PID 1 of a container, for which the kernel ignores them.

    A thread, since a handler would wait for the driver.
    """
    if os.getpid() == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        Thread(target=lambda: os._exit(128 + signal.sigwait(STOPPING)), daemon=True).start()


def configure(connection: Connection, **options: Any) -> str:
    """Bind Alembic to the connection. Return the name of its function for the command, which it does not tell env.py:
    upgrade, downgrade, do_stamp, ….
    """
    context.configure(connection=connection, target_metadata=target_metadata(), **options, **ALEMBIC_OPTIONS)
    function = context.get_context()._migrations_fn
    return function.__name__ if function else "none"


def print_sql() -> None:
    """Offline mode, `flask db upgrade --sql`: print the SQL, with the lock_timeout that the runner would set."""
    context.configure(target_metadata=target_metadata(), **OFFLINE_OPTIONS, **ALEMBIC_OPTIONS)
    migration = context.get_context()
    migration.impl.static_output(f"SET lock_timeout = '{SESSION_SETTINGS['lock_timeout']}';")
    with context.begin_transaction():
        for table in tables.ALL:
            migration.execute(CreateTable(table, if_not_exists=True))
        context.run_migrations()


def run_read_only(connection: Connection, command: str) -> None:
    """Run a command that does not change the schema, or refuse it in our words in place of Alembic's."""
    current = schema_state(connection)
    if current.foreign or (current.name == state.BEHIND and command == "retrieve_migrations"):  # check, and migrate
        raise ReleaseError(state.refusal(current))
    with warnings.catch_warnings(), context.begin_transaction():
        warnings.simplefilter("ignore", SAWarning)  # of types that SQLAlchemy does not know; the server compares them
        context.run_migrations()


def migrate(engine: Engine, connection: Connection, command: str) -> None:
    """Change the schema under the advisory lock, then check it on the same connection: there may be no other."""
    deadline = deadline_option()
    with migration_lock(connection, deadline), watch_blockers(engine, connection, deadline):
        # Read under the lock: the migration that held it before may have been a newer one.
        current = schema_state(connection)
        if command == "upgrade":
            verification.require_adopted(connection, current)
        tables.prepare(connection)
        if command == "upgrade" and current.name == state.AHEAD:
            log.warning("%s", state.ahead_and_compatible(current))
            return
        if command == "upgrade" and current.name in (state.AT_HEAD, state.BEHIND):
            ledger.follow_renumbering(connection, context.script, state.database_revisions(connection))
            current = schema_state(connection)
        to_run = check(current, connection, command)
        guard = None
        if to_run and may_be_served(connection, current):
            in_use, lose = live.in_use(connection), lose_option(command)
            guard = with_lock_retries(lambda: Guard(connection, in_use, deadline, lose=lose), deadline)
        is_new = current.database_revision is None
        with_lock_retries(lambda: run_steps(connection, deadline, guard, is_new), deadline)
        verification.verify_committed(connection, state.database_revisions(connection))
        if command == "upgrade":
            verification.compare_with_models(connection, has_run=bool(to_run))
        elif command == "do_stamp":
            for stamped in other_version(connection, schema_state(connection)):
                log.warning("%s If that was not meant: %s", stamped.what, stamped.next)


def schema_state(connection: Connection) -> state.SchemaState:
    current = state.read_schema_state(connection, context.script)
    connection.rollback()
    return current


def may_be_served(connection: Connection, current: state.SchemaState) -> bool:
    """Tell if a release may be live: not on an empty database, nor if all that ran here note it and none has."""
    if current.database_revision is None:
        return False
    was_never_served = ledger.holds_all(connection) and live.live_release(connection) is None
    connection.rollback()
    if was_never_served:
        log.info("no release has noted that it serves this database, so nothing is judged")
    return not was_never_served


def run_steps(connection: Connection, deadline: Deadline, guard: Guard | None, is_new: bool) -> None:
    """Have Alembic run its steps. It reads the version again, so what an earlier attempt finished does not run again.

    Without a guard nothing is judged, since no release serves the database. A new one had no revision.
    """
    while True:
        connection.rollback()  # Alembic never commits a transaction that it finds open
        connection.execute(text(f"SET statement_timeout = {deadline.milliseconds()}"))
        connection.commit()
        configure(connection, deadline=deadline, guard=guard, is_new=is_new)
        watch_steps(context.get_context(), ledger.read_renumbered(connection), guard)
        connection.rollback()
        try:
            with context.begin_transaction():
                context.run_migrations()
            return
        except WouldLose as found:
            connection.rollback()
            require_nothing_lost(connection, found)
            if guard is None or guard.watching.commits_early:  # what was committed does not run twice
                raise
            guard.may_lose(found)
        finally:
            if guard is not None:
                guard.close()


def watch_steps(migration: MigrationContext, ran: Mapping[str, str], guard: Guard | None) -> None:
    """Have Alembic take its steps through the guard, without those that ran here under another number."""
    find_steps = migration._migrations_fn
    assert find_steps is not None  # noqa: S101 - upgrade, downgrade and stamp have one

    def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterable[RevisionStep]:
        found = ledger.without_what_ran(find_steps(heads, migration), ran)
        return found if guard is None else guard.steps(found)

    migration._migrations_fn = steps


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
