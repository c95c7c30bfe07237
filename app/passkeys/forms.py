"""The forms of passkeys. What a browser answers is in a hidden field, which passkeys.js fills in."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from app.passkeys.ceremonies import MAX_ANSWER
from app.passkeys.models import NAME_LENGTH
from app.web.fields import at_most, no_control_characters, normalize, one_line, strip

CODE_LENGTH = 40  # what is typed, with spaces and hyphens


def answer_field() -> HiddenField:
    return HiddenField(
        validators=[
            InputRequired(
                _("Your browser sent no passkey. Passkeys need JavaScript and a browser that supports them.")
            ),
            Length(max=MAX_ANSWER, message=_("Your browser sent too much. Try again.")),
        ]
    )


def name_field() -> StringField:
    return StringField(
        _("Name"),
        filters=[normalize, strip],
        validators=[
            DataRequired(_("Please give it a name.")),
            at_most(NAME_LENGTH),
            no_control_characters,
            one_line,
        ],
        render_kw={"maxlength": NAME_LENGTH, "autocomplete": "off"},
    )


class NameForm(FlaskForm):
    name = name_field()


class PasskeyForm(FlaskForm):
    name = name_field()
    credential = answer_field()


class AnswerForm(FlaskForm):
    credential = answer_field()
    remember = BooleanField()


class RecoveryCodeForm(FlaskForm):
    code = StringField(
        _("Recovery code"),
        filters=[normalize, strip],
        validators=[InputRequired(_("Please enter a recovery code.")), at_most(CODE_LENGTH), no_control_characters],
        # On its own a browser would offer to keep it.
        render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"},
    )
