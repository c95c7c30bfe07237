"""`flask release pause | resume [NAME]`: stop and continue long backfills."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.release.backfills import records
from app.release.backfills.deferring import defer_batch
from app.release.backfills.table import exists
from app.release.connection import direct_connection, direct_engine
from app.release.errors import ReleaseError, server_message

_WAIT_FOR_BATCH = text("SET lock_timeout = '30s'")  # longer than any statement of the worker may take


@click.command("pause")
@click.argument("name", required=False)
def pause_command(name: str | None) -> None:
    """Pause the backfill NAME, or all running ones. Filled rows stay filled."""
    with _writing(name) as connection:
        paused = records.pause(connection, name)
    for one in paused:
        click.echo(f"{one}: paused. Let it go on with: flask release resume {one}")
    if not paused:
        click.echo(f"{name} does not run." if name else "No backfill runs.")


@click.command("resume")
@click.argument("name", required=False)
def resume_command(name: str | None) -> None:
    """Resume the backfill NAME, or all paused ones.

    By its name also one that failed, once its rows are fixed, and one that was done, for another pass.
    """
    with _writing(name) as connection:
        resumed = records.resume(connection, name)
        for one, turn in resumed:
            defer_batch(connection, one, turn, 0)
    for one, _ in resumed:
        click.echo(f"{one}: running. See how far it is with: flask release status")
    if not resumed:
        click.echo(f"{name} runs already." if name else "No backfill is paused.")


@contextmanager
def _writing(name: str | None) -> Iterator[Connection]:
    """A connection whose transaction is committed at the end.

    Raises:
        ReleaseError: there is no backfill of this name, or the database does not answer.
    """
    with direct_connection(direct_engine()) as connection:
        connection.execute(_WAIT_FOR_BATCH)
        known = exists(connection) and (name is None or records.read(connection, name))
        if not known and name is not None:
            raise ReleaseError(f"There is no backfill {name!r}; those there are stand in: flask release status")
        if not known:
            raise ReleaseError("No backfill was ever begun here.")
        try:
            yield connection
            connection.commit()
        except OperationalError as error:
            raise ReleaseError(f"The database did not answer ({server_message(error)}); try again.") from error
