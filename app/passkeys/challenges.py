"""Challenges: 32 random bytes that a browser is to sign, single use, for five minutes (WebAuthn, section 13.4.3).

A challenge is a row, so that the first answer can delete it: a cookie alone could be sent twice (replay). The row's id
is in the browser's signed session cookie, so that it serves this browser alone.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert

from app.accounts.errors import owner_required
from app.extensions import db
from app.passkeys.models import Challenge
from app.soft_delete import purge

LIFETIME = timedelta(minutes=5)
LENGTH = 32  # bytes

# Purposes. An answer that was given to confirm something must not sign in another browser, so each has its own.
REGISTER = "register"
SIGN_IN = "sign_in"
SECOND_STEP = "second_step"
CONFIRM = "confirm"


def cookie_key(purpose: str) -> str:
    """Return where the session cookie keeps the row's id. Each purpose has its own: a passkey may confirm that another
    one is added.
    """
    return f"challenge_{purpose}"


class ChallengeExpired(Exception):
    """This browser was given no such challenge, it was answered already, or it took too long."""


class Drawn(NamedTuple):
    """
    Args:
        user_handle: of the passkey that is to be made; None for any other purpose.
    """

    id: int
    value: bytes
    user_handle: bytes | None


_USE = (
    delete(Challenge)
    .where(
        Challenge.id == bindparam("challenge_id"),
        Challenge.purpose == bindparam("purpose"),
        Challenge.user_id.is_not_distinct_from(bindparam("user_id")),
        Challenge.expires_at > func.now(),
    )
    .returning(Challenge.challenge, Challenge.user_handle)
)


def draw(purpose: str, user_id: int | None = None, user_handle: bytes | None = None) -> Drawn:
    """A new challenge, committed.

    Args:
        user_id: who is to answer; None where that is what the answer tells.

    Raises: AccountGone.
    """
    value = secrets.token_bytes(LENGTH)
    row = {
        "challenge": value,
        "purpose": purpose,
        "user_id": user_id,
        "user_handle": user_handle,
        "expires_at": func.now() + LIFETIME,
    }
    with owner_required():
        challenge_id = db.session.execute(insert(Challenge).values(row).returning(Challenge.id)).scalar_one()
    db.session.commit()
    return Drawn(challenge_id, value, user_handle)


def use(challenge_id: int | None, purpose: str, user_id: int | None = None) -> Drawn:
    """Use a challenge up, whatever its answer is worth. Of many that try at once, exactly one gets it.

    Args:
        challenge_id: as the browser's signed cookie has it; None when it has none.

    Raises:
        ChallengeExpired
    """
    parameters = {"challenge_id": challenge_id, "purpose": purpose, "user_id": user_id}
    row = db.session.execute(_USE, parameters).one_or_none()
    db.session.commit()
    if row is None or challenge_id is None:
        raise ChallengeExpired
    return Drawn(challenge_id, row.challenge, row.user_handle)


def purge_expired_challenges() -> int:
    """Delete the expired challenges of all users. Returns how many there were."""
    return purge(Challenge, Challenge.expires_at <= func.now())
