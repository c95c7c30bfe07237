"""Single-use tokens: the secret of a link in a mail, which shows that its holder reads the mail of an address.

The row holds the token's hash. It is written in two steps. A request reserves the row and defers a job, in one
transaction. The job draws the token when it writes the mail. So no secret waits in the queue, and none is in a log.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from app.accounts.models import AccountToken, User
from app.accounts.service import AccountGone, lock_user, owner_required
from app.accounts.sessions import hash_token
from app.extensions import db

LIFETIME = timedelta(minutes=30)  # from the moment at which the mail is written
RESERVED_FOR = timedelta(days=1)  # until the mail is written; its job gives up after a day, too

# Purposes. A link that confirms the old address must not move the account back to it, so it has its own purpose.
RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose
CONFIRM_EMAIL = "confirm_email"
CHANGE_EMAIL = "change_email"


class TokenExpired(Exception):
    """There is no such token: it was used, it has expired, or nobody ever drew it."""


class Claim(NamedTuple):
    """The claim of a token: its holder reads the mail of `email`, and asked for this on behalf of the user."""

    user_id: int
    email: str


_VALID = (
    AccountToken.token_hash == bindparam("token_hash"),
    AccountToken.purpose == bindparam("purpose"),
    AccountToken.expires_at > func.now(),
)
_CLAIM = select(AccountToken.user_id, AccountToken.email).where(*_VALID)
_USE = delete(AccountToken).where(*_VALID).returning(AccountToken.email)


def reserve(user_id: int, purpose: str, email: str) -> int:
    """Return the id of a token that is yet to be drawn. The caller commits. Raises: AccountGone."""
    row = {"user_id": user_id, "purpose": purpose, "email": email, "expires_at": func.now() + RESERVED_FOR}
    with owner_required():
        return db.session.execute(insert(AccountToken).values(row).returning(AccountToken.id)).scalar_one()


def draw(token_id: int) -> tuple[str, Claim]:
    """Return a new token for a reserved row, 256 random bits, and what it says. One that was drawn before is void.

    Raises:
        TokenExpired: the row is gone. The account was deleted, or another token was used meanwhile.
    """
    token = secrets.token_urlsafe(32)
    row = db.session.execute(
        update(AccountToken)
        .where(AccountToken.id == token_id)
        .values(token_hash=hash_token(token), expires_at=func.now() + LIFETIME)
        .returning(AccountToken.user_id, AccountToken.email)
    ).one_or_none()
    db.session.commit()
    if row is None:
        raise TokenExpired
    return token, Claim(*row)


def read(token: str, purpose: str) -> Claim:
    """Return what a token says, without using it: for the page behind the link. Raises: TokenExpired."""
    row = db.session.execute(_CLAIM, {"token_hash": hash_token(token), "purpose": purpose}).one_or_none()
    if row is None:
        raise TokenExpired
    return Claim(*row)


def use(token: str, purpose: str) -> tuple[User, str]:
    """Use a token up, and every other token of its user. Of concurrent requests exactly one gets its claim.

    The user's row is locked first, as by every other change of an account, so that two of them never wait for each
    other. The caller commits. If it rolls back instead, the token can be used again.

    Returns:
        The user, and the address whose mail the holder of the token reads.

    Raises:
        TokenExpired: nothing was changed.
    """
    try:
        user = lock_user(read(token, purpose).user_id)
    except AccountGone:
        raise TokenExpired from None
    email = db.session.scalar(_USE, {"token_hash": hash_token(token), "purpose": purpose})
    if email is None:
        db.session.rollback()
        raise TokenExpired
    void_all(user.id)
    return user, email


def void_all(user_id: int) -> None:
    """Make every link that was sent to the user worthless. The caller commits."""
    db.session.execute(delete(AccountToken).where(AccountToken.user_id == user_id))
