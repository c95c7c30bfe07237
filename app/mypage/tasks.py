"""What the worker does with photos that nobody sees any more."""

from app.jobs import NIGHTLY, queue, retrying
from app.mypage import service
from app.storage import StorageUnavailable, delete


@queue.task(name="mypage.delete_photo", retry=retrying(6, StorageUnavailable))
def delete_photo(key: str) -> None:
    """Delete the object of a photo whose row is gone. A key is never used again, so this may come late and twice."""
    delete(key)


@queue.periodic(cron=NIGHTLY)
@queue.task(name="mypage.sweep_photos", queueing_lock="mypage.sweep_photos", retry=retrying(3, StorageUnavailable))
def sweep_photos(timestamp: int) -> None:
    """Delete the objects that were put and then, since a process died, never shown."""
    service.sweep_photos()
