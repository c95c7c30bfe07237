"""The forms of passkeys, and the sentences of what is refused. passkeys.js fills the browser's answers in."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length

from app.accounts.forms import name_field
from app.passkeys import service, two_step
from app.passkeys.service import MAX_ANSWER, PasskeyCopied, PasskeyRefused
from app.web.fields import at_most, no_control_characters, normalize, strip

CODE_LENGTH = 40  # what is typed, with spaces and hyphens

SENTENCES = {
    service.ChallengeExpired: _("That took too long, or it was sent twice. Try again."),
    PasskeyRefused: _("This passkey doesn't work here. Try another way."),
    PasskeyCopied: _("This passkey looks like a copy, so we don't accept it. Use another one, and remove this one."),
    service.PasskeyTaken: _("This passkey is already in use. Create a new one."),
    service.TooManyPasskeys: _("You've reached the limit for passkeys. Remove one first."),
    service.NoPasskey: _("Add a passkey first."),
    service.LastPasskey: _(
        "This is your last passkey, and two-step sign-in needs one. Turn off two-step sign-in first."
    ),
    two_step.NotTurnedOn: _("Recovery codes are for two-step sign-in. Turn it on first."),
    two_step.WrongRecoveryCode: _("This isn't one of your unused recovery codes. Check it, or use another one."),
}


def sentence_of(error: Exception) -> str:
    """Tell the reader what happened, and what to do."""
    return str(SENTENCES[type(error)])


def answer_field() -> HiddenField:
    required = _("Your browser sent no passkey. Passkeys need JavaScript and a browser that supports them.")
    too_long = _("Your browser sent too much. Try again.")
    return HiddenField(validators=[InputRequired(required), Length(max=MAX_ANSWER, message=too_long)])


class NameForm(FlaskForm):
    name = name_field()


class PasskeyForm(NameForm):
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
