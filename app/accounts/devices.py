"""Signed-in devices: list the sessions of an account, and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from app.accounts import user_agents
from app.accounts.models import UserSession
from app.extensions import db

SHOWN = 100  # bounds the page; nobody has as many


class DeviceGone(Exception):
    """This account has no such session. It may have ended, or be somebody else's."""


@dataclass(frozen=True)
class Device:
    """A session that has not expired, of the account that asks."""

    id: int
    user_agent: str
    ip: str | None
    last_seen_at: datetime
    is_this: bool

    @property
    def browser(self) -> str | None:
        return user_agents.browser_of(self.user_agent)

    @property
    def system(self) -> str | None:
        return user_agents.system_of(self.user_agent)


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
    .limit(SHOWN)
)
# Counts the other sessions, as a part of another statement. Its parameters: `user_id` and `session_id`.
OTHERS = select(func.count()).select_from(UserSession).where(*_NOT_EXPIRED, ~_IS_THIS).scalar_subquery()


def list_devices(user_id: int, session_id: int) -> Sequence[Device]:
    """The session that asks first, then the others by their last visit; at most SHOWN."""
    rows = db.session.execute(_DEVICES, {"user_id": user_id, "session_id": session_id})
    return [Device(**row._mapping) for row in rows]


def sign_out(user_id: int, session_id: int) -> None:
    """End one session of the account. Raises: DeviceGone. Nothing was changed."""
    ended = delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id)
    found = db.session.scalar(ended.returning(UserSession.id))
    db.session.commit()
    if found is None:
        raise DeviceGone


def sign_out_others(user_id: int, session_id: int) -> None:
    """End every session of the account but this one."""
    db.session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.id != session_id))
    db.session.commit()
