"""Change the address of an account: the new one takes effect when a link sent there is opened.

The old address is told at once, so that its owner learns of a stranger at the account before anything has changed.
"""

from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError

from app.accounts import events, notices, tokens
from app.accounts.events import Client
from app.accounts.models import EventKind, UserSession
from app.accounts.service import lock_user_with_password, taken
from app.extensions import db
from app.mail import message


def ask_for_link(user_id: int, password: str, new_email: str, language: str, client: Client) -> None:
    """Let the worker send a link to the new address, and a notice to the old one.

    Whether another account has the new address is not said here (user enumeration), but in the mail that goes there.

    Raises:
        WrongPassword, AccountGone: nothing was changed.
    """
    user = lock_user_with_password(user_id, password)
    token_id = tokens.reserve(user_id, tokens.CHANGE_EMAIL, new_email)
    notices.tell(user, "email_change_asked", language)
    message.later("accounts.send_change_link", token_id=token_id, language=language)
    events.record(user_id, EventKind.EMAIL_CHANGE_ASKED, client)
    db.session.commit()


def change_email(token: str, session_id: int | None, client: Client) -> None:
    """Make the address to which the link was sent that of the account, and end its other sessions.

    Args:
        session_id: of the browser that asks, which stays signed in if it is the account's.

    Raises:
        EmailTaken: the unique constraint said so.
        TokenExpired: as with EmailTaken, nothing was changed.
    """
    user, new_email = tokens.use(token, tokens.CHANGE_EMAIL)
    user.email, user.email_confirmed_at, user.email_refused_at = new_email, func.now(), None
    others = delete(UserSession).where(UserSession.user_id == user.id)
    try:
        db.session.flush()
        db.session.execute(others.where(UserSession.id != session_id) if session_id else others)
        events.record(user.id, EventKind.EMAIL_CHANGED, client)
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise taken(error) from error
