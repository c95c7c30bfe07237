"""The letters of accounts. None contains text from a user, see app/mail/message.py.

A notice tells the owner of an account what happened to it, such as a changed password. It goes to the address that the
account had then. The worker may write it an hour later, and by that time a stranger may have moved the account to an
address of theirs. So a row holds the address until the letter is sent; the job names the row.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Row, and_, bindparam, delete, func, insert, select

from app.accounts.models import Notice, User
from app.accounts.tokens import LIFETIME
from app.extensions import db
from app.mail import message
from app.mail.message import Letter
from app.soft_delete import purge

MINUTES = int(LIFETIME.total_seconds() // 60)
KEPT = timedelta(days=30)  # as long as the failed job that an operator can put back into the queue

# Mail to the address does not arrive, see bounces.py. One that the account had before is tried.
_IS_REFUSED = and_(User.email == Notice.email, User.email_refused_at.is_not(None))
_READ = (
    select(Notice.user_id, Notice.kind, Notice.email, User.language, _IS_REFUSED.label("is_refused"))
    .join(User, User.id == Notice.user_id)
    .where(Notice.id == bindparam("notice_id"))
)


def _once() -> str:
    return str(_("The link works once, for %(minutes)d minutes.", minutes=MINUTES))


def _not_you() -> str:
    return str(_("If you didn't ask for this, you can ignore this email."))


def reset_password(token: str) -> Letter:
    return Letter(
        _("Reset your Semicircle password"),
        (_("You can set a new password for your account."), _once(), _not_you()),
        message.link("mailed_links.new_password", token=token),
        _("Set a new password"),
    )


def sign_up(token: str) -> Letter:
    return Letter(
        _("Your Semicircle account"),
        (_("Choose a nickname and a password to finish signing up."), _once(), _not_you()),
        message.link("mailed_links.sign_up", token=token),
        _("Finish signing up"),
    )


def confirm_email(token: str) -> Letter:
    return Letter(
        _("Please confirm your email address"),
        (_("This address belongs to a Semicircle account."), _once(), _not_you()),
        message.link("mailed_links.confirm_email", token=token),
        _("Confirm address"),
    )


def change_email(token: str) -> Letter:
    return Letter(
        _("Please confirm your new email address"),
        (_("Someone asked to use this address for their Semicircle account."), _once(), _not_you()),
        message.link("mailed_links.change_email", token=token),
        _("Use this address"),
    )


def email_is_taken() -> Letter:
    return Letter(
        _("This address already has an account"),
        (
            _("Someone tried to create a Semicircle account with this address, but it already has one."),
            _("If this was you, sign in with this address. If you've forgotten your password, you can reset it there."),
            _not_you(),
        ),
        message.link("accounts.sign_in"),
        _("Sign in"),
    )


def password_changed() -> Letter:
    return Letter(
        _("Your password was changed"),
        (
            _("Your Semicircle password was changed, and all devices were signed out."),
            _("Your passkeys still work. If you don't recognize one, remove it under My page."),
            _("If this wasn't you, set a new password right away."),
        ),
        message.link("mailed_links.forgot_password"),
        _("Set a new password"),
    )


def email_change_asked() -> Letter:
    return Letter(
        _("Your email address is about to change"),
        (
            _("Someone who knows your Semicircle password asked to change the email address of your account."),
            _("If this wasn't you, set a new password right away. That also cancels the change."),
        ),
        message.link("mailed_links.forgot_password"),
        _("Set a new password"),
    )


# By the names that the jobs carry.
NOTICES: Mapping[str, Callable[[], Letter]] = {
    "password_changed": password_changed,
    "email_change_asked": email_change_asked,
}


def tell(user: User, kind: str, language: str) -> None:
    """Let the worker send a notice to the address that the account has now. The caller commits.

    Args:
        user: its row is locked, so that the address is the one of this transaction.
        kind: a name of NOTICES.
        language: of the page; the letter's unless the account has chosen one.
    """
    if message.is_enabled():
        stored = insert(Notice).values(user_id=user.id, kind=kind, email=user.email).returning(Notice.id)
        notice_id = db.session.execute(stored).scalar_one()
        message.later("accounts.deliver_notice", notice_id=notice_id, language=language)


def read_notice(notice_id: int) -> Row[*tuple[Any, ...]] | None:
    """Return the notice, the language that the account has chosen, and whether mail to the address does not arrive.

    None when it was sent, or the account was deleted.
    """
    notice = db.session.execute(_READ, {"notice_id": notice_id}).one_or_none()
    db.session.commit()
    return notice


def forget_notice(notice_id: int) -> None:
    """Delete a notice that was sent, or refused for good."""
    db.session.execute(delete(Notice).where(Notice.id == notice_id))
    db.session.commit()


def purge_old_notices() -> int:
    """Delete the notices that could not be sent for KEPT, and return how many there were."""
    return purge(Notice, Notice.created_at <= func.now() - KEPT)
