"""Cancel an unfinished count.

Whoever changes an unfinished result first wins: its owner here, or a worker in counting.py. Both change it in one
statement that finds only unfinished ones, so the other one changes nothing. The job stays in the queue and does nothing
when its turn comes. The row stays too, and counts for the hourly rate limit.
"""

import uuid

from sqlalchemy import bindparam, func, select, update

from app.extensions import db
from app.wordcounts.failures import CANCELLED
from app.wordcounts.models import FAILED, UNFINISHED, Result
from app.wordcounts.service import NOT_DELETED, ResultNotFound


class AlreadyFinished(Exception):
    """The count is done or has failed, so it cannot be cancelled any more."""


_OWN = (Result.user_id == bindparam("owner"), Result.public_id == bindparam("result"), NOT_DELETED)
_CANCEL = (
    update(Result)
    .where(*_OWN, Result.status.in_(UNFINISHED))
    .values(status=FAILED, error=CANCELLED, finished_at=func.now())
    .returning(Result.id)
)
_ERROR = select(Result.error).where(*_OWN)


def cancel_result(user_id: int, public_id: uuid.UUID) -> None:
    """End a count. To cancel it twice is to cancel it once.

    Raises:
        ResultNotFound, AlreadyFinished: nothing was changed.
    """
    owner = {"owner": user_id, "result": public_id}
    is_cancelled = db.session.scalar(_CANCEL, owner) is not None
    found = db.session.execute(_ERROR, owner).one_or_none()
    db.session.commit()
    if found is None:
        raise ResultNotFound
    if not is_cancelled and found.error != CANCELLED:
        raise AlreadyFinished
