"""Change the password."""

from sqlalchemy import delete

from app.accounts import access_tokens, events, hashing, notices, tokens
from app.accounts.events import Client
from app.accounts.models import EventKind, User, UserSession
from app.accounts.service import lock_user_with_password
from app.extensions import db


def change_password(user_id: int, current_password: str, new_password: str, language: str, client: Client) -> User:
    """Change the password, and end every session, mailed link and access token (ASVS 5.0 V7.4.3).

    That includes the session that asks; the caller starts a new one.

    Raises:
        WrongPassword, AccountGone: nothing was changed.
    """
    new_hash = hashing.hash_password(new_password)  # before the lock: it takes 20 ms
    user = lock_user_with_password(user_id, current_password)
    user.password_hash = new_hash
    db.session.execute(delete(UserSession).where(UserSession.user_id == user_id))
    tokens.void_all(user_id)
    access_tokens.end_all(user_id)
    notices.tell(user, "password_changed", language)
    events.record(user_id, EventKind.PASSWORD_CHANGED, client)
    db.session.commit()
    return user
