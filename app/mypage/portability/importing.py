"""An export comes back into an account. Which features take what, the caller says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from sqlalchemy import select

from app import jobs, storage
from app.accounts.models import User
from app.accounts.service import AccountGone, SignedIn
from app.extensions import db
from app.mypage.photo import PhotoRejected, square_webp
from app.mypage.portability import archive
from app.mypage.portability.refusals import ArchiveRejected, Reason
from app.mypage.portability.turns import one_at_a_time
from app.mypage.service import FOLDER
from app.portable import Portable, Unfit

MOST_ITEMS = 20_000  # of each list


@dataclass(frozen=True)
class Outcome:
    """What an import did.

    Args:
        new: name of a feature: how many of its items came in.
        known: how many were here already.
        photo: whether the photo came in.
    """

    new: dict[str, int]
    known: int
    photo: bool


def import_archive(
    account: SignedIn, file: IO[bytes], portables: Sequence[Portable], *, replace_photo: bool
) -> Outcome:
    """Take back what an export holds and is not here yet: all of it or, when anything in it is refused, nothing.

    Args:
        file: the upload.
        replace_photo: also when the account has one.

    Raises:
        ArchiveRejected, AccountGone, PhotoBusy, StorageUnavailable, Busy: nothing was stored.
    """
    with one_at_a_time(), archive.opened(file) as export_file:
        photo = export_file.photo() if replace_photo or account.image_url is None else None
        url = _put(photo) if photo is not None else None
        try:
            outcome = _load(account.id, export_file, portables, url)
        except (ArchiveRejected, AccountGone):
            db.session.rollback()
            _discard(url)
            db.session.commit()
            raise
        db.session.commit()
        return outcome


def _put(photo: bytes) -> str:
    """The object first, then the row: see app/mypage/service.py. Raises: ArchiveRejected, PhotoBusy."""
    try:
        webp = square_webp(photo)
    except PhotoRejected as error:
        raise ArchiveRejected(Reason.PHOTO) from error
    return storage.put(storage.new_key(FOLDER, "webp"), webp, "image/webp")


def _load(user_id: int, export_file: archive.Archive, portables: Sequence[Portable], url: str | None) -> Outcome:
    user = db.session.scalar(select(User).where(User.id == user_id).with_for_update())  # two at once would store twice
    if user is None:
        raise AccountGone
    by_name = {portable.NAME: portable for portable in portables}
    new = dict.fromkeys(by_name, 0)
    known = 0
    for name, items in export_file.lists():
        if name not in by_name:
            raise ArchiveRejected(Reason.NOT_OURS)
        counted = _Counted(items)
        try:
            new[name] = by_name[name].load(user_id, counted)
        except Unfit as error:
            raise ArchiveRejected(Reason.UNFIT, f"{name} {counted.number}, {error.field}".rstrip(", ")) from error
        known += counted.number - new[name]
    if url is not None:
        _discard(user.image_url)
        user.image_url = url
    return Outcome(new, known, photo=url is not None)


class _Counted:
    """Items, of which `number` have been taken. Raises: ArchiveRejected beyond MOST_ITEMS."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self.number = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self.number += 1
            if self.number > MOST_ITEMS:
                raise ArchiveRejected(Reason.TOO_MUCH)
            yield item


def _discard(url: str | None) -> None:
    key = storage.key_of(url) if url else None
    if key is not None:
        jobs.defer("mypage.delete_photo", key=key)
