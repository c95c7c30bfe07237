"""The forms of accounts and their rules: address, nickname, password, settings, access tokens."""

from email_validator import EmailNotValidError, validate_email
from flask import current_app
from flask_babel import lazy_gettext as _
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, Form, HiddenField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app import time_zones
from app.accounts import nicknames
from app.accounts.models import NAME_LENGTH
from app.accounts.password_policy import MAX_LENGTH, MIN_LENGTH, Weakness, weakness
from app.mail.message import ENCODED_WORD
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip
from app.web.locale import LANGUAGES

EMAIL_MAX_LENGTH = 120
NOT_AN_ADDRESS = _("Please enter a full email address, like name@example.com.")
NICKNAME_TAKEN = _("This nickname is taken. Choose another one.")
NOT_ON_THE_LIST = _("Please choose one from the list.")

WEAKNESSES = {
    Weakness.COMMON: _("Many people use this password, so it's easy to guess. Try a sentence of your own."),
    Weakness.REPEATED: _("This repeats the same letters, so it's easy to guess. Try a sentence of your own."),
    Weakness.SEQUENCE: _("These are letters or keys in a row, so it's easy to guess. Try a sentence of your own."),
    Weakness.NUMBER: _("This looks like a phone number or a date, so it's easy to guess. Try a sentence of your own."),
    Weakness.NAME: _("Others know this name, so it's easy to guess. Try a sentence of your own."),
}


