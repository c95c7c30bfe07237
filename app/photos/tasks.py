"""Jobs of photos, and `flask check-bucket`, which tells whether the bucket answers with the variables that are set."""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import click
from flask.cli import with_appcontext
from sqlalchemy import String, column, func, select, table, text, union_all

from app import storage
from app.extensions import db
from app.jobs.queue import nightly, queue, retrying
from app.photos.service import FOLDER, NAME_LENGTH
from app.storage import StorageUnavailable

log = logging.getLogger(__name__)

NAME = re.compile(r"[0-9a-f]{32}\.webp")  # as storage.new_key() makes it; other objects in the folder are not ours
MIN_AGE = timedelta(days=1)  # a younger object may belong to a row that is just being written

# By the catalog, not by the models: after a rollback, the rows of a newer release still show their photos.
_COLUMNS = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND column_name ~ '(image|photo)_url$'"
)


@queue.task(name="photos.delete_orphan", retry=retrying(6, StorageUnavailable))
def delete_orphan(key: str) -> None:
    """Delete an object unless a row points at it. No key is used again, so this may run late and more than once."""
    if not _with_row([key]):
        storage.delete(key)


@nightly("photos.sweep", StorageUnavailable)
def sweep_photos(timestamp: int) -> None:
    """Delete the objects older than MIN_AGE that no row points at (garbage collection). Raises: StorageUnavailable.

    Where more of them have no row than have one, the bucket seems to serve another database too: nothing is deleted.
    """
    shown, orphans = 0, []
    for page in storage.list_objects(FOLDER):
        photos = {key: put_at for key, put_at in page.items() if NAME.fullmatch(key.rpartition("/")[2])}
        with_row = _with_row(photos)
        shown += len(with_row)
        orphans += [key for key in photos.keys() - with_row if photos[key] < datetime.now(UTC) - MIN_AGE]
    if len(orphans) > shown:
        log.error("%d photos have a row and %d have none; is the bucket another database's too?", shown, len(orphans))
        return
    for key in orphans:
        storage.delete(key)
    log.info("swept photos: %d shown, %d deleted", shown, len(orphans))


def _with_row(keys: Iterable[str]) -> set[str]:
    """Return the keys that a row of any table points at, also by the public URL from before a move behind a CDN."""
    columns = db.session.execute(_COLUMNS).all()
    shown = union_all(*(select(column(name, String)).select_from(table(of)) for of, name in columns)).subquery().c[0]
    urls = {storage.url_of(key): key for key in keys}
    found = {urls[url] for url in db.session.scalars(select(shown).where(shown.in_(urls)))}
    # By name no index helps. But these are few: while the public URL stays, they are the orphans alone.
    names = {key[-NAME_LENGTH:]: key for key in keys if key not in found}
    name = func.right(shown, NAME_LENGTH)
    found |= {names[kept] for kept in db.session.scalars(select(name).where(name.in_(names)))} if names else set()
    db.session.commit()
    return found


@click.command("check-bucket")
@with_appcontext
def check_bucket() -> None:
    """List the bucket, and say how many photos it has. Exit 1: it does not answer, or refuses."""
    try:
        photos = sum(len(page) for page in storage.list_objects(FOLDER))
    except StorageUnavailable as error:
        raise click.ClickException(f"The bucket does not answer, or refuses: {error}") from error
    click.echo(f"The bucket answers. It has {photos:,} photos.")
