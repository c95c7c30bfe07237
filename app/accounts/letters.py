"""The letters of accounts. None contains text from a user, see app/mail/message.py."""

from collections.abc import Callable, Mapping

from flask_babel import gettext as _

from app.accounts.tokens import LIFETIME
from app.mail import message
from app.mail.message import Letter

MINUTES = int(LIFETIME.total_seconds() // 60)


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
