"""`flask restore`, the proof that it can be done (`restore-drill`), and the end of what it brings back."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from app.backups import identity
from app.backups.dump_file import NotRestored
from app.database.errors import server_message

if TYPE_CHECKING:
    from app.backups.service import Restore

DUMP = click.argument("dump", type=click.Path(path_type=Path))


@click.command("restore")
@DUMP
@click.option("--into", metavar="URL", help="An empty database to restore into, in place of one beside the live one.")
@with_appcontext
def restore(dump: Path, into: str | None) -> None:
    """Restore DUMP beside the live database, prove it as restore-drill does, and then swap the two.

    DUMP is what pg_dump --format=custom writes, or a folder of which the newest *.dump is taken. The database that was
    live is kept, under a name that is printed. Exit 0: done, 1: why not, and the live database is as it was.
    """
    _tell_losses(dump, lambda one: one.into(into) if into else one.replace())


@click.command("restore-drill")
@DUMP
@with_appcontext
def restore_drill(dump: Path) -> None:
    """Restore DUMP into a scratch database, and compare it with the live database and the bucket.

    DUMP is what pg_dump --format=custom writes, or a folder of which the newest *.dump is taken. The scratch database
    is made on SCRATCH_DATABASE_URL, and dropped again. Exit 0: nothing is lost, 1: a sentence for each loss.
    """
    _tell_losses(dump, lambda one: one.drill(current_app.config["SCRATCH_DATABASE_URI"]))
    click.echo("Nothing is lost: this dump can be restored.")


@click.command("acknowledge-restore")
@click.option(
    "--moved", is_flag=True, help="Nothing was written since the dump, as when a server is replaced: end nothing."
)
@with_appcontext
def acknowledge_restore(moved: bool) -> None:
    """End the sessions, tokens and links that a restored backup brought back, and take it for the live database.

    Exit 1: this database is no copy, and nothing was changed.
    """
    from online_migrations.scratch import direct_connection, direct_engine  # here, as above

    try:
        with direct_connection(direct_engine()) as connection:
            counts = identity.acknowledge(connection, ends=not moved)
    except DBAPIError as error:
        raise click.ClickException(f"{server_message(error)}. Nothing was changed.") from error
    if counts is None:
        raise click.ClickException("This database was not restored, or that was acknowledged. Nothing was changed.")
    for what, count in counts.items():
        click.echo(f"{count:,} {what} were ended.")
    click.echo("This database is now one of its own.")
    if not moved:
        click.echo(
            "Passwords, addresses, passkeys, recovery codes and second steps are those of the backup. Who has changed"
            " them since then, the account_events of the database that was live alone tell: see docs/backups.md."
        )


def _tell_losses(dump: Path, run: Callable[["Restore"], None]) -> None:
    """Run it, and print the losses; exit with 1 where there is one, or where it could not be finished."""
    from app.backups.service import Restore  # here, since with Alembic it is a tenth of an import of the application

    one = Restore(dump, click.echo, {portable.table.name for portable in current_app.extensions["portables"]})
    # By itself the signal would leave the scratch database.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failure = None
    try:
        run(one)
    except NotRestored as error:
        failure = f"{str(error).rstrip('.')}. The live database is as it was."
    except DBAPIError as error:
        failure = f"A database failed: {server_message(error)}"
    finally:
        signal.signal(signal.SIGTERM, before)
    for loss in one.losses:
        click.echo(f"LOST: {loss}", err=True)
    if failure:
        click.echo(f"NOT RESTORED: {failure}", err=True)
    if failure or one.losses:
        sys.exit(1)
