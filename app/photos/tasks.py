"""Jobs of photos, and `flask check-bucket`, which tells whether the bucket answers with the variables that are set."""

import click
from flask.cli import with_appcontext

from app import storage
from app.jobs.queue import nightly, queue, retrying
from app.photos import service
from app.storage import StorageUnavailable


@nightly("photos.sweep", StorageUnavailable, old_name="mypage.sweep_photos")
def sweep_photos(timestamp: int) -> None:
    service.sweep_photos()


@queue.task(name="photos.delete_orphan", retry=retrying(6, StorageUnavailable))
def delete_orphan(key: str) -> None:
    service.delete_orphan(key)


@click.command("check-bucket")
@with_appcontext
def check_bucket() -> None:
    """List the bucket, and say how many photos it has. Exit 1: it does not answer, or refuses."""
    try:
        photos = sum(len(page) for page in storage.list_objects(service.FOLDER))
    except StorageUnavailable as error:
        raise click.ClickException(f"The bucket does not answer, or refuses: {error}") from error
    click.echo(f"The bucket answers. It has {photos:,} photos.")
