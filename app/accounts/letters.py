"""The letters of accounts. None holds a text of a user, see app/mail.py."""

from collections.abc import Callable, Mapping

from flask_babel import gettext as _

from app import mail
from app.accounts.tokens import LIFETIME
from app.mail import Letter

MINUTES = int(LIFETIME.total_seconds() // 60)


def _once() -> str:
    return str(_("The link works once, for %(minutes)d minutes.", minutes=MINUTES))


def _not_you() -> str:
    return str(_("If you did not ask for this, you need not do anything."))


def reset_password(token: str) -> Letter:
    return Letter(
        _("A new password for Semicircle"),
        (_("You can set a new password for your account."), _once(), _not_you()),
        mail.link("mailed_links.new_password", token=token),
        _("Set a new password"),
    )


def sign_up(token: str) -> Letter:
    return Letter(
        _("Your account at Semicircle"),
        (_("Choose a nickname and a password, and your account is open."), _once(), _not_you()),
        mail.link("mailed_links.sign_up", token=token),
        _("Open the account"),
    )


def confirm_email(token: str) -> Letter:
    return Letter(
        _("Please confirm your address"),
        (_("This is the address of an account at Semicircle."), _once(), _not_you()),
        mail.link("mailed_links.confirm_email", token=token),
        _("Confirm the address"),
    )


def change_email(token: str) -> Letter:
    return Letter(
        _("Please confirm your new address"),
        (_("This is to be the new address of an account at Semicircle."), _once(), _not_you()),
        mail.link("mailed_links.change_email", token=token),
        _("Use this address"),
    )


def email_is_taken() -> Letter:
    return Letter(
        _("This address has an account already"),
        (
            _("Somebody wanted to use this address for an account at Semicircle, but it has one already."),
            _("If that was you, sign in with it. If you have forgotten the password, ask for a new one there."),
            _not_you(),
        ),
        mail.link("accounts.sign_in"),
        _("Sign in"),
    )


def password_changed() -> Letter:
    return Letter(
        _("Your password was changed"),
        (
            _("The password of your account at Semicircle was changed, and all devices were signed out."),
            _("If you have passkeys, they still sign you in. Remove any that you do not know, on My page."),
            _("If that was not you, set a new password at once."),
        ),
        mail.link("mailed_links.forgot_password"),
        _("Set a new password"),
    )


def email_change_asked() -> Letter:
    return Letter(
        _("Your address is about to change"),
        (
            _("Somebody who knows the password of your account at Semicircle wants to give it another address."),
            _("If that was not you, set a new password at once; then the change is off."),
        ),
        mail.link("mailed_links.forgot_password"),
        _("Set a new password"),
    )


# By the names that the jobs carry.
NOTICES: Mapping[str, Callable[[], Letter]] = {
    "password_changed": password_changed,
    "email_change_asked": email_change_asked,
}
