"""Errors that end a `flask db` or `flask release` command: one sentence each, which says what to do."""

import click
from sqlalchemy.exc import DBAPIError

NOT_ALLOWED = "42501"  # SQLSTATE insufficient_privilege


class ReleaseError(click.ClickException):
    """The command fails. click prints the sentence and exits with `exit_code`, here 1."""


class IncompatibleSchema(ReleaseError):
    """The database is ahead of this code by a contract step, so this code cannot run on it. Exit code 3."""

    exit_code = 3


class UnknownRevision(ReleaseError):
    """Neither this code nor the migration ledger knows the database's revision. Exit code 2."""

    exit_code = 2


class BrokenFile(ReleaseError):
    """The file of a revision cannot be imported."""


class DeadlineExceeded(ReleaseError):
    """The time limit of the run passed while another session held a lock that the migration needs."""


class RequestsHeldUp(ReleaseError):
    """A step held something for which a request waited too long, so it was ended."""


class UnsafeOperation(ReleaseError):
    """A step that would stop the site or lose data. It is refused before it changes anything."""


def server_message(error: DBAPIError) -> str:
    """Return the first line of what PostgreSQL, or its driver, said."""
    return str(error.orig).splitlines()[0]


def told(error: BaseException) -> str:
    """Return the type and the message of what a revision's file raised, as text that can be printed."""
    try:
        message = str(error)
    except Exception:  # the file's own class may do anything
        message = "its message cannot be read"
    return f"{type(error).__name__}: {message}".encode(errors="replace").decode()


def failed_statement(error: DBAPIError) -> str:
    """Say that PostgreSQL refused a statement, or that the connection broke."""
    if error.connection_invalidated:
        return "The connection to the database was lost; what was finished stays. Run the same command again."
    statement = " ".join((error.statement or "").split())[:500]
    if statement.startswith("CREATE TEMPORARY") and getattr(error.orig, "pgcode", None) == NOT_ALLOWED:
        refused = f"Definitions are compared on temporary tables: {server_message(error)}"
        return f"{refused}. Have its owner run: GRANT TEMPORARY ON DATABASE … TO …"
    refused = f"PostgreSQL refused a step: {server_message(error)}"
    return f"{refused}. Fix what sent it and run the same command again. It was: {statement}"
