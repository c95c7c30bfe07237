"""Authentication by a passkey: who has answered a challenge.

A passkey whose account was deleted is as unknown as one that never was. The counter that some passkeys have shows
copies (WebAuthn, section 6.1.1): it is compared after the signature, by the statement that stores it.
"""

from typing import Any

from sqlalchemy import bindparam, func, select, update

from app.accounts.models import User
from app.extensions import db
from app.passkeys import ceremonies, challenges
from app.passkeys.ceremonies import PasskeyRefused, RelyingParty
from app.passkeys.models import Passkey
from app.passkeys.options import Known, authentication_options
from app.passkeys.service import KNOWN


class PasskeyCopied(PasskeyRefused):
    """The passkey's counter went backwards: there seems to be a copy (WebAuthn, section 6.1.1)."""


_BY_CREDENTIAL = select(Passkey).where(Passkey.credential_id == bindparam("credential_id"))
# A passkey that counts has to have counted on. Compared where it is stored, so that no two answers pass together.
_COUNT_ON = (
    update(Passkey)
    .where(
        Passkey.id == bindparam("passkey_id"),
        (Passkey.sign_count < bindparam("count")) | ((Passkey.sign_count == 0) & (bindparam("count") == 0)),
    )
    .values(sign_count=bindparam("count"), backed_up=bindparam("is_backed_up"), last_used_at=func.now())
    .returning(Passkey.id)
)


def ask_to_sign_in(party: RelyingParty, purpose: str, user_id: int | None = None) -> tuple[int, dict[str, Any]]:
    """The id of a new challenge, and what the browser is asked.

    Args:
        purpose: one of challenges.py.
        user_id: whose passkeys may answer; None: anybody's, and the answer says whose it is.

    Raises: AccountGone.
    """
    drawn = challenges.draw(purpose, user_id)
    rows = db.session.execute(KNOWN, {"user_id": user_id}).all() if user_id else []
    known = [Known(row.credential_id, row.transports) for row in rows]
    return drawn.id, authentication_options(party, drawn.value, known)


def authenticate(
    party: RelyingParty, challenge_id: int | None, purpose: str, answer: str, user_id: int | None = None
) -> User:
    """Whose passkey has answered the challenge. Raises: ChallengeExpired, PasskeyRefused, PasskeyCopied."""
    drawn = challenges.use(challenge_id, purpose, user_id)
    credential = ceremonies.parse_authentication(answer)
    passkey = db.session.scalar(_BY_CREDENTIAL, {"credential_id": credential.raw_id})
    if passkey is None or user_id not in (None, passkey.user_id):
        raise PasskeyRefused("unknown")
    handle = credential.response.user_handle
    is_left_out = not handle and user_id is not None  # as a device may that was asked for this passkey
    if handle != passkey.user_handle and not is_left_out:
        raise PasskeyRefused("user handle")
    verified = ceremonies.verify_authentication(party, drawn.value, credential, passkey.public_key)
    counted = {"passkey_id": passkey.id, "count": verified.sign_count, "is_backed_up": verified.backed_up}
    if db.session.scalar(_COUNT_ON, counted) is None:
        db.session.rollback()
        raise PasskeyCopied(f"account={passkey.user_id} passkey={passkey.id}")
    user = db.session.get(User, passkey.user_id)
    db.session.commit()
    if user is None:
        raise PasskeyRefused("unknown")
    return user
