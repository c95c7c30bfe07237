"""Signing up, in and out. Each function is one use case and one transaction."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from psycopg2.extensions import Diagnostics
from sqlalchemy import bindparam, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import nicknames, passwords
from app.accounts.models import User, UserSession
from app.extensions import db

REMEMBERED = timedelta(days=30)  # "keep me signed in": counted from the last visit
FORGOTTEN = timedelta(hours=12)
BATCH = 500  # expired sessions that are deleted in one transaction
SEEN_EVERY = timedelta(hours=1)  # how exact last_seen_at is; each visit would be a write


class EmailTaken(Exception):
    """Somebody signed up with this e-mail address before."""


class NicknameTaken(Exception):
    """Somebody has this nickname, or one that looks the same."""


class WrongCredentials(Exception):
    """No such e-mail address, or not its password; which of the two is nobody's business."""


class AccountGone(Exception):
    """The account was deleted while this was asked for."""


@dataclass(frozen=True)
class SignedIn:
    """Who is asking: the user and the session of this browser, as one row; what `current_user` is in a request."""

    id: int
    email: str
    nickname: str
    image_url: str | None
    language: str | None
    time_zone: str | None
    created_at: datetime
    session_id: int
    not_seen_lately: bool

    is_authenticated: ClassVar[bool] = True


# Built once: composing a statement costs more than running it.
_SIGNED_IN = (
    select(
        User.id,
        User.email,
        User.nickname,
        User.image_url,
        User.language,
        User.time_zone,
        User.created_at,
        UserSession.id.label("session_id"),
        (UserSession.last_seen_at < func.now() - SEEN_EVERY).label("not_seen_lately"),
    )
    .join(UserSession, UserSession.user_id == User.id)
    .where(UserSession.token_hash == bindparam("token_hash"), UserSession.expires_at > func.now())
)
_EXPIRED = delete(UserSession).where(
    UserSession.id.in_(select(UserSession.id).where(UserSession.expires_at <= func.now()).limit(BATCH))
)
_CREDENTIALS = select(User).where(User.email == bindparam("email"))


def sign_up(email: str, nickname: str, password: str) -> User:
    """Create an account. All arguments have passed the rules of the form.

    Raises:
        EmailTaken, NicknameTaken: the database said so; nothing was stored.
    """
    user = User(
        email=email,
        nickname=nickname,
        nickname_key=nicknames.key(nickname),
        password_hash=passwords.hash_password(password),
    )
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise taken(error) from error
    return user


def taken(error: IntegrityError) -> Exception:
    """The named error for a violated unique constraint of `users`, or the error itself."""
    diagnostics: Diagnostics | None = getattr(error.orig, "diag", None)
    constraint = diagnostics.constraint_name if diagnostics else None
    if constraint == "uq_users_email":
        return EmailTaken()
    if constraint in ("uq_users_nickname", "uq_users_nickname_key"):
        return NicknameTaken()
    return error


def authenticate(email: str, password: str) -> User:
    """The user with this e-mail address and password.

    Raises:
        WrongCredentials: after the same work, whether the address is unknown or the password wrong.
    """
    user = db.session.scalar(_CREDENTIALS, {"email": email})
    if not passwords.matches(password, user.password_hash if user else None) or user is None:
        raise WrongCredentials
    if passwords.needs_rehash(user.password_hash):
        user.password_hash = passwords.hash_password(password)
        db.session.commit()
    return user


def start_session(user: User, *, remember: bool, user_agent: str, ip: str | None) -> str:
    """Sign a browser in.

    Args:
        user: as `sign_up` or `authenticate` returned it.
        remember: keep the session for 30 days after the last visit, instead of 12 hours.
        user_agent, ip: what the browser said of itself and where it is, for the list of signed-in devices.

    Returns:
        The token for the browser's cookie; the table keeps its hash.

    Raises:
        WrongCredentials: the password was changed, or the account deleted, since `user` was read. The row is locked
            while this looks, so no session slips in beside a change of password that ends all sessions.
    """
    token = secrets.token_urlsafe(32)
    as_it_was_read = (
        select(
            literal(hash_token(token)),
            User.id,
            func.now() + (REMEMBERED if remember else FORGOTTEN),
            literal(user_agent[:255]),
            literal(ip, UserSession.ip.type),
        )
        .where(User.id == user.id, User.password_hash == user.password_hash)
        .with_for_update(read=True)
    )
    columns = [
        UserSession.token_hash,
        UserSession.user_id,
        UserSession.expires_at,
        UserSession.user_agent,
        UserSession.ip,
    ]
    session_id = db.session.scalar(insert(UserSession).from_select(columns, as_it_was_read).returning(UserSession.id))
    if session_id is None:
        db.session.rollback()
        raise WrongCredentials
    db.session.execute(delete(UserSession).where(UserSession.user_id == user.id, UserSession.expires_at <= func.now()))
    db.session.commit()
    return token


def find_session(token: str) -> SignedIn | None:
    """Who holds this token, or None when its session has ended or expired. One statement."""
    row = db.session.execute(_SIGNED_IN, {"token_hash": hash_token(token)}).one_or_none()
    return SignedIn(**row._mapping) if row else None


def extend_session(session_id: int) -> None:
    """Note a visit. The session lives on from here as long as it was given at first."""
    lifetime = UserSession.expires_at - UserSession.last_seen_at
    db.session.execute(
        update(UserSession)
        .where(UserSession.id == session_id)
        .values(last_seen_at=func.now(), expires_at=func.now() + lifetime)
    )
    db.session.commit()


def end_session(session_id: int) -> None:
    db.session.execute(delete(UserSession).where(UserSession.id == session_id))
    db.session.commit()


def choose_language(user_id: int, language: str) -> None:
    """Show pages in this language from now on, on every device."""
    db.session.execute(update(User).where(User.id == user_id).values(language=language))
    db.session.commit()


def remove_expired_sessions() -> int:
    """Delete a batch of anybody's sessions that have expired; how many it held."""
    removed = len(db.session.execute(_EXPIRED.returning(UserSession.id)).all())
    db.session.commit()
    return removed


def hash_token(token: str) -> str:
    """SHA-256: the token is 256 random bits, so there is nothing to guess and no need for a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
