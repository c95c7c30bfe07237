"""Signed-in devices: list the sessions of an account, and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, func, select

from app.accounts import events
from app.accounts.events import Client
from app.accounts.models import EventKind, UserSession
from app.accounts.service import lock_user
from app.accounts.sessions import MOST
from app.accounts.user_agents import SeenFrom
from app.extensions import db, read


class DeviceGone(Exception):
    """This account has no such session. It may have ended, or be somebody else's."""


@dataclass(frozen=True)
class Device(SeenFrom):
    """A session that has not expired, of the account that asks."""

    id: int
    ip: str | None
    last_seen_at: datetime
    is_this: bool


_NOT_EXPIRED = (UserSession.user_id == bindparam("user_id"), UserSession.expires_at > func.now())
_IS_THIS = UserSession.id == bindparam("session_id")
_DEVICES = (
    select(
        UserSession.id,
        UserSession.user_agent,
        UserSession.ip,
        UserSession.last_seen_at,
        _IS_THIS.label("is_this"),
    )
    .where(*_NOT_EXPIRED)
    .order_by(_IS_THIS.desc(), UserSession.last_seen_at.desc(), UserSession.id.desc())
    .limit(MOST)
)
# Counts the other sessions, as a part of another statement. Its parameters: `user_id` and `session_id`.
OTHERS = select(func.count()).select_from(UserSession).where(*_NOT_EXPIRED, ~_IS_THIS).scalar_subquery()


def list_devices(user_id: int, session_id: int) -> Sequence[Device]:
    """The session that asks first, then the others by their last visit; at most MOST."""
    rows = read(_DEVICES, {"user_id": user_id, "session_id": session_id})
    return [Device(**row._mapping) for row in rows]


def sign_out(user_id: int, session_id: int, client: Client) -> None:
    """End one session of the account. Raises: DeviceGone, AccountGone. Nothing was changed."""
    if not _end(user_id, UserSession.id == session_id):
        db.session.rollback()
        raise DeviceGone
    events.record(user_id, EventKind.DEVICE_ENDED, client)
    db.session.commit()


def sign_out_others(user_id: int, session_id: int, client: Client) -> None:
    """End every session of the account but this one. Raises: AccountGone."""
    if _end(user_id, UserSession.id != session_id):
        events.record(user_id, EventKind.OTHER_DEVICES_ENDED, client)
    db.session.commit()


def _end(user_id: int, which: ColumnElement[bool]) -> bool:
    """Whether there were such sessions. The user's row is locked first, as by every other change of an account."""
    lock_user(user_id)
    ended = delete(UserSession).where(UserSession.user_id == user_id, which).returning(UserSession.id)
    return bool(db.session.scalars(ended).all())
