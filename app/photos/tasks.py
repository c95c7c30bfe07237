"""Jobs of photos: delete an object that no row came to point at; nightly, sweep all such objects."""

from app.jobs.queue import nightly, queue, retrying
from app.photos import service
from app.storage import StorageUnavailable


@nightly("photos.sweep", StorageUnavailable, old_name="mypage.sweep_photos")
def sweep_photos(timestamp: int) -> None:
    service.sweep_photos()


@queue.task(name="photos.delete_orphan", retry=retrying(6, StorageUnavailable))
def delete_orphan(key: str) -> None:
    service.delete_orphan(key)
