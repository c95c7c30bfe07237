"""Optional two-step sign-in: a passkey after the password, or in its place one of ten single-use recovery codes.

A code has 50 random bits in Crockford's Base32, which has neither I, L, O nor U, and reads what looks like a digit as
that digit. They are few enough to be tried against a stolen table, so they are hashed like passwords.
"""

import secrets
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select, update

from app.accounts import events, hashing, tokens
from app.accounts.models import EventKind, User
from app.accounts.service import lock_user
from app.extensions import db
from app.passkeys.models import Passkey, RecoveryCode
from app.passkeys.service import NoPasskey

CODES = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # 5 bits a letter
HALF = 5  # letters on each side of the hyphen
READ_AS = str.maketrans("oil", "011", " -")


class WrongRecoveryCode(Exception):
    """There is no such code, or it was used. The second step can be tried again."""


class NotTurnedOn(Exception):
    """Without the second step there is nothing that a recovery code would stand in for."""


def turn_on(user_id: int, client: events.Client) -> list[str]:
    """Have sign-in ask for a passkey after the password. Return new recovery codes. Raises: NoPasskey, AccountGone."""
    codes, hashes = draw_codes()
    user = lock_user(user_id)
    if not db.session.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)):
        db.session.rollback()
        raise NoPasskey
    user.passkey_after_password = True
    _replace_codes(user_id, hashes)
    events.record(user_id, EventKind.SECOND_STEP_ON, client)
    db.session.commit()
    return codes


def turn_off(user_id: int, client: events.Client) -> None:
    """Let the password be enough again, and void the recovery codes. Raises: AccountGone."""
    lock_user(user_id).passkey_after_password = False
    _replace_codes(user_id, [])
    events.record(user_id, EventKind.SECOND_STEP_OFF, client)
    db.session.commit()


def new_codes(user_id: int, client: events.Client) -> list[str]:
    """Return new recovery codes; earlier ones no longer work. Raises: NotTurnedOn, AccountGone. Nothing was changed."""
    codes, hashes = draw_codes()
    if not lock_user(user_id).passkey_after_password:
        db.session.rollback()
        raise NotTurnedOn
    _replace_codes(user_id, hashes)
    events.record(user_id, EventKind.RECOVERY_CODES_MADE, client)
    db.session.commit()
    return codes


def draw_codes() -> tuple[list[str], list[str]]:
    """Return new codes, such as "7k2mq-x0r9d", and their hashes. It takes 0.25 s, so call it before a row is locked."""
    halves = [["".join(secrets.choice(ALPHABET) for _ in range(HALF)) for _ in "ab"] for _ in range(CODES)]
    codes = ["-".join(pair) for pair in halves]
    return codes, [hashing.hash_password(normalized(code)) for code in codes]


def _replace_codes(user_id: int, code_hashes: Sequence[str]) -> None:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if code_hashes:
        db.session.execute(insert(RecoveryCode), [{"user_id": user_id, "code_hash": one} for one in code_hashes])


def normalized(code: str) -> str:
    return code.lower().translate(READ_AS)


def sign_in_with_code(token: str, code: str, client: events.Client) -> tuple[User, bool]:
    """Use a recovery code and the second step up, or neither. Raises: SecondStepExpired, WrongRecoveryCode."""
    typed, is_unused = normalized(code), RecoveryCode.used_at.is_(None)
    user, remember = tokens.read_second_step(token)
    own = select(RecoveryCode).where(RecoveryCode.user_id == user.id, is_unused)
    unused = db.session.scalars(own.order_by(RecoveryCode.id)).all()
    code_id = next((each.id for each in unused if hashing.matches(typed, each.code_hash)), None)
    if code_id is None:
        raise WrongRecoveryCode
    tokens.take_second_step(token)
    used = update(RecoveryCode).where(RecoveryCode.id == code_id, is_unused).values(used_at=func.now())
    if db.session.scalar(used.returning(RecoveryCode.id)) is None:  # a concurrent request was faster
        db.session.rollback()
        raise WrongRecoveryCode
    events.record(user.id, EventKind.RECOVERY_CODE_USED, client)
    db.session.commit()
    return user, remember


def sign_in_with_passkey(token: str) -> tuple[User, bool]:
    """Take the second step after a passkey of the same account has answered. Raises: SecondStepExpired."""
    taken = tokens.take_second_step(token)
    db.session.commit()
    return taken
