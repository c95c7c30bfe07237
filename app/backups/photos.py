"""Compare the photo URLs of a restored dump with the objects in the bucket."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, text

from app import storage
from app.photos.service import FOLDER, NAME_LENGTH

BATCH = 1_000
NAMED = 5  # accounts that a sentence lists

# In the scratch database, so that our memory does not grow with the bucket. By name: the same object has another URL
# since the bucket moved behind a CDN, or to another name.
_NAMES = text("CREATE TEMPORARY TABLE bucket_names (name text)")
_ADD = text("INSERT INTO bucket_names SELECT unnest(CAST(:names AS text[]))")
_SHOWN = text("SELECT count(*) FROM users WHERE image_url IS NOT NULL")
_MISSING = text(
    "SELECT id, image_url FROM users WHERE image_url IS NOT NULL AND NOT EXISTS"
    " (SELECT FROM bucket_names WHERE name = right(image_url, :length)) ORDER BY id"
).bindparams(length=NAME_LENGTH)
_STILL_SHOWN = text("SELECT id FROM users WHERE (id, image_url) IN :photos").bindparams(
    bindparam("photos", expanding=True)
)


class PhotoReport(NamedTuple):
    """
    Args:
        shown: photo URLs in the dump.
        lost: how many of them have no object, though the live database shows them too.
        first_lost: the lowest ids of their accounts.
        replaced: how many have no object because they were replaced or deleted since the dump.
    """

    shown: int
    lost: int
    first_lost: tuple[int, ...]
    replaced: int


def compare(live: Connection, restored: Connection) -> PhotoReport:
    """Raises: StorageUnavailable."""
    restored.execute(_NAMES)
    for page in storage.list_objects(FOLDER):
        restored.execute(_ADD, {"names": [key[-NAME_LENGTH:] for key in page]})
    missing = restored.execute(_MISSING, execution_options={"stream_results": True, "yield_per": BATCH})
    count = 0
    lost: list[int] = []
    lost_count = 0
    for batch in missing.partitions():
        still_shown = _still_shown(live, batch)
        count += len(batch)
        lost_count += len(still_shown)
        lost += still_shown[: NAMED - len(lost)]
    return PhotoReport(restored.scalar(_SHOWN) or 0, lost_count, tuple(lost), count - lost_count)


def _still_shown(live: Connection, rows: Sequence[Row[Any]]) -> list[int]:
    return sorted(live.scalars(_STILL_SHOWN, {"photos": [(row.id, row.image_url) for row in rows]}))
