"""Confirmation of the address of an account: its owner has opened a link that was sent there.

An account whose address was never confirmed can do everything. What depends on the address, which is to set a new
password, goes through the mailbox anyway. So confirming only finds out about a typing error while it can be fixed.
"""

from sqlalchemy import func

from app.accounts import tokens
from app.accounts.tokens import TokenExpired
from app.extensions import db
from app.mail import message


def send_link(user_id: int, language: str) -> None:
    """Let the worker send a link, in place of an earlier one, to the address of the account."""
    message.later("accounts.send_confirmation", user_id=user_id, language=language)
    db.session.commit()


def confirm(token: str) -> None:
    """Note that the owner reads the mail of the account's address.

    Raises:
        TokenExpired: nothing was changed.
    """
    user, email = tokens.use(token, tokens.CONFIRM_EMAIL)
    if user.email != email:  # it was changed while the worker wrote the letter
        db.session.rollback()
        raise TokenExpired
    user.email_confirmed_at, user.email_refused_at = func.now(), None
    db.session.commit()
