"""Put and remove profile photos, and store those of other rows. tasks.py deletes the objects that no row points at.

Object first, then the row that points at it; row first, then the object's deletion. So every URL in the database has
its object, whatever line a process dies at. What is left over goes by a job that was committed before the object was
put, or by the sweep (docs/architecture.md).
"""

import threading
import time

from app import storage
from app.accounts.service import lock_user
from app.extensions import db
from app.jobs.queue import defer
from app.limits import rate_limits
from app.photos.decoding import Crop, square_webp
from app.rejection import Busy, held

FOLDER = "photos"
NAME_LENGTH = 37  # characters of a name as storage.new_key() makes it
CHECK_AFTER_HOURS = 1  # a request that stores an object has long ended by then
# Uploads at work in a process; the other threads stay free for pages while the bucket hangs (bulkhead).
UPLOADS = threading.BoundedSemaphore(2)
UPLOAD_WAIT = 0.2  # seconds; a waiting upload holds a thread as well
# Until the bucket has answered. Readers are promised an answer within 8: two are for the request's way there and back.
UPLOAD_SECONDS = 6.0


def put_photo(user_id: int, data: bytes, crop: Crop | None = None) -> None:
    """Show a photo, the square of it or the middle, from now on.

    Raises: RateLimited, PhotoRejected, Busy, StorageUnavailable, AccountGone. The old photo stays.
    """
    rate_limits.take(rate_limits.PHOTOS, user_id)
    show(user_id, store(data, crop))
    db.session.commit()


def remove_photo(user_id: int) -> None:
    """Show no photo from now on. Raises: AccountGone."""
    show(user_id, None)
    db.session.commit()


def store(data: bytes, crop: Crop | None = None, deadline: float | None = None) -> str:
    """Re-encode a photo, put it into the bucket and return its URL. It commits the transaction.

    An hour later a job deletes the object unless a row of any table shows it, in a column whose name ends in
    `image_url` or `photo_url`. `deadline`: by the monotonic clock. Raises: as `put_photo`; Busy, also when it is over.
    """
    deadline = deadline or time.monotonic() + UPLOAD_SECONDS
    with held(UPLOADS, UPLOAD_WAIT):
        webp = square_webp(data, crop, deadline - time.monotonic() - storage.LEAST_SECONDS)
        if deadline - time.monotonic() < storage.LEAST_SECONDS:
            raise Busy
        key = storage.new_key(FOLDER, "webp")
        defer("photos.delete_orphan", key=key, after={"hours": CHECK_AFTER_HOURS})
        db.session.commit()  # before the object is there; and no connection is held while waiting for the bucket
        return storage.put(key, webp, "image/webp", deadline - time.monotonic())


def show(user_id: int, url: str | None) -> None:
    """Point the user's row at this photo, in the caller's transaction, after which the old object is deleted."""
    user = lock_user(user_id)  # of two uploads at once, each has to find the URL that it replaces
    storage.delete_later(user.image_url)
    user.image_url = url
