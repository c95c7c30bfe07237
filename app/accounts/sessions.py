"""Sessions: a row for each signed-in browser. The cookie holds a random token, the row holds its hash.

A session ends when its row is deleted, so a replayed cookie is worth nothing (ASVS 5.0 V7.4.1). Its owner sees the
sessions as signed-in devices, and can end them.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.exc import DBAPIError

from app.accounts import events
from app.accounts.models import ACCOUNT, Account, EventKind, User, UserSession
from app.accounts.service import WrongCredentials, lock_user
from app.database.errors import takes_no_changes
from app.database.statements import SESSION_NAME, fixed
from app.extensions import db, read
from app.follower import writes
from app.follower.writes import AccountWrite
from app.rejection import RowNotFound

# Lifetimes, counted from the last visit.
LIFETIME = timedelta(hours=12)
LIFETIME_REMEMBERED = timedelta(days=30)  # with "keep me signed in"
LONGEST = timedelta(days=90)  # from sign-in, however often there was a visit: absolute lifetime, ASVS 5.0 V7.3.2
SEEN_EVERY = timedelta(hours=1)  # precision of last_seen_at; without it each visit would be a write
MOST = 100  # sessions of an account; nobody has as many browsers
RECENT = timedelta(minutes=10)  # how long nobody is asked for the password again, see recent_sign_in.py


@dataclass
class SignedIn(Account):
    """The user and the session of the browser that asks, in one row. This is `current_user` in a request of a page."""

    email_is_confirmed: bool
    email_is_refused: bool
    session_id: int
    last_visit_is_old: bool  # older than SEEN_EVERY
    is_recent: bool  # signed in within RECENT
    session_name: str  # of the database's session
    last_write: int | None = None  # the transaction; see app/follower


_SIGNED_IN = (
    select(
        *ACCOUNT,
        User.email_confirmed_at.is_not(None).label("email_is_confirmed"),
        User.email_refused_at.is_not(None).label("email_is_refused"),
        UserSession.id.label("session_id"),
        (UserSession.last_seen_at < func.now() - SEEN_EVERY).label("last_visit_is_old"),
        # A row is as old as its authentication: who authenticates again gets a new one.
        (UserSession.created_at > func.now() - RECENT).label("is_recent"),
        SESSION_NAME,
    )
    .join(UserSession, UserSession.user_id == User.id)
    .where(UserSession.token_hash == bindparam("token_hash"), UserSession.expires_at > func.now())
)
_WITH_LAST_WRITE = _SIGNED_IN.add_columns(AccountWrite.transaction_id.label("last_write")).outerjoin(
    AccountWrite, AccountWrite.id == User.id
)

# Ends what has expired, and the oldest beyond MOST. Sessions that begin at the same moment do not see each other, so
# there may be as many more until the next one begins.
_OLDEST_BEYOND_MOST = (
    select(UserSession.id)
    .where(UserSession.user_id == bindparam("owner"), UserSession.expires_at > func.now())
    .order_by(UserSession.id.desc())
    .offset(MOST)
    .limit(1)
    .scalar_subquery()
)
_END_OLD = delete(UserSession).where(
    UserSession.user_id == bindparam("owner"),
    (UserSession.expires_at <= func.now()) | (UserSession.id <= _OLDEST_BEYOND_MOST),
)

_NOT_EXPIRED = (UserSession.user_id == bindparam("user_id"), UserSession.expires_at > func.now())
_IS_THIS = UserSession.id == bindparam("session_id")
_DEVICES = (
    select(
        *(UserSession.id, UserSession.user_agent, UserSession.ip, UserSession.last_seen_at), _IS_THIS.label("is_this")
    )
    .where(*_NOT_EXPIRED)
    .order_by(_IS_THIS.desc(), UserSession.last_seen_at.desc(), UserSession.id.desc())
    .limit(fixed(MOST))
)
# Counts the other sessions, as a part of another statement. Its parameters: `user_id` and `session_id`.
OTHERS = select(func.count()).select_from(UserSession).where(*_NOT_EXPIRED, ~_IS_THIS).scalar_subquery()


def start_session(
    user: User, client: events.Client, *, remember: bool, kind: EventKind = EventKind.SIGN_IN
) -> tuple[str, int]:
    """Sign a browser in, and return the token for its cookie and the session's id.

    The INSERT reads the user's row again and locks it, so that no session slips in beside a change of password, which
    ends all. Raises: WrongCredentials, when the password was changed or the account deleted since `user` was read.
    """
    token = secrets.token_urlsafe(32)
    row = {
        UserSession.token_hash: literal(hash_token(token)),
        UserSession.user_id: User.id,
        UserSession.expires_at: func.now() + (LIFETIME_REMEMBERED if remember else LIFETIME),
        UserSession.user_agent: literal(client.user_agent[:255]),
        UserSession.ip: literal(client.ip, UserSession.ip.type),
    }
    unchanged_user = (
        select(*row.values())
        .where(User.id == user.id, User.password_hash == user.password_hash)
        .with_for_update(read=True)
    )
    started = insert(UserSession).from_select(list(row), unchanged_user).returning(UserSession.id)
    session_id = db.session.scalar(started)
    if session_id is None:
        db.session.rollback()
        raise WrongCredentials(user.id)
    db.session.execute(_END_OLD, {"owner": user.id})
    events.record(user.id, kind, client)
    writes.mark(user.id)  # also of an account that was opened just now
    db.session.commit()
    return token, session_id


def find_session(token: str) -> SignedIn | None:
    """Return who holds this token, None once its session has ended or expired. One statement."""
    row = read(_WITH_LAST_WRITE if writes.are_marked() else _SIGNED_IN, {"token_hash": hash_token(token)}).one_or_none()
    return SignedIn(**row._asdict()) if row else None


def extend_session(session_id: int) -> bool:
    """Note a visit: the lifetime starts over (sliding expiration), up to LONGEST after sign-in."""
    lifetime = UserSession.expires_at - UserSession.last_seen_at
    expires_at = func.least(func.now() + lifetime, UserSession.created_at + LONGEST)
    extended = update(UserSession).values(last_seen_at=func.now(), expires_at=expires_at)
    return commit_visit(extended.where(UserSession.id == session_id))


def commit_visit(visit: Update) -> bool:
    """Store that somebody was here. Return False while the database takes no changes, as during a failover."""
    try:
        db.session.execute(visit)
    except DBAPIError as error:
        if not takes_no_changes(error):
            raise
        db.session.rollback()
        return False
    db.session.commit()
    return True


def end_session(session_id: int) -> None:
    db.session.execute(delete(UserSession).where(UserSession.id == session_id))
    db.session.commit()


def list_devices(user_id: int, session_id: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the session that asks first, then the others by their last visit; at most MOST."""
    return read(_DEVICES, {"user_id": user_id, "session_id": session_id})


def sign_out_device(user_id: int, session_id: int, client: events.Client) -> None:
    """End one session of the account. Raises: RowNotFound, AccountGone. Nothing was changed."""
    if not _end(user_id, UserSession.id == session_id):
        db.session.rollback()
        raise RowNotFound
    events.record(user_id, EventKind.DEVICE_ENDED, client)
    db.session.commit()


def sign_out_others(user_id: int, session_id: int, client: events.Client) -> None:
    """End every session of the account but this one. Raises: AccountGone."""
    if _end(user_id, UserSession.id != session_id):
        events.record(user_id, EventKind.OTHER_DEVICES_ENDED, client)
    db.session.commit()


def _end(user_id: int, which: ColumnElement[bool]) -> bool:
    """Delete sessions; False if there were none. The user's row is locked first, as by every change of an account."""
    lock_user(user_id)
    ended = delete(UserSession).where(UserSession.user_id == user_id, which).returning(UserSession.id)
    return bool(db.session.scalars(ended).all())


def hash_token(token: str) -> str:
    """Return its SHA-256. The token is 256 random bits: nobody can guess it, so a slow hash would gain nothing."""
    return hashlib.sha256(token.encode()).hexdigest()
