"""Nightly job of photos: sweep the objects that no row points at."""

from app.jobs import nightly
from app.photos import service
from app.storage import StorageUnavailable


@nightly("photos.sweep", StorageUnavailable, old_name="mypage.sweep_photos")
def sweep_photos(timestamp: int) -> None:
    service.sweep_photos()
