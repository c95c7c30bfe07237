"""Change what an account is entered with, its password and its address, and delete it.

A new address takes effect when a link sent there is opened. The old one is told at once, so that its owner learns of a
stranger before anything has changed. A function that raises an error has changed nothing.
"""

from sqlalchemy import delete, func, select

from app import storage
from app.accounts import events, hashing, letters, tokens
from app.accounts.events import NOBODY, Client
from app.accounts.models import AccessToken, EventKind, User, UserSession
from app.accounts.service import TAKEN, lock_user_with_password, owner_required
from app.accounts.tokens import TokenExpired
from app.extensions import db
from app.mail import message


def change_password(user_id: int, current_password: str, new_password: str, language: str, client: Client) -> User:
    """Change the password as `_set_password` does, and void every mailed link. Raises: WrongPassword, AccountGone."""
    new_hash = hashing.hash_password(new_password)  # before the lock: it takes 20 ms
    user = lock_user_with_password(user_id, current_password)
    tokens.void_all(user_id)
    _set_password(user, new_hash, EventKind.PASSWORD_CHANGED, language, client)
    return user


def ask_to_reset_password(email: str, language: str) -> None:
    """Let the worker send a link to the owner of the address; it finds nobody for an unknown one.

    Both take the same statements and leave the same job, so nothing tells who has an account (user enumeration).
    """
    user_id = db.session.scalar(select(User.id).where(User.email == email)) or NOBODY
    message.later("accounts.send_reset_link", user_id=user_id, language=language)
    db.session.commit()


def reset_password(token: str, new_password: str, language: str, client: Client) -> None:
    """Set the password, confirm the address, and sign nobody in (ASVS 5.0 V6.4.3). Raises: TokenExpired."""
    tokens.read(token, tokens.RESET_PASSWORD)  # hashing takes 25 ms; not for a link that leads nowhere
    new_hash = hashing.hash_password(new_password)  # before the lock
    user = _use_link_to_own_address(token, tokens.RESET_PASSWORD)
    user.email_confirmed_at, user.email_refused_at = func.coalesce(User.email_confirmed_at, func.now()), None
    _set_password(user, new_hash, EventKind.PASSWORD_RESET, language, client)


def _set_password(user: User, new_hash: str, kind: EventKind, language: str, client: Client) -> None:
    """End every session, also that of the caller, and every access token (ASVS 5.0 V7.4.3), and tell the owner."""
    user.password_hash = new_hash
    db.session.execute(delete(UserSession).where(UserSession.user_id == user.id))
    db.session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
    letters.tell(user, "password_changed", language)
    events.record(user.id, kind, client)
    db.session.commit()


def send_confirmation(user_id: int, language: str) -> None:
    message.later("accounts.send_confirmation", user_id=user_id, language=language)
    db.session.commit()


def confirm_email(token: str) -> None:
    """Note that the owner reads the mail of the account's address. Raises: TokenExpired."""
    user = _use_link_to_own_address(token, tokens.CONFIRM_EMAIL)
    user.email_confirmed_at, user.email_refused_at = func.now(), None
    db.session.commit()


def _use_link_to_own_address(token: str, purpose: str) -> User:
    """Use a token up, and return its user. Raises: TokenExpired."""
    user, email = tokens.use(token, purpose)
    if user.email != email:  # it was changed while the worker wrote the letter
        db.session.rollback()
        raise TokenExpired
    return user


def ask_to_change_email(user_id: int, password: str, new_email: str, language: str, client: Client) -> None:
    """Let the worker send a link to the new address, and a notice to the old one.

    Whether another account has the new address is not said here (user enumeration), but in the mail that goes there.
    Raises: WrongPassword, AccountGone.
    """
    user = lock_user_with_password(user_id, password)
    token_id = tokens.reserve(user_id, tokens.CHANGE_EMAIL, new_email)
    letters.tell(user, "email_change_asked", language)
    message.later("accounts.send_change_link", token_id=token_id, language=language)
    events.record(user_id, EventKind.EMAIL_CHANGE_ASKED, client)
    db.session.commit()


def change_email(token: str, session_id: int | None, client: Client) -> None:
    """Change the address to that of the link, and end all sessions but this one. Raises: EmailTaken, TokenExpired."""
    user, new_email = tokens.use(token, tokens.CHANGE_EMAIL)
    tokens.forget(user.email)
    user.email, user.email_confirmed_at, user.email_refused_at = new_email, func.now(), None
    with owner_required(**TAKEN):
        db.session.flush()
    others = delete(UserSession).where(UserSession.user_id == user.id)
    db.session.execute(others.where(UserSession.id != session_id) if session_id else others)
    events.record(user.id, EventKind.EMAIL_CHANGED, client)
    db.session.commit()


def delete_account(user_id: int, password: str, client: Client) -> None:
    """Delete the user with all rows (ON DELETE CASCADE), links and photo. Raises: WrongPassword, AccountGone."""
    user = lock_user_with_password(user_id, password)
    tokens.forget(user.email)
    storage.delete_later(user.image_url)
    db.session.delete(user)
    db.session.commit()
    events.account_deleted(user_id, client)
