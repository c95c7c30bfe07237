"""A scratch database: an empty one beside the project's own, for as long as it takes."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, MetaData, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateSchema

from app.release import options
from app.release.connection import direct_connection, direct_engine
from app.release.errors import ReleaseError, server_message

_END_OUR_SESSIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :database AND usename = current_user"
)


@contextmanager
def scratch_database(metadata: MetaData) -> Iterator[Engine]:
    """An engine of an empty database, which is dropped afterwards.

    Args:
        metadata: whose schemas are made; no revision makes those of the models.

    Raises:
        ReleaseError: the server does not answer, or the role may not create a database.
    """
    name = f"{options.current().name}_scratch_{secrets.token_hex(4)}"
    server = direct_engine().execution_options(isolation_level="AUTOCOMMIT")
    with direct_connection(server) as connection:
        try:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
        except ProgrammingError as error:
            raise ReleaseError(
                f"Revisions are judged on a scratch database, and none can be made here ({server_message(error)}). Run"
                " it where the database is your own, such as beside a development server."
            ) from error
        scratch = direct_engine(database=name)
        try:
            with scratch.begin() as empty:
                for schema in {table.schema for table in metadata.tables.values() if table.schema}:
                    empty.execute(CreateSchema(schema))
            yield scratch
        finally:
            scratch.dispose()
            # Not WITH (FORCE): it may not end an autovacuum worker, which DROP DATABASE by itself does.
            connection.execute(_END_OUR_SESSIONS, {"database": name})
            connection.execute(text(f'DROP DATABASE "{name}"'))
