"""What a reader is told when a passkey or a recovery code is refused: what happened, and what to do."""

from flask_babel import lazy_gettext as _

from app.passkeys.authentication import PasskeyCopied
from app.passkeys.ceremonies import PasskeyRefused
from app.passkeys.challenges import ChallengeExpired
from app.passkeys.service import LastPasskey, NoPasskey, PasskeyTaken, TooManyPasskeys
from app.passkeys.two_step import NotTurnedOn, WrongRecoveryCode

SENTENCES = {
    ChallengeExpired: _("That took too long, or it was sent twice. Try again."),
    PasskeyRefused: _("This passkey doesn't work here. Try another way."),
    PasskeyCopied: _("This passkey looks like a copy, so we don't accept it. Use another one, and remove this one."),
    PasskeyTaken: _("This passkey is already in use. Create a new one."),
    TooManyPasskeys: _("You've reached the limit for passkeys. Remove one first."),
    NoPasskey: _("Add a passkey first."),
    LastPasskey: _("This is your last passkey, and two-step sign-in needs one. Turn off two-step sign-in first."),
    NotTurnedOn: _("Recovery codes are for two-step sign-in. Turn it on first."),
    WrongRecoveryCode: _("This isn't one of your unused recovery codes. Check it, or use another one."),
}


def sentence_of(error: Exception) -> str:
    return str(SENTENCES[type(error)])