def email_address(form: Form, field: Field) -> None:
    """Check the syntax of the address, and not that it receives mail."""
    try:
        address = validate_email(field.data, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValidationError(NOT_AN_ADDRESS) from error
    if len(address) > EMAIL_MAX_LENGTH:
        raise ValidationError(_("Please use an address of at most %(max)d characters.", max=EMAIL_MAX_LENGTH))
    field.data = address


def can_be_written_to(form: Form, field: Field) -> None:
    """Refuse an address that a header would decode (app/mail/message.py). Signing in sends no letter."""
    if ENCODED_WORD.search(field.data):
        raise ValidationError(NOT_AN_ADDRESS)


def nickname_rules(form: Form, field: Field) -> None:
    if nicknames.has_invisible_characters(field.data):
        raise ValidationError(_("Please use visible characters."))
    if len(nicknames.key(field.data)) > nicknames.MAX_LENGTH:
        raise ValidationError(_("Please use at most %(max)s characters.", max=nicknames.MAX_LENGTH))
    if not nicknames.key(field.data):
        raise ValidationError(_("Please choose a nickname."))
    if nicknames.mixes_scripts(field.data):
        raise ValidationError(_("Please don't mix letters of different alphabets."))


def new_password_rules(form: Form, field: Field) -> None:
    if "\x00" in field.data:
        raise ValidationError(_("This password contains an invisible control character. Type it again."))
    typed = [other.data for other in form if other.name in ("email", "nickname") and other.data]
    account = [current_user.email, current_user.nickname] if current_user.is_authenticated else []
    account += getattr(form, "names", [])  # of a FormBehindLink
    has_allowed_length = MIN_LENGTH <= len(field.data) <= MAX_LENGTH
    if has_allowed_length and (found := weakness(field.data, typed + account)):
        raise ValidationError(WEAKNESSES[found])


def nickname_field() -> StringField:
    return StringField(
        _("Nickname"),
        filters=[normalize, strip],
        validators=[InputRequired(_("Please choose a nickname.")), at_most(nicknames.MAX_LENGTH), nickname_rules],
        render_kw={"autocomplete": "nickname", "maxlength": nicknames.MAX_LENGTH},
    )


def new_password_field(label: str) -> PasswordField:
    length = Length(MIN_LENGTH, MAX_LENGTH, _("Please use a password of %(min)d to %(max)d characters."))
    return PasswordField(
        label,
        filters=[normalize],
        validators=[InputRequired(_("Please choose a password.")), length, new_password_rules],
        render_kw={"autocomplete": "new-password", "minlength": MIN_LENGTH},
    )


def current_password_field(label: str) -> PasswordField:
    """Return the field of an existing password. It may be shorter than today's minimum; only the hash decides."""
    return PasswordField(
        label,
        filters=[normalize],
        validators=[InputRequired(_("Please enter your password.")), at_most(MAX_LENGTH)],
        render_kw={"autocomplete": "current-password"},
    )


def email_field(autocomplete: str, label: str = _("Email"), *, gets_mail: bool = True) -> StringField:
    """Return the field of an address. One that only signs in gets no mail."""
    rules = [email_address, can_be_written_to] if gets_mail else [email_address]
    return StringField(
        label,
        filters=[normalize, strip],
        validators=[InputRequired(_("Please enter your email address.")), *rules],
        render_kw={"type": "email", "autocomplete": autocomplete},
    )


class AddressForm(FlaskForm):
    """Ask for the address alone, where mail can be sent."""

    email = email_field("email")


class SignUpForm(AddressForm):
    nickname = nickname_field()
    password = new_password_field(_("Password"))


class FormBehindLink(FlaskForm):
    """A form behind a link in a mail, where nobody is signed in. The password must not be the account's `email`."""

    def __init__(self, email: str) -> None:
        super().__init__()
        self.names = [email]


class NewAccountForm(FormBehindLink):
    nickname = nickname_field()
    password = new_password_field(_("Password"))


class SignInForm(FlaskForm):
    email = email_field("username", gets_mail=False)
    password = current_password_field(_("Password"))
    remember = BooleanField(_("Keep me signed in on this device"))


class NicknameForm(FlaskForm):
    nickname = nickname_field()


class ForgottenPasswordForm(AddressForm):
    email = email_field("username")


class NewPasswordForm(FormBehindLink):
    new_password = new_password_field(_("New password"))


class EmailForm(FlaskForm):
    new_email = email_field("email", _("New email address"))
    password_for_email = current_password_field(_("Password"))


class PasswordForm(FlaskForm):
    current_password = current_password_field(_("Current password"))
    new_password = new_password_field(_("New password"))


class SettingsForm(FlaskForm):
    """An empty value: as each browser asks."""

    language = SelectField(
        _("Language"),
        choices=lambda: [("", _("Same as browser")), *((key, name, {"lang": key}) for key, name in LANGUAGES.items())],
        validate_choice=False,
        validators=[AnyOf(("", *LANGUAGES), NOT_ON_THE_LIST)],
    )
    time_zone = StringField(_("Time zone"), filters=[lambda name: name and time_zones.resolved(name)])

    def validate_time_zone(self, field: Field) -> None:
        if field.data != "" and field.data not in time_zones.names():
            raise ValidationError(NOT_ON_THE_LIST)


class DeletionForm(FlaskForm):
    password = current_password_field(_("Password"))


class ConfirmForm(FlaskForm):
    """Shows who is there, by the password or by a passkey, which passkeys.js fills in."""

    password = current_password_field(_("Password"))
    passkey = HiddenField()


NEVER = "never"
LIFETIMES = {"30": _("30 days"), "90": _("90 days"), "365": _("1 year"), NEVER: _("Never")}


def name_field() -> StringField:
    """Return the field of what its owner calls an access token or a passkey."""
    return StringField(
        _("Name"),
        filters=[normalize, strip],
        validators=[DataRequired(_("Please give it a name.")), at_most(NAME_LENGTH), no_control_characters, one_line],
        render_kw={"maxlength": NAME_LENGTH, "autocomplete": "off"},
    )


class AccessTokenForm(FlaskForm):
    name = name_field()
    scopes = SelectMultipleField(
        _("Permissions"),
        choices=lambda: list(current_app.extensions["scopes"].items()),  # those of app/features.py
        validators=[InputRequired(_("Choose at least one permission."))],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    expiry = SelectField(
        _("Expires after"),
        choices=lambda: list(LIFETIMES.items()),
        default="90",
        validate_choice=False,
        validators=[AnyOf(LIFETIMES, NOT_ON_THE_LIST)],
    )

    def validate_scopes(self, field: Field) -> None:
        if not set(field.data) <= current_app.extensions["scopes"].keys():
            raise ValidationError(_("Choose at least one permission."))

    @property
    def days(self) -> int | None:
        """Return the lifetime that was chosen, once the form is valid; None: it never expires."""
        return None if self.expiry.data == NEVER else int(self.expiry.data)
