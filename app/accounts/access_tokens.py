"""Personal access tokens: with one, a program of a person uses the API in place of that person (bearer token).

A token is shown once, and the table holds its hash. It is `sc_`, 32 random letters, 11 that sign them, by which a
request may have a long body before the database is asked, and a checksum of 6, by which those who search published code
for lost secrets know a token of ours.
"""

import binascii
import hmac
import re
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, true, update

from app.accounts import events
from app.accounts.models import ACCOUNT, AccessToken, Account, EventKind, User
from app.accounts.service import lock_user
from app.accounts.sessions import commit_visit, hash_token
from app.database.statements import SESSION_NAME, fixed
from app.extensions import db, read
from app.rejection import RowNotFound

MOST = 50  # tokens of an account
USED_EVERY = timedelta(hours=1)  # precision of last_used_at; without it each request would be a write

PREFIX = "sc_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, SIGNATURE, CHECKSUM = 32, 11, 6  # letters of 62: 190 bits, 65 and 32
SECRET = RANDOM + SIGNATURE
TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET + CHECKSUM}}}")


class TooManyTokens(Exception):
    """The account has MOST tokens."""


@dataclass
class TokenHolder(Account):
    """The account and the token of the program that asks, in one row. In the API this is `g.account`."""

    token_id: int
    scopes: Sequence[str]
    last_use_is_old: bool  # older than USED_EVERY
    session_name: str  # of the database's session


_NOT_EXPIRED = or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now())
_LIST = (
    select(
        *(AccessToken.id, AccessToken.name, AccessToken.scopes),
        *(AccessToken.created_at, AccessToken.expires_at, AccessToken.last_used_at),
    )
    .where(AccessToken.user_id == bindparam("owner"), _NOT_EXPIRED)
    .order_by(AccessToken.id.desc())
    .limit(fixed(MOST))
)
_HOLDER = (
    select(
        *ACCOUNT,
        AccessToken.id.label("token_id"),
        AccessToken.scopes,
        func.coalesce(AccessToken.last_used_at < func.now() - USED_EVERY, true()).label("last_use_is_old"),
        SESSION_NAME,
    )
    .join(AccessToken, AccessToken.user_id == User.id)
    .where(AccessToken.token_hash == bindparam("token_hash"), _NOT_EXPIRED)
)


def make_token(user_id: int, name: str, scopes: Sequence[str], days: int | None, client: events.Client) -> str:
    """Return a new token that expires after `days`; nobody can read it again. Raises: TooManyTokens, AccountGone."""
    lock_user(user_id)  # of two at once, each counts the other
    if len(list_tokens(user_id)) >= MOST:
        db.session.rollback()
        raise TooManyTokens
    token = new_token(current_app.config["SECRET_KEY"])
    expires_at = None if days is None else func.now() + timedelta(days=days)
    values = {"user_id": user_id, "name": name, "scopes": list(scopes), "expires_at": expires_at}
    db.session.execute(insert(AccessToken).values(token_hash=hash_token(token), **values))
    events.record(user_id, EventKind.ACCESS_TOKEN_MADE, client)
    db.session.commit()
    return token


def list_tokens(user_id: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the account's tokens that have not expired, the newest first."""
    return read(_LIST, {"owner": user_id})


def end_token(user_id: int, token_id: int, client: events.Client) -> None:
    """Raises: RowNotFound, AccountGone. Nothing was changed."""
    lock_user(user_id)
    ended = delete(AccessToken).where(AccessToken.user_id == user_id, AccessToken.id == token_id)
    if db.session.scalar(ended.returning(AccessToken.id)) is None:
        db.session.rollback()
        raise RowNotFound
    events.record(user_id, EventKind.ACCESS_TOKEN_ENDED, client)
    db.session.commit()


def find_holder(token: str) -> TokenHolder | None:
    """Return who holds this token; None when it has ended or expired, or never was. One statement."""
    if not is_well_formed(token):
        return None
    row = read(_HOLDER, {"token_hash": hash_token(token)}).one_or_none()
    holder = TokenHolder(**row._asdict()) if row else None
    if holder and holder.last_use_is_old:
        commit_visit(update(AccessToken).where(AccessToken.id == holder.token_id).values(last_used_at=func.now()))
    return holder


def allow(scopes: Sequence[str], scope: str) -> bool:
    """Allow what needs this scope to a token with these: by the scope itself, or by the one for every feature."""
    return scope in scopes or scope.partition(":")[2] in scopes


def new_token(key: str) -> str:
    """Draw a token. `key` is the secret key of the application."""
    drawn = "".join(secrets.choice(LETTERS) for _ in range(RANDOM))
    secret = drawn + _signature(key, drawn)
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(token: str) -> bool:
    """Tell a token of ours by its prefix, length and checksum. Anybody can make such a one."""
    return TOKEN.fullmatch(token) is not None and _checksum(token[len(PREFIX) : -CHECKSUM]) == token[-CHECKSUM:]


def is_signed(token: str, keys: Iterable[str]) -> bool:
    """Tell a token that was made here, with one of these keys. It may have ended since."""
    drawn, signature = token[len(PREFIX) :][:RANDOM], token[len(PREFIX) :][RANDOM:SECRET]
    return is_well_formed(token) and any(hmac.compare_digest(_signature(key, drawn), signature) for key in keys)


def bearer_token(authorization: str) -> str:
    """Return the token in a header Authorization (RFC 6750), or nothing."""
    scheme, _space, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _signature(key: str, drawn: str) -> str:
    digest = hmac.digest(key.encode(), f"access token {drawn}".encode(), "sha256")
    return _in_base_62(int.from_bytes(digest), SIGNATURE)


def _checksum(secret: str) -> str:
    """Return CRC-32 in base 62, as GitHub's tokens have it."""
    return _in_base_62(binascii.crc32(secret.encode()), CHECKSUM)


def _in_base_62(number: int, length: int) -> str:
    letters = ""
    for _ in range(length):
        number, digit = divmod(number, len(LETTERS))
        letters = LETTERS[digit] + letters
    return letters
