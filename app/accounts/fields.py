"""The fields that the forms of accounts share, and their rules: address, nickname, password."""

from collections.abc import Callable

from email_validator import EmailNotValidError, validate_email
from flask_babel import lazy_gettext as _
from flask_login import current_user
from wtforms import Field, Form, PasswordField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from app.accounts import nicknames
from app.accounts.password_policy import MAX_LENGTH, MIN_LENGTH, Weakness, weakness
from app.mail.message import ENCODED_WORD
from app.web.fields import at_most, normalize, strip

EMAIL_MAX_LENGTH = 120
NOT_AN_ADDRESS = _("Please enter a full email address, like name@example.com.")

WEAKNESSES = {
    Weakness.COMMON: _("Many people use this password, so it's easy to guess. Try a sentence of your own."),
    Weakness.REPEATED: _("This repeats the same letters, so it's easy to guess. Try a sentence of your own."),
    Weakness.SEQUENCE: _("These are letters or keys in a row, so it's easy to guess. Try a sentence of your own."),
    Weakness.NUMBER: _("This looks like a phone number or a date, so it's easy to guess. Try a sentence of your own."),
    Weakness.NAME: _("Others know this name, so it's easy to guess. Try a sentence of your own."),
}


def email_address(form: Form, field: Field) -> None:
    """Checks the address's syntax only, not whether it receives mail."""
    try:
        address = validate_email(field.data, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValidationError(NOT_AN_ADDRESS) from error
    if len(address) > EMAIL_MAX_LENGTH:
        raise ValidationError(_("Please use an address of at most %(max)d characters.", max=EMAIL_MAX_LENGTH))
    field.data = address


def can_be_written_to(form: Form, field: Field) -> None:
    """No letter is sent to an address that a header would decode (app/mail/message.py). Signing in sends none."""
    if ENCODED_WORD.search(field.data):
        raise ValidationError(NOT_AN_ADDRESS)


def nickname_rules(form: Form, field: Field) -> None:
    if nicknames.has_invisible_characters(field.data):
        raise ValidationError(_("Please use visible characters."))
    if len(nicknames.key(field.data)) > nicknames.MAX_LENGTH:
        raise ValidationError(_("Please use at most %(max)s characters.", max=nicknames.MAX_LENGTH))
    if not nicknames.key(field.data).strip():
        raise ValidationError(_("Please choose a nickname."))
    if nicknames.mixes_scripts(field.data):
        raise ValidationError(_("Please don't mix letters of different alphabets."))


def new_password_rules(form: Form, field: Field) -> None:
    if "\x00" in field.data:
        raise ValidationError(_("This password contains an invisible control character. Type it again."))
    typed = [other.data for other in form if other.name in ("email", "nickname") and other.data]
    account = [current_user.email, current_user.nickname] if current_user.is_authenticated else []
    account += getattr(form, "names", [])  # of a form behind a link, where nobody is signed in
    has_allowed_length = MIN_LENGTH <= len(field.data) <= MAX_LENGTH
    if has_allowed_length and (found := weakness(field.data, typed + account)):
        raise ValidationError(WEAKNESSES[found])


def nickname_field() -> StringField:
    return StringField(
        _("Nickname"),
        filters=[normalize, strip],
        validators=[
            InputRequired(_("Please choose a nickname.")),
            at_most(nicknames.MAX_LENGTH),
            nickname_rules,
        ],
        render_kw={"autocomplete": "nickname", "maxlength": nicknames.MAX_LENGTH},
    )


def new_password_field(label: str) -> PasswordField:
    return PasswordField(
        label,
        filters=[normalize],
        validators=[
            InputRequired(_("Please choose a password.")),
            Length(MIN_LENGTH, MAX_LENGTH, _("Please use %(min)d to %(max)d characters.")),
            new_password_rules,
        ],
        render_kw={"autocomplete": "new-password", "minlength": MIN_LENGTH},
    )


def current_password_field(label: str) -> PasswordField:
    """An existing password. It may be shorter than today's minimum; only the hash decides."""
    return PasswordField(
        label,
        filters=[normalize],
        validators=[
            InputRequired(_("Please enter your password.")),
            at_most(MAX_LENGTH),
        ],
        render_kw={"autocomplete": "current-password"},
    )


def email_field(autocomplete: str) -> StringField:
    """The address of an account, to sign in with."""
    return _address_field(autocomplete, _("Email"), [email_address])


def mailbox_field(autocomplete: str, label: str = _("Email")) -> StringField:
    """An address that letters are sent to."""
    return _address_field(autocomplete, label, [email_address, can_be_written_to])


def _address_field(autocomplete: str, label: str, rules: list[Callable[[Form, Field], None]]) -> StringField:
    return StringField(
        label,
        filters=[normalize, strip],
        validators=[InputRequired(_("Please enter your email address.")), *rules],
        render_kw={"type": "email", "autocomplete": autocomplete},
    )
