"""The connection of a command that only looks."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.release.connection import direct_connection, direct_engine
from app.release.errors import ReleaseError

SECONDS = 10  # that a question may take

_SETTINGS = text(
    f"SET default_transaction_read_only = on; SET statement_timeout = '{SECONDS}s';"
    " SET application_name = 'semicircle-release'"
)


@contextmanager
def reading() -> Iterator[Connection]:
    """A session on the direct URL that changes nothing.

    Raises:
        ReleaseError: the database does not answer, or not in time.
    """
    with direct_connection(direct_engine()) as connection:
        connection.execute(_SETTINGS)
        connection.commit()
        try:
            yield connection
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            raise ReleaseError(f"The database did not answer ({reason}); try again: flask release status") from error
