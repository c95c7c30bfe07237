"""Recovery codes: ten single-use codes that stand in for a passkey in the second step of sign-in.

A code has 50 random bits in Crockford's Base32, which has neither I, L, O nor U, and reads what looks like a digit as
that digit. They are few enough to be tried against a stolen table, so they are hashed like passwords.
"""

import secrets
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from app.accounts import hashing
from app.extensions import db
from app.passkeys.models import RecoveryCode

COUNT = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # 5 bits a letter
HALF = 5  # letters on each side of the hyphen
READ_AS = str.maketrans("oil", "011", " -")

_UNUSED = (
    select(RecoveryCode.id, RecoveryCode.code_hash)
    .where(RecoveryCode.user_id == bindparam("user_id"), RecoveryCode.used_at.is_(None))
    .order_by(RecoveryCode.id)
)
_USE = (
    update(RecoveryCode)
    .where(RecoveryCode.id == bindparam("code_id"), RecoveryCode.used_at.is_(None))
    .values(used_at=func.now())
    .returning(RecoveryCode.id)
)
# Counts the codes that are left, as a part of another statement. Its parameter: `user_id`.
LEFT = (
    select(func.count())
    .select_from(RecoveryCode)
    .where(RecoveryCode.user_id == bindparam("user_id"), RecoveryCode.used_at.is_(None))
    .scalar_subquery()
)


def draw() -> list[str]:
    """New codes as the reader sees them, such as "7k2mq-x0r9d"."""
    halves = [["".join(secrets.choice(ALPHABET) for _ in range(HALF)) for _ in "ab"] for _ in range(COUNT)]
    return ["-".join(pair) for pair in halves]


def hashes(codes: Sequence[str]) -> list[str]:
    """A quarter of a second of work, so do it before a row is locked."""
    return [hashing.hash_password(normalized(code)) for code in codes]


def replace(user_id: int, code_hashes: Sequence[str]) -> None:
    """Replace the earlier codes by these; none to have no codes at all. The caller commits."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if code_hashes:
        db.session.execute(insert(RecoveryCode), [{"user_id": user_id, "code_hash": one} for one in code_hashes])


def find(user_id: int, code: str) -> int | None:
    """The id of the unused code of this user that was typed; None when there is none."""
    typed = normalized(code)
    rows = db.session.execute(_UNUSED, {"user_id": user_id}).all()
    return next((row.id for row in rows if hashing.matches(typed, row.code_hash)), None)


def use(code_id: int) -> bool:
    """Use a code up; whether this was the first use. Of many at once exactly one is. The caller commits."""
    return db.session.scalar(_USE, {"code_id": code_id}) is not None


def normalized(code: str) -> str:
    return code.lower().translate(READ_AS)
