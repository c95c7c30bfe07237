"""What a person does to their own account. Each function is one use case and one transaction.

Object first, then the row that points at it; row first, then the object's deletion. So a URL in the database always has
its object, whatever line a process dies at; what can be left over is an object that nobody points at.
"""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from app import jobs, storage
from app.accounts import nicknames, passwords
from app.accounts.models import User, UserSession
from app.accounts.service import AccountGone, taken
from app.extensions import db
from app.mypage.cropping import Crop
from app.mypage.photo import square_webp

log = logging.getLogger(__name__)

FOLDER = "photos"
NAME = re.compile(r"[0-9a-f]{32}\.webp")  # what storage.new_key() makes; another object in the folder is not ours
NAME_LENGTH = 37
UNSEEN_FOR = timedelta(days=1)  # an object that is younger may belong to a row that is just being written


class WrongPassword(Exception):
    """The current password is another one; nothing was changed."""


def put_photo(user_id: int, data: bytes, crop: Crop | None = None) -> None:
    """Check and re-encode a photo, store it and show it from now on.

    Args:
        data: the uploaded file.
        crop: the square of it that is shown; without one the middle.

    Raises:
        PhotoRejected, PhotoBusy: see `photo.square_webp`; nothing was stored.
        StorageUnavailable: the photo shown is still the old one.
        AccountGone
    """
    webp = square_webp(data, crop)
    url = storage.put(storage.new_key(FOLDER, "webp"), webp, "image/webp")
    try:
        _replace_image_url(user_id, url)
    except AccountGone:
        _discard(url)  # only here is it certain that no row points at it; after a lost connection it may
        db.session.commit()
        raise


def remove_photo(user_id: int) -> None:
    """Show no photo from now on. Raises: AccountGone."""
    _replace_image_url(user_id, None)


def _replace_image_url(user_id: int, url: str | None) -> None:
    user = _lock_user(user_id)
    _discard(user.image_url)
    user.image_url = url
    db.session.commit()


def change_nickname(user_id: int, nickname: str) -> None:
    """Raises: NicknameTaken, AccountGone; nothing was changed."""
    user = _lock_user(user_id)
    user.nickname, user.nickname_key = nickname, nicknames.key(nickname)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise taken(error) from error


def change_settings(user_id: int, language: str | None, time_zone: str | None) -> None:
    """Show pages in this language and times in this zone on every device; None: as each browser asks."""
    db.session.execute(update(User).where(User.id == user_id).values(language=language, time_zone=time_zone))
    db.session.commit()


def change_password(user_id: int, current_password: str, new_password: str) -> User:
    """Change the password and end every session of the user, also the one that asks: it is to start a new one.

    Raises:
        WrongPassword, AccountGone: nothing was changed.
    """
    new_hash = passwords.hash_password(new_password)
    user = _lock_user_of(user_id, current_password)
    user.password_hash = new_hash
    db.session.execute(delete(UserSession).where(UserSession.user_id == user_id))
    db.session.commit()
    return user


def delete_account(user_id: int, password: str) -> None:
    """Delete the user, everything that hangs on the user, and the photo.

    Raises:
        WrongPassword, AccountGone: nothing was changed.
    """
    user = _lock_user_of(user_id, password)
    _discard(user.image_url)
    db.session.delete(user)
    db.session.commit()


def _lock_user_of(user_id: int, password: str) -> User:
    user = _lock_user(user_id)
    if not passwords.matches(password, user.password_hash):
        db.session.rollback()
        raise WrongPassword
    return user


def _lock_user(user_id: int) -> User:
    """The user's row, for this transaction alone: two photos at once, say, each find the one before."""
    user = db.session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        db.session.rollback()
        raise AccountGone
    return user


def _discard(url: str | None) -> None:
    """Let the worker delete the object of a photo, once this transaction is committed."""
    key = storage.key_of(url) if url else None
    if key is not None:
        jobs.defer("mypage.delete_photo", key=key)


def sweep_photos() -> None:
    """Delete the objects of photos that no row points at and that are older than a day.

    Where more objects have no row than have one, the bucket seems to serve another database too: none is deleted.

    Raises:
        StorageUnavailable: what is left is deleted the next time.
    """
    shown, orphans = 0, []
    for page in storage.list_objects(FOLDER):
        photos = {key: put_at for key, put_at in page.items() if NAME.fullmatch(key.rpartition("/")[2])}
        seen = _shown(photos)
        shown += len(seen)
        orphans += [key for key in photos.keys() - seen if photos[key] < datetime.now(UTC) - UNSEEN_FOR]
    if len(orphans) > shown:
        log.error("%d photos have a row and %d have none; is the bucket another database's too?", shown, len(orphans))
        return
    for key in orphans:
        storage.delete(key)
    log.info("swept photos: %d shown, %d deleted", shown, len(orphans))


def _shown(keys: Iterable[str]) -> set[str]:
    """The keys that a row points at, also under the public URL of before, when the bucket has moved behind a CDN."""
    urls = {storage.url_of(key): key for key in keys}
    shown = {urls[url] for url in db.session.scalars(select(User.image_url).where(User.image_url.in_(urls))) if url}
    # No index serves the rest, which is nothing but orphans as long as the public URL stays.
    names = {key[-NAME_LENGTH:]: key for key in keys if key not in shown}
    name = func.right(User.image_url, NAME_LENGTH)
    shown |= {names[found] for found in db.session.scalars(select(name).where(name.in_(names)))} if names else set()
    db.session.commit()
    return shown
