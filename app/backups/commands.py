"""`flask restore-drill`: prove that the newest dump can be restored, and that nothing is missing in it."""

import signal
import sys
from pathlib import Path
from types import FrameType

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from app.backups.dump_file import BadDump
from app.backups.service import Drill
from app.release.errors import server_message


@click.command("restore-drill")
@click.argument("dump", type=click.Path(path_type=Path))
@with_appcontext
def restore_drill(dump: Path) -> None:
    """Restore DUMP into a scratch database, and compare it with the live database and the bucket.

    DUMP is a file of pg_dump --format=custom, or a folder of which the newest *.dump is taken. The scratch database is
    made on SCRATCH_DATABASE_URL, and dropped again. Exit 0: nothing is lost, 1: a sentence for each loss.
    """
    drill = Drill(dump, current_app.config["SCRATCH_DATABASE_URI"], click.echo)
    before = signal.signal(signal.SIGTERM, _end)  # by itself it would leave the scratch database
    try:
        drill.run()
    except BadDump as error:
        drill.losses.append(str(error))
    except DBAPIError as error:
        drill.losses.append(f"The drill was not finished, because a database failed: {server_message(error)}")
    finally:
        signal.signal(signal.SIGTERM, before)
    for loss in drill.losses:
        click.echo(f"LOST: {loss}", err=True)
    if drill.losses:
        sys.exit(1)
    click.echo("Nothing is lost: this dump can be restored.")


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)
