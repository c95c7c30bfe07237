"""What a reader is told when a passkey or a recovery code is refused: what happened, and what to do."""

from flask_babel import lazy_gettext as _

from app.passkeys.authentication import PasskeyCopied
from app.passkeys.ceremonies import PasskeyRefused
from app.passkeys.challenges import ChallengeExpired
from app.passkeys.service import LastPasskey, NoPasskey, PasskeyTaken, TooManyPasskeys
from app.passkeys.two_step import NotTurnedOn, WrongRecoveryCode

SENTENCES = {
    ChallengeExpired: _("That took too long, or it was sent twice. Please try again."),
    PasskeyRefused: _("This passkey is not accepted here. Please try another way."),
    PasskeyCopied: _("This passkey seems to be a copy, so it is not accepted. Use another one, and remove this one."),
    PasskeyTaken: _("This passkey is in use already. Please make a new one."),
    TooManyPasskeys: _("You have as many passkeys as fit. Please remove one first."),
    NoPasskey: _("Please add a passkey first."),
    LastPasskey: _("This is your last passkey, and sign-in asks for one. Turn the second step off first."),
    NotTurnedOn: _("Recovery codes are for the second step. Please turn it on first."),
    WrongRecoveryCode: _("This is none of your unused recovery codes. Please check it, or use another one."),
}


def sentence_of(error: Exception) -> str:
    return str(SENTENCES[type(error)])
