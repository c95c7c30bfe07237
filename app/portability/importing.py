"""Import: an export comes back into an account. The caller names the features that take part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from app import storage
from app.accounts.models import User
from app.accounts.service import AccountGone, lock_user
from app.accounts.sessions import SignedIn
from app.extensions import db
from app.follower import writes
from app.limits.quotas import QuotaReached
from app.photos import service as photos
from app.photos.decoding import PhotoRejected
from app.photos.service import Deadline
from app.portability import archive
from app.portability.concurrency import one_at_a_time
from app.portability.contract import Portable
from app.portability.rejection import ArchiveRejected, Reason
from app.portability.validation import InvalidItem

MAX_ITEMS = 100_000  # in each list; the largest storage quota
# 20,000 of the longest notes take 56 beside other work on 2 cores. VACUUM and other imports wait for as long.
IMPORT_SECONDS = 180.0


@dataclass
class Progress:
    """What an import has done so far, for another thread to tell.

    Args:
        read: items.
    """

    read: int = 0


@dataclass(frozen=True)
class Outcome:
    """What an import did.

    Args:
        new: items that came in, by name of the feature.
        known: items that the account had already.
        photo: whether the photo came in.
    """

    new: dict[str, int]
    known: int
    photo: bool


def import_archive(
    account: SignedIn | User, file: IO[bytes], portables: Sequence[Portable], progress: Progress, *, replace_photo: bool
) -> Outcome:
    """Store what an export holds and the account does not have: all of it or, if anything is refused, nothing.

    Args:
        file: the upload.
        progress: is kept up to date.
        replace_photo: take the photo even when the account has one.

    Raises:
        ArchiveRejected, AccountGone, StorageUnavailable, Busy: nothing was stored.
    """
    # Waiting for another import counts as well.
    deadline, end = Deadline(photos.UPLOAD_SECONDS), Deadline(IMPORT_SECONDS)
    with one_at_a_time(), archive.opened(file) as export_file:
        photo = export_file.photo() if replace_photo or account.image_url is None else None
        url = _put(photo, deadline) if photo is not None else None
        try:
            outcome = _load(account.id, export_file, portables, url, end, progress)
        except (ArchiveRejected, AccountGone):
            db.session.rollback()
            storage.delete_later(url)
            db.session.commit()
            raise
        writes.mark(account.id)  # this may be a thread of its own, without the request
        db.session.commit()
        return outcome


def _put(photo: bytes, deadline: Deadline) -> str:
    """Object first, then the row: see app/photos/service.py. Raises: ArchiveRejected, Busy, StorageUnavailable."""
    try:
        return photos.store(photo, deadline=deadline)
    except PhotoRejected as error:
        raise ArchiveRejected(Reason.PHOTO) from error


def _load(
    user_id: int,
    export_file: archive.Archive,
    portables: Sequence[Portable],
    url: str | None,
    end: Deadline,
    progress: Progress,
) -> Outcome:
    lock_user(user_id)  # two imports at once would store everything twice
    by_name = {portable.NAME: portable for portable in portables}
    new = dict.fromkeys(by_name, 0)
    known = 0
    for name, items in export_file.lists({name: portable.LONGEST_ITEM for name, portable in by_name.items()}):
        counted = _Counted(items, end, progress)
        try:
            new[name] = by_name[name].load(user_id, counted)
        except InvalidItem as error:
            raise ArchiveRejected(Reason.INVALID, f"{name} {counted.number}, {error.field}".rstrip(", ")) from error
        except QuotaReached as error:
            raise ArchiveRejected(Reason.QUOTA, name) from error
        known += counted.number - new[name]
    if url is not None:
        photos.show(user_id, url)
    return Outcome(new, known, photo=url is not None)


class _Counted:
    """Counts the items that were taken, for the place in a refusal.

    Raises:
        ArchiveRejected: there are more than MAX_ITEMS, or the time is over.
    """

    def __init__(self, items: Iterator[Any], end: Deadline, progress: Progress) -> None:
        self._items = items
        self._end = end
        self._progress = progress
        self.number = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self.number += 1
            self._progress.read += 1
            if self.number > MAX_ITEMS:
                raise ArchiveRejected(Reason.TOO_MUCH)
            if self._end.left < 0:
                raise ArchiveRejected(Reason.TOO_SLOW)
            yield item
