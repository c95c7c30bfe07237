"""`flask check-bucket`: whether the bucket answers with the variables that are set."""

import click
from flask.cli import with_appcontext

from app import storage
from app.photos.service import FOLDER
from app.storage import StorageUnavailable


@click.command("check-bucket")
@with_appcontext
def check_bucket() -> None:
    """List the bucket, and say how many photos it has. Exit 1: it does not answer, or refuses."""
    try:
        photos = sum(len(page) for page in storage.list_objects(FOLDER))
    except StorageUnavailable as error:
        raise click.ClickException(f"The bucket does not answer, or refuses: {error}") from error
    click.echo(f"The bucket answers. It has {photos:,} photos.")
