"""Personal access tokens: with one, a program of a person uses the API in place of that person (bearer token).

A token is shown once. The table holds its hash, so a copy of the table opens nothing.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from app.accounts import events, token_format
from app.accounts.account import ACCOUNT, Account
from app.accounts.events import Client
from app.accounts.models import AccessToken, EventKind, User
from app.accounts.service import lock_user
from app.accounts.sessions import ReadOnly, commit_visit, hash_token
from app.extensions import db, read
from app.soft_delete import purge

FEATURES = ("notes", "todos", "wordcounts", "profile")
# `read` and `write` are those of every feature. `write` lists and finds nothing: its answers hold what it changed.
SCOPES = (
    "read",
    "write",
    *(f"{feature}:{kind}" for feature in FEATURES for kind in ("read", "write")),
    "export:read",
)
LIFETIMES = (30, 90, 365)  # days
MOST = 50  # tokens of an account
USED_EVERY = timedelta(hours=1)  # precision of last_used_at; without it each request would be a write


class TooManyTokens(Exception):
    """The account has MOST tokens. Nothing was stored."""


class TokenGone(Exception):
    """This account has no such token. It may have ended, or be somebody else's."""


@dataclass(frozen=True)
class TokenHolder(Account):
    """The account and the token of the program that asks, in one row. In the API this is `current_user`."""

    token_id: int
    token_name: str
    scopes: Sequence[str]
    expires_at: datetime | None
    last_use_is_old: bool  # older than USED_EVERY


@dataclass(frozen=True)
class Listed:
    """A token that has not expired, as its owner sees it."""

    id: int
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


_NOT_EXPIRED = or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now())
_LIST = (
    select(
        *(AccessToken.id, AccessToken.name, AccessToken.scopes),
        *(AccessToken.created_at, AccessToken.expires_at, AccessToken.last_used_at),
    )
    .where(AccessToken.user_id == bindparam("owner"), _NOT_EXPIRED)
    .order_by(AccessToken.id.desc())
    .limit(MOST)
)
_COUNT = select(func.count()).where(AccessToken.user_id == bindparam("owner"), _NOT_EXPIRED)
_HOLDER = (
    select(
        *ACCOUNT,
        AccessToken.id.label("token_id"),
        AccessToken.name.label("token_name"),
        AccessToken.scopes,
        AccessToken.expires_at,
        (func.coalesce(AccessToken.last_used_at, "-infinity") < func.now() - USED_EVERY).label("last_use_is_old"),
    )
    .join(AccessToken, AccessToken.user_id == User.id)
    .where(AccessToken.token_hash == bindparam("token_hash"), _NOT_EXPIRED)
)
_USED = update(AccessToken).values(last_used_at=func.now())


def make_token(user_id: int, name: str, scopes: Sequence[str], days: int | None, client: Client) -> str:
    """Make a token and return it; nobody can read it again.

    Args:
        scopes: some of SCOPES.
        days: until it expires; None: never.

    Raises:
        TooManyTokens, AccountGone: nothing was stored.
    """
    lock_user(user_id)  # of two at once, each counts the other
    if (db.session.scalar(_COUNT, {"owner": user_id}) or 0) >= MOST:
        db.session.rollback()
        raise TooManyTokens
    token = token_format.new_token(current_app.config["SECRET_KEY"])
    expires_at = None if days is None else func.now() + timedelta(days=days)
    values = {"user_id": user_id, "name": name, "scopes": list(scopes), "expires_at": expires_at}
    db.session.execute(insert(AccessToken).values(token_hash=hash_token(token), **values))
    events.record(user_id, EventKind.ACCESS_TOKEN_MADE, client)
    db.session.commit()
    return token


def list_tokens(user_id: int) -> Sequence[Listed]:
    """The account's tokens that have not expired, the newest first."""
    return [Listed(**row._mapping) for row in read(_LIST, {"owner": user_id})]


def end_token(user_id: int, token_id: int, client: Client) -> None:
    """Raises: TokenGone, AccountGone. Nothing was changed."""
    lock_user(user_id)
    ended = delete(AccessToken).where(AccessToken.user_id == user_id, AccessToken.id == token_id)
    if db.session.scalar(ended.returning(AccessToken.id)) is None:
        db.session.rollback()
        raise TokenGone
    events.record(user_id, EventKind.ACCESS_TOKEN_ENDED, client)
    db.session.commit()


def end_all(user_id: int) -> None:
    """End every token of the account, in the caller's transaction: whoever knew the old password may have made one."""
    db.session.execute(delete(AccessToken).where(AccessToken.user_id == user_id))


def find_holder(token: str) -> TokenHolder | None:
    """Who holds this token; None when there is no such token, or it has ended or expired. One statement."""
    if not token_format.is_well_formed(token):
        return None
    row = read(_HOLDER, {"token_hash": hash_token(token)}).one_or_none()
    holder = TokenHolder(**row._mapping) if row else None
    if holder and holder.last_use_is_old:
        with contextlib.suppress(ReadOnly):  # the use is not noted, and the request goes on
            commit_visit(_USED.where(AccessToken.id == holder.token_id))
    return holder


def purge_expired_tokens() -> int:
    """Delete the expired tokens of all accounts. Returns how many there were."""
    return purge(AccessToken, AccessToken.expires_at <= func.now())


def allow(scopes: Sequence[str], scope: str) -> bool:
    """Whether a token with these scopes may do what needs that one: by itself, or by the one for every feature."""
    return scope in scopes or scope.partition(":")[2] in scopes
