"""How many counts a person may have waiting, and ask for within an hour."""

import math
from datetime import timedelta

from sqlalchemy import bindparam, func, or_, select

from app.extensions import db
from app.wordcounts.models import QUEUED, RUNNING, Result

HOUR = timedelta(hours=1)
MOST_WAITING = 5
MOST_AN_HOUR = 30
A_COUNT_TAKES = 20  # seconds at most, when nobody else waits


class TooMany(Exception):
    """This person has asked for as many counts as one may.

    Args:
        seconds: how long to wait.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class TooManyWaiting(TooMany):
    """MOST_WAITING of this person's counts are not finished."""


class TooManyAnHour(TooMany):
    """MOST_AN_HOUR were asked for within an hour."""


# All that is unfinished or of this hour, and not just the last ones by their ids: what an import brings has new ids.
_LATELY = (
    select(
        Result.created_at,
        (Result.status.in_((QUEUED, RUNNING)) & Result.deleted_at.is_(None)).label("waits"),
    )
    .where(
        Result.user_id == bindparam("owner"),
        or_(Result.status.in_((QUEUED, RUNNING)), Result.created_at > func.now() - HOUR),
    )
    .subquery()
)
_IN_HOUR = _LATELY.c.created_at > func.now() - HOUR
_USAGE = select(
    func.count().filter(_LATELY.c.waits).label("waiting"),
    func.count().filter(_IN_HOUR).label("asked"),
    func.extract("epoch", func.min(_LATELY.c.created_at).filter(_IN_HOUR) + HOUR - func.now()).label("seconds"),
)


def require_room(user_id: int) -> None:
    """Whoever asks holds the lock on the user's row, or two at once would each find room for one more.

    Raises:
        TooManyWaiting, TooManyAnHour: the transaction is rolled back.
    """
    usage = db.session.execute(_USAGE, {"owner": user_id}).one()
    if usage.asked >= MOST_AN_HOUR:
        db.session.rollback()
        raise TooManyAnHour(math.ceil(usage.seconds))
    if usage.waiting >= MOST_WAITING:
        db.session.rollback()
        raise TooManyWaiting(A_COUNT_TAKES)
