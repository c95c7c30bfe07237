"""What a person does to their own account. Each function is one use case and one transaction.

Object first, then the row that points at it; row first, then the object's deletion. So a URL in the database always has
its object, whatever line a process dies at; what can be left over is an object that nobody points at.
"""

import logging

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app import storage
from app.accounts import nicknames, passwords
from app.accounts.models import User, UserSession
from app.accounts.service import AccountGone, taken
from app.extensions import db
from app.mypage.photo import square_webp

log = logging.getLogger(__name__)


class WrongPassword(Exception):
    """The current password is another one; nothing was changed."""


def put_photo(user_id: int, data: bytes) -> None:
    """Check and re-encode a photo, store it and show it from now on.

    Args:
        data: the uploaded file.

    Raises:
        PhotoRejected, PhotoBusy: see `photo.square_webp`; nothing was stored.
        StorageUnavailable: the photo shown is still the old one.
        AccountGone
    """
    webp = square_webp(data)
    url = storage.put(storage.new_key("photos", "webp"), webp, "image/webp")
    try:
        _replace_image_url(user_id, url)
    except AccountGone:
        _discard(url)  # only here is it certain that no row points at it; after a lost connection it may
        raise


def remove_photo(user_id: int) -> None:
    """Show no photo from now on. Raises: AccountGone."""
    _replace_image_url(user_id, None)


def _replace_image_url(user_id: int, url: str | None) -> None:
    user = _lock_user(user_id)
    old_url, user.image_url = user.image_url, url
    db.session.commit()
    _discard(old_url)


def change_nickname(user_id: int, nickname: str) -> None:
    """Raises: NicknameTaken, AccountGone; nothing was changed."""
    user = _lock_user(user_id)
    user.nickname, user.nickname_key = nickname, nicknames.key(nickname)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise taken(error) from error


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
    image_url = user.image_url
    db.session.delete(user)
    db.session.commit()
    _discard(image_url)


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
    """Delete the object of a photo that is no longer shown. If that fails, the change still stands."""
    key = storage.key_of(url) if url else None
    if key is None:
        return
    try:
        storage.delete(key)
    except storage.StorageUnavailable as error:
        log.warning("photo object left behind: key=%s: %s", key, error)
