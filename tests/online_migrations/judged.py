"""Run a hand-written revision as `flask db upgrade` does on a database that a release serves.

How the runner is entered stands here alone, in `upgrade`.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util.pyfiles import load_module_py
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from online_migrations.connection import driver_connection
from online_migrations.errors import ReleaseError, failed_statement
from online_migrations.guard.guard import Guard
from online_migrations.locks import Deadline, with_lock_retries
from online_migrations.state import live
from online_migrations.state.ledger import EXPAND
from tests.online_migrations.history import revision_text
from tests.online_migrations.migrating import Database

SECONDS = 60  # the deadline of a run

Result = TypeVar("Result")


def written(folder: Path, body: str, phase: str = EXPAND) -> Script:
    """Write the revision into a file of its own."""
    path = folder / "9999_step_by_hand.py"
    path.write_text(revision_text("9999", "0024", body, f'phase = "{phase}"'))
    return Script(load_module_py(path.stem, path), "9999", str(path))


def excused(body: str, reason: str) -> str:
    """Return the body of an upgrade() whose statement is excused."""
    return f"with excused({reason!r}):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")


def upgrade(database: Database, script: Script) -> None:
    """Run the revision as the runner does; raise ReleaseError when it is refused."""
    _run(database, script, lambda connection: None)


def try_out(database: Database, script: Script, question: str) -> object:
    """Run a revision that is one transaction, judge it as at its COMMIT, and roll it back: no other database is needed.

    Return what the question, in SQL, was answered before that; raise ReleaseError when it is refused.
    """

    def judged(connection: Connection) -> object:
        watcher = driver_connection(connection).watcher
        assert watcher is not None
        watcher.before_commit()
        answer: object = connection.scalar(text(question))
        connection.rollback()
        return answer

    return _run(database, script, judged)


def _run(database: Database, script: Script, at_its_end: Callable[[Connection], Result]) -> Result:
    """Run the revision, again where an autovacuum holds a lock, and return what is found before its COMMIT."""
    deadline = Deadline(SECONDS)

    def attempt() -> Result:
        with database.migrating.connect() as connection:
            guard = Guard(connection, live.in_use(connection), deadline)
            opts = {"deadline": deadline, "transaction_per_migration": True, "guard": guard}
            migration = MigrationContext.configure(connection, opts=opts)
            with (
                guard.revision(script),
                Operations.context(migration),
                migration.begin_transaction(_per_migration=True),
            ):
                script.module.upgrade()
                return at_its_end(connection)

    try:
        return with_lock_retries(attempt, deadline)
    except DBAPIError as error:
        raise ReleaseError(failed_statement(error)) from error
