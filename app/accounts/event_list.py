"""The list of an account's events, by keyset pagination, and their purge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select

from app.accounts.models import AccountEvent
from app.accounts.user_agents import SeenFrom
from app.extensions import read
from app.keyset import IDS, Cursor, cut_page
from app.soft_delete import purge

PAGE_SIZE = 20
KEPT = timedelta(days=90)
KEY_BOUNDS = (IDS,)
START = Cursor.start(KEY_BOUNDS)


@dataclass(frozen=True)
class Event(SeenFrom):
    """
    Args:
        kind: a value of EventKind.
        times: how often it happened that day; more than 1 for wrong passwords alone. The rest is of the last time.
    """

    id: int
    kind: str
    created_at: datetime
    times: int
    ip: str | None


_PAGE = (
    select(
        AccountEvent.id,
        AccountEvent.kind,
        AccountEvent.created_at,
        AccountEvent.times,
        AccountEvent.user_agent,
        AccountEvent.ip,
    )
    .where(AccountEvent.user_id == bindparam("owner"), AccountEvent.id < bindparam("before"))
    .order_by(AccountEvent.id.desc())
    .limit(PAGE_SIZE + 1)
)


def list_events(user_id: int, after: Cursor = START) -> tuple[Sequence[Event], Cursor | None]:
    """A page of the account's events, the newest first, and where the next page starts."""
    rows = read(_PAGE, {"owner": user_id, "before": after.key[0]})
    return cut_page([Event(**row._mapping) for row in rows], PAGE_SIZE, lambda event: (event.id,))


def purge_old_events() -> int:
    """Delete the events of all users that are older than KEPT. Returns how many there were."""
    return purge(AccountEvent, AccountEvent.created_at <= func.now() - KEPT)
