"""The letters of accounts. None contains text from a user, see app/mail/message.py.

A notice tells the owner of an account what happened to it, at the address that the account had then: until the worker
writes it, a stranger may have moved the account to an address of theirs. So a row holds the address; the job names it.
"""

from datetime import timedelta

from flask_babel import gettext as _
from sqlalchemy import insert

from app.accounts.models import Notice, User
from app.accounts.tokens import LIFETIME
from app.extensions import db
from app.mail import message
from app.mail.message import Letter

KEPT = timedelta(days=30)  # as long as the failed job that an operator can put back into the queue


def _with_link(subject: str, why: str, endpoint: str, token: str, button: str) -> Letter:
    once = _("The link works once, for %(minutes)d minutes.", minutes=LIFETIME // timedelta(minutes=1))
    not_you = _("If you didn't ask for this, you can ignore this email.")
    return Letter(subject, (why, once, not_you), message.link(endpoint, token=token), button)


def reset_password(token: str) -> Letter:
    subject, why = _("Reset your Semicircle password"), _("You can set a new password for your account.")
    return _with_link(subject, why, "mailed_links.new_password", token, _("Set a new password"))


def sign_up(token: str) -> Letter:
    subject, why = _("Your Semicircle account"), _("Choose a nickname and a password to finish signing up.")
    return _with_link(subject, why, "mailed_links.sign_up", token, _("Finish signing up"))


def confirm_email(token: str) -> Letter:
    subject, why = _("Please confirm your email address"), _("This address belongs to a Semicircle account.")
    return _with_link(subject, why, "mailed_links.confirm_email", token, _("Confirm address"))


def change_email(token: str) -> Letter:
    subject = _("Please confirm your new email address")
    why = _("Someone asked to use this address for their Semicircle account.")
    return _with_link(subject, why, "mailed_links.change_email", token, _("Use this address"))


def email_is_taken() -> Letter:
    return Letter(
        _("This address already has an account"),
        (
            _("Someone tried to create a Semicircle account with this address, but it already has one."),
            _("If this was you, sign in with this address. If you've forgotten your password, you can reset it there."),
            _("If you didn't ask for this, you can ignore this email."),
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
NOTICES = {"password_changed": password_changed, "email_change_asked": email_change_asked}


def tell(user: User, kind: str, language: str) -> None:
    """Let the worker send a notice, of a kind of NOTICES, to the address that the account has now. The caller commits.

    `user` is locked, so that the address is the one of this transaction. `language`, that of the page, is the letter's
    unless the account has chosen one.
    """
    if message.is_enabled():
        stored = insert(Notice).values(user_id=user.id, kind=kind, email=user.email).returning(Notice.id)
        notice_id = db.session.execute(stored).scalar_one()
        message.later("accounts.deliver_notice", notice_id=notice_id, language=language)
