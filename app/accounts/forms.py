"""The forms of accounts: sign-up, sign-in and its confirmation, nickname, password, settings, deletion."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app import time_zones
from app.accounts.access_tokens import LIFETIMES, SCOPES
from app.accounts.fields import current_password_field, email_field, mailbox_field, new_password_field, nickname_field
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip
from app.web.locale import LANGUAGES


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
    known = LANGUAGES if field.name == "language" else time_zones.names()
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
    time_zone = StringField(
        _("Time zone"), filters=[lambda name: name and time_zones.resolved(name)], validators=[one_of_the_list]
    )


class DeletionForm(FlaskForm):
    password = current_password_field(_("Password"))


class ConfirmForm(FlaskForm):
    """Who is signed in shows that they are still there, by the password or by a passkey, which passkeys.js fills in."""

    password = current_password_field(_("Password"))
    passkey = HiddenField()


NEVER = "never"
LIFETIME_NAMES = {30: _("30 days"), 90: _("90 days"), 365: _("1 year")}
SCOPE_NAMES = {
    "read": _("Read everything"),
    "write": _("Change everything"),
    "notes:read": _("Read notes"),
    "notes:write": _("Change notes"),
    "todos:read": _("Read todos"),
    "todos:write": _("Change todos"),
    "wordcounts:read": _("Read word counts"),
    "wordcounts:write": _("Start word counts"),
    "profile:read": _("Read the profile"),
    "profile:write": _("Change the profile and photo"),
    "export:read": _("Export everything"),
}


class AccessTokenForm(FlaskForm):
    name = StringField(
        _("Name"),
        filters=[normalize, strip],
        validators=[InputRequired(_("Please give it a name.")), at_most(50), no_control_characters, one_line],
        render_kw={"maxlength": 50, "autocomplete": "off"},
    )
    scopes = SelectMultipleField(
        _("What it may do"),
        choices=lambda: [(scope, SCOPE_NAMES[scope]) for scope in SCOPES],
        validators=[InputRequired(_("Choose what it may do."))],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    expiry = SelectField(
        _("Expires after"),
        choices=lambda: [*((str(days), LIFETIME_NAMES[days]) for days in LIFETIMES), (NEVER, _("Never"))],
        default=str(LIFETIMES[1]),
        validate_choice=False,
    )

    def validate_name(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(_("Please give it a name."))

    def validate_scopes(self, field: Field) -> None:
        if not set(field.data) <= set(SCOPES):
            raise ValidationError(_("Choose what it may do."))

    def validate_expiry(self, field: Field) -> None:
        if field.data not in (NEVER, *map(str, LIFETIMES)):
            raise ValidationError(_("Please choose one from the list."))

    @property
    def days(self) -> int | None:
        """Once the form is valid; None: it never expires."""
        return None if self.expiry.data == NEVER else int(self.expiry.data)
