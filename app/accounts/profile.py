"""The profile: nickname, language and time zone."""

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.accounts import nicknames
from app.accounts.models import User
from app.accounts.service import lock_user, taken
from app.extensions import db


def change_nickname(user_id: int, nickname: str) -> None:
    """Raises: NicknameTaken, AccountGone. Nothing was changed."""
    user = lock_user(user_id)
    user.nickname, user.nickname_key = nickname, nicknames.key(nickname)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise taken(error) from error


def change_language(user_id: int, language: str) -> None:
    """Show pages in this language on every device."""
    db.session.execute(update(User).where(User.id == user_id).values(language=language))
    db.session.commit()


def change_settings(user_id: int, language: str | None, time_zone: str | None) -> None:
    """Show pages in this language and times in this zone on every device. None: as each browser asks."""
    db.session.execute(update(User).where(User.id == user_id).values(language=language, time_zone=time_zone))
    db.session.commit()
