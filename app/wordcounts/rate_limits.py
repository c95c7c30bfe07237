"""Rate limits: how many unfinished counts a person may have, and how many they may ask for in an hour.

These two count the rows that are there, in one statement under a lock that `ask` needs anyway, and in its transaction:
a count that was not stored takes nothing. A token bucket (app/limits) would be one more write, and less exact.
"""

import math
from datetime import timedelta

from sqlalchemy import bindparam, func, or_, select

from app.extensions import db
from app.limits.rate_limits import RateLimited
from app.wordcounts.models import UNFINISHED, Result

HOUR = timedelta(hours=1)
MAX_UNFINISHED = 5
MAX_PER_HOUR = 30
SECONDS_PER_COUNT = 20  # at most, when nobody else's counts are waiting


class TooManyUnfinished(RateLimited):
    """MAX_UNFINISHED of this person's counts are not finished."""


class HourlyLimitReached(RateLimited):
    """This person has asked for MAX_PER_HOUR counts within the last hour."""


# Selected by status and time. The newest ids would not do: imported results have new ids but are old.
_RECENT = (
    select(
        Result.created_at,
        (Result.status.in_(UNFINISHED) & Result.deleted_at.is_(None)).label("is_unfinished"),
    )
    .where(
        Result.user_id == bindparam("owner"),
        or_(Result.status.in_(UNFINISHED), Result.created_at > func.now() - HOUR),
    )
    .subquery()
)
_IN_HOUR = _RECENT.c.created_at > func.now() - HOUR
_USAGE = select(
    func.count().filter(_RECENT.c.is_unfinished).label("unfinished"),
    func.count().filter(_IN_HOUR).label("in_hour"),
    func.extract("epoch", func.min(_RECENT.c.created_at).filter(_IN_HOUR) + HOUR - func.now()).label("seconds"),
)


def enforce(user_id: int) -> None:
    """Refuse another count for a person who has reached a limit.

    The caller must hold the lock on the user's row. Without it, two requests at once would both pass.

    Raises:
        TooManyUnfinished, HourlyLimitReached: the transaction was rolled back.
    """
    usage = db.session.execute(_USAGE, {"owner": user_id}).one()
    if usage.in_hour >= MAX_PER_HOUR:
        db.session.rollback()
        raise HourlyLimitReached(math.ceil(usage.seconds))
    if usage.unfinished >= MAX_UNFINISHED:
        db.session.rollback()
        raise TooManyUnfinished(SECONDS_PER_COUNT)
