"""A scratch database: an empty one, for as long as it takes.

Tools that work on whole databases also find here a direct connection, and the lock that keeps a migration out.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from online_migrations import options
from online_migrations.connection import direct_connection, direct_engine
from online_migrations.errors import ReleaseError, server_message
from online_migrations.locks import Deadline, migration_lock
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import read_queries

__all__ = ["Deadline", "direct_connection", "direct_engine", "migration_lock", "scratch_database"]

QUERIES = read_queries(__file__, "scratch.sql")


@contextmanager
def scratch_database(advice: str, url: str | None = None, copy_of: str | None = None) -> Iterator[Engine]:
    """Yield an engine of an empty database, or a copy of one to which nobody is connected, on the server of the URL.

    It has the encoding and the locale of the one that the URL names, by default the project's own. It is dropped
    afterwards, unless it has another name by then; so are those that a killed process left. Raises: ReleaseError, with
    `advice`: the server does not answer, or the role may not create a database.
    """
    prefix = f"{options.current().name}_scratch_"
    name = prefix + secrets.token_hex(4)
    server = direct_engine(url=url).execution_options(isolation_level="AUTOCOMMIT")
    with direct_connection(server) as connection:
        connection.execute(QUERIES["take_name"], {"name": name})
        for (left,) in connection.execute(QUERIES["left_behind"], {"pattern": f"^{prefix}[0-9a-f]{{8}}$"}).all():
            _drop(server, left)
        try:
            like_this = connection.scalar(QUERIES["like_this"])
            begins = f'"{copy_of}"' if copy_of else f"template0 {like_this}"
            execute_verbatim(connection, f'CREATE DATABASE "{name}" TEMPLATE {begins}')
        except DBAPIError as error:
            raise ReleaseError(f"No scratch database can be made here ({server_message(error)}). {advice}") from error
        scratch = direct_engine(database=name, url=url)
        try:
            yield scratch
        except BaseException:
            with suppress(DBAPIError, ReleaseError):  # what failed is told; the next one that begins drops it
                _drop(server, name)
            raise
        _drop(server, name)


def _drop(server: Engine, name: str) -> None:
    """Drop it without WITH (FORCE), which may not end an autovacuum worker; DROP DATABASE by itself does.

    It takes a connection of its own: another may have been idle too long, or was ended to rename its database.
    """
    with direct_connection(server) as connection:
        connection.execute(QUERIES["end_our_sessions"], {"database": name})
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))
