"""The forms of accounts: sign-up, sign-in and its confirmation, nickname, password, settings, deletion."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, SelectField, StringField
from wtforms.validators import ValidationError

from app.accounts.fields import current_password_field, email_field, mailbox_field, new_password_field, nickname_field
from app.web.locale import LANGUAGES, time_zones


class SignUpForm(FlaskForm):
    email = mailbox_field("email")
    nickname = nickname_field()
    password = new_password_field(_("Password"))


class AddressForm(FlaskForm):
    """Where mail can be sent, sign-up asks for the address alone."""

    email = mailbox_field("email")


class NewAccountForm(FlaskForm):
    """Behind the link of a sign-up.

    Args:
        email: of the account, which the password must not be.
    """

    nickname = nickname_field()
    password = new_password_field(_("Password"))

    def __init__(self, email: str) -> None:
        super().__init__()
        self.names = [email]


class SignInForm(FlaskForm):
    email = email_field("username")
    password = current_password_field(_("Password"))
    remember = BooleanField(_("Keep me signed in on this device"))


class NicknameForm(FlaskForm):
    nickname = nickname_field()


class ForgottenPasswordForm(FlaskForm):
    email = mailbox_field("username")


class NewPasswordForm(FlaskForm):
    """Behind a link in a mail, so it asks for no other password.

    Args:
        email: of the account, which the password must not be.
    """

    new_password = new_password_field(_("New password"))

    def __init__(self, email: str) -> None:
        super().__init__()
        self.names = [email]


class EmailForm(FlaskForm):
    new_email = mailbox_field("email", _("New email address"))
    password_for_email = current_password_field(_("Password"))


class PasswordForm(FlaskForm):
    current_password = current_password_field(_("Current password"))
    new_password = new_password_field(_("New password"))


def one_of_the_list(form: FlaskForm, field: Field) -> None:
    known = LANGUAGES if field.name == "language" else time_zones()
    if field.data != "" and field.data not in known:
        raise ValidationError(_("Please choose one from the list."))


class SettingsForm(FlaskForm):
    """An empty value: as each browser asks."""

    language = SelectField(
        _("Language"),
        choices=lambda: [
            ("", _("Same as browser")),
            *((code, name, {"lang": code}) for code, name in LANGUAGES.items()),
        ],
        validate_choice=False,
        validators=[one_of_the_list],
    )
    time_zone = StringField(_("Time zone"), validators=[one_of_the_list])


class DeletionForm(FlaskForm):
    password = current_password_field(_("Password"))


class ConfirmForm(FlaskForm):
    """Who is signed in shows that they are still there."""

    password = current_password_field(_("Password"))
