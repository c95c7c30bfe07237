"""Nightly job of photos: sweep the objects that no row points at."""

from app.jobs import NIGHTLY, queue, retrying
from app.photos import service
from app.storage import StorageUnavailable


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="photos.sweep",
    aliases=["mypage.sweep_photos"],
    queueing_lock="photos.sweep",
    retry=retrying(3, StorageUnavailable),
)
def sweep_photos(timestamp: int) -> None:
    service.sweep_photos()
