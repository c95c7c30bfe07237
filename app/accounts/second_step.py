"""Two-step sign-in (multi-factor authentication): what is kept between the right password and the second step.

Nobody is signed in meanwhile. A row of five minutes says whose password was right; the browser's signed cookie holds a
random token, the row its hash. It is bound to the password that was checked: a new one voids it. So does its use: of
concurrent requests exactly one gets in.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select

from app.accounts.events import NOBODY
from app.accounts.models import PendingSignIn, User
from app.accounts.service import AccountGone, lock_user, owner_required
from app.accounts.sessions import hash_token
from app.extensions import db

LIFETIME = timedelta(minutes=5)


class SecondStepExpired(Exception):
    """The password has to be typed again: it took too long, the step was taken, or the password was changed."""


class Pending(NamedTuple):
    """A right password whose second step is awaited. `remember`: the browser is to stay signed in."""

    user: User
    remember: bool


_VALID = (PendingSignIn.token_hash == bindparam("token_hash"), PendingSignIn.expires_at > func.now())
_READ = (
    select(User, PendingSignIn.remember, PendingSignIn.password_mark)
    .join(User, User.id == PendingSignIn.user_id)
    .where(*_VALID)
)
_OWNER = select(PendingSignIn.user_id).where(*_VALID)
_USE = delete(PendingSignIn).where(*_VALID).returning(PendingSignIn.remember, PendingSignIn.password_mark)


def start(user: User, *, remember: bool) -> str:
    """Note that the password of `user` was right. Return the token for the browser's cookie. Raises: AccountGone."""
    token = secrets.token_urlsafe(32)
    row = {
        "token_hash": hash_token(token),
        "user_id": user.id,
        "password_mark": hash_token(user.password_hash),
        "remember": remember,
        "expires_at": func.now() + LIFETIME,
    }
    with owner_required():
        db.session.execute(insert(PendingSignIn).values(row))
    db.session.commit()
    return token


def read(token: str) -> Pending:
    """Return who is to take the second step. Raises: SecondStepExpired."""
    row = db.session.execute(_READ, {"token_hash": hash_token(token)}).one_or_none()
    if row is None or row.password_mark != hash_token(row.User.password_hash):
        raise SecondStepExpired
    return Pending(row.User, row.remember)


def use(token: str) -> Pending:
    """Do as `read`, and use the row up. The caller commits.

    The user's row is locked first, as by every other change of an account, so that two of them never wait for each
    other.

    Raises:
        SecondStepExpired: the transaction is rolled back.
    """
    key = {"token_hash": hash_token(token)}
    try:
        user = lock_user(db.session.scalar(_OWNER, key) or NOBODY)
    except AccountGone:
        raise SecondStepExpired from None
    row = db.session.execute(_USE, key).one_or_none()
    if row is None or row.password_mark != hash_token(user.password_hash):
        db.session.rollback()
        raise SecondStepExpired
    return Pending(user, row.remember)
