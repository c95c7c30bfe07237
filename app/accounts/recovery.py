"""Account recovery: a new password for a forgotten one, by a link in a mail (password reset).

Whoever reads the mail of an account's address may set its password, also where the address was never confirmed: nobody
is to be locked out for not having opened a letter. So a link that was used confirms the address, too.
"""

from sqlalchemy import bindparam, delete, func, select

from app.accounts import access_tokens, events, hashing, notices, tokens
from app.accounts.events import NOBODY, Client
from app.accounts.models import EventKind, User, UserSession
from app.accounts.tokens import TokenExpired
from app.extensions import db
from app.mail import message

_ID = select(User.id).where(User.email == bindparam("email"))


def ask_for_link(email: str, language: str) -> None:
    """Let the worker send a link to the owner of the address, if there is an account.

    A known and an unknown address take the same statements and leave the same job, so neither the answer nor its time
    tells which addresses have an account (user enumeration). The worker finds nobody for the unknown one.

    Args:
        language: of the page; the letter's unless the account has chosen one.
    """
    user_id = db.session.scalar(_ID, {"email": email}) or NOBODY
    message.later("accounts.send_reset_link", user_id=user_id, language=language)
    db.session.commit()


def set_password(token: str, new_password: str, language: str, client: Client) -> None:
    """Set the password, and end every session, other link and access token (ASVS 5.0 V6.4.3, V7.4.3).

    It signs nobody in. The reader types the new password once more, and the browser offers to keep it.

    Raises:
        TokenExpired: nothing was changed.
    """
    tokens.read(token, tokens.RESET_PASSWORD)  # hashing takes 25 ms; not for a link that leads nowhere
    new_hash = hashing.hash_password(new_password)  # before the lock
    user, email = tokens.use(token, tokens.RESET_PASSWORD)
    if user.email != email:  # it was changed while the worker wrote the letter
        db.session.rollback()
        raise TokenExpired
    user.password_hash = new_hash
    user.email_confirmed_at, user.email_refused_at = func.coalesce(User.email_confirmed_at, func.now()), None
    db.session.execute(delete(UserSession).where(UserSession.user_id == user.id))
    access_tokens.end_all(user.id)
    notices.tell(user, "password_changed", language)
    events.record(user.id, EventKind.PASSWORD_RESET, client)
    db.session.commit()
