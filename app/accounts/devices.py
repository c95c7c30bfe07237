"""The browsers that an account is signed in with: see them, and sign them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from app.accounts import agents
from app.accounts.models import UserSession
from app.extensions import db

SHOWN = 100  # more than anybody has; the list of whoever has more begins with the latest


class DeviceGone(Exception):
    """No such session of this account; it may have ended meanwhile, or be somebody else's."""


@dataclass(frozen=True)
class Device:
    """A session that is alive, of the account that asks."""

    id: int
    user_agent: str
    ip: str | None
    last_seen_at: datetime
    is_this: bool

    @property
    def browser(self) -> str | None:
        return agents.browser_of(self.user_agent)

    @property
    def system(self) -> str | None:
        return agents.system_of(self.user_agent)


_ALIVE = (UserSession.user_id == bindparam("user_id"), UserSession.expires_at > func.now())
_IS_THIS = UserSession.id == bindparam("session_id")
_DEVICES = (
    select(
        UserSession.id,
        UserSession.user_agent,
        UserSession.ip,
        UserSession.last_seen_at,
        _IS_THIS.label("is_this"),
    )
    .where(*_ALIVE)
    .order_by(_IS_THIS.desc(), UserSession.last_seen_at.desc(), UserSession.id.desc())
    .limit(SHOWN)
)
# How many there are besides the one that asks, to be asked along with other things; parameters as in `list_devices`.
OTHERS = select(func.count()).select_from(UserSession).where(*_ALIVE, ~_IS_THIS).scalar_subquery()


def list_devices(user_id: int, session_id: int) -> Sequence[Device]:
    """The session that asks comes first, then the others by their last visit, at most SHOWN of them."""
    rows = db.session.execute(_DEVICES, {"user_id": user_id, "session_id": session_id})
    return [Device(**row._mapping) for row in rows]


def sign_out(user_id: int, session_id: int) -> None:
    """End one session of the account. Raises: DeviceGone; nothing was changed."""
    ended = delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id)
    found = db.session.scalar(ended.returning(UserSession.id))
    db.session.commit()
    if found is None:
        raise DeviceGone


def sign_out_others(user_id: int, session_id: int) -> None:
    """End every session of the account but this one."""
    db.session.execute(delete(UserSession).where(UserSession.user_id == user_id, UserSession.id != session_id))
    db.session.commit()
