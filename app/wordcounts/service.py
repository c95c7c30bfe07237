"""Ask for word counts, list, read, await, cancel, share and delete them. Another user's is not found unless shared."""

import math
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select, text, update

from app.accounts.service import lock_owner
from app.database.statements import before_key, fixed
from app.extensions import db, read, release_reading_connection
from app.jobs import queue
from app.keyset import IDS, Cursor, cut_page
from app.limits.quotas import DeletedSince, Key, Quota, StoredBefore
from app.limits.rate_limits import RateLimited
from app.rejection import existing
from app.wordcounts.failures import CANCELLED
from app.wordcounts.models import FAILED, UNFINISHED, Result

PAGE_SIZE = 20
QUOTA = Quota(Result, 5_000)
RECENT = 5  # results listed at the side of one
KEY_BOUNDS = (IDS,)  # of the list's cursor: the id alone
START = Cursor.start(KEY_BOUNDS)

# Rate limits: unfinished counts of a person, and counts within an hour.
HOUR = timedelta(hours=1)
MAX_UNFINISHED = 5
MAX_PER_HOUR = 30
SECONDS_PER_COUNT = 20  # at most, when nobody else's counts are waiting

SEATS = threading.BoundedSemaphore(2)
LONGEST_WAIT = 20  # seconds; a platform's router gives an answer 30
LOOK_EVERY = 0.5  # seconds

ResultRow = Row[*tuple[Any, ...]]  # with the columns that the statement selects


class TooManyUnfinished(RateLimited):
    """MAX_UNFINISHED of this person's counts are not finished."""


class HourlyLimitReached(RateLimited):
    """This person has asked for MAX_PER_HOUR counts within the last hour."""


class AlreadyFinished(Exception):
    """The count is done or has failed, so it cannot be cancelled any more."""


NOT_DELETED = Result.deleted_at.is_(None)

_CREATE = QUOTA.insert("url").returning(Result.id, Result.public_id)
_COLUMNS = Result.__table__.c
_LISTED = ("id", "public_id", "url", "title", "status", "error", "total_words", "shared", "created_at")
_SHOWN = (
    *("public_id", "url", "final_url", "title", "status", "error", "phrases", "total_words", "unique_words"),
    *("content_words", "characters", "reading_seconds", "truncated", "shared", "created_at", "finished_at"),
)
_PAGE = before_key(select(*(_COLUMNS[name] for name in _LISTED)).where(NOT_DELETED), Result.user_id, Result.id).limit(
    fixed(PAGE_SIZE + 1)
)
# The reader's own latest results, listed at the side of one. Read in the same statement.
_LATEST = (
    select(Result.public_id, Result.title, Result.url, Result.status, Result.error)
    .where(Result.user_id == bindparam("reader"), NOT_DELETED)
    .order_by(Result.id.desc())
    .limit(fixed(RECENT))
    .subquery("latest")
)
_RECENT = select(func.json_agg(func.row_to_json(text("latest")))).select_from(_LATEST).scalar_subquery()
_ONE = select(
    *(_COLUMNS[name] for name in _SHOWN),
    (Result.user_id == bindparam("reader")).label("is_own"),
    _RECENT.label("recent"),
).where(
    Result.public_id == bindparam("public_id"), NOT_DELETED, or_(Result.user_id == bindparam("reader"), Result.shared)
)
# The word lists are the bulk of a row, so only the one that is shown is read.
_ONE_WITH = {
    "keep": _ONE.add_columns(Result.result_all.label("words")),
    "drop": _ONE.add_columns(Result.result_no_stop_words.label("words")),
}
# Selected by status and time. The newest ids would not do: imported results have new ids but are old.
_LIMITED = (
    select(Result.created_at, (Result.status.in_(UNFINISHED) & NOT_DELETED).label("is_unfinished"))
    .where(
        Result.user_id == bindparam("owner"), or_(Result.status.in_(UNFINISHED), Result.created_at > func.now() - HOUR)
    )
    .subquery()
)
_IN_HOUR = _LIMITED.c.created_at > func.now() - HOUR
_USAGE = select(
    func.count().filter(_LIMITED.c.is_unfinished).label("unfinished"),
    func.count().filter(_IN_HOUR).label("in_hour"),
    func.extract("epoch", func.min(_LIMITED.c.created_at).filter(_IN_HOUR) + HOUR - func.now()).label("seconds"),
)
_OWN = (Result.user_id == bindparam("owner"), Result.public_id == bindparam("result"), NOT_DELETED)
_CANCEL = (
    update(Result)
    .where(*_OWN, Result.status.in_(UNFINISHED))
    .values(status=FAILED, error=CANCELLED, finished_at=func.now())
)
_ERROR = select(Result.error).where(*_OWN)


def ask(user_id: int, url: str, key: Key | None = None) -> uuid.UUID:
    """Queue a count, its row and its job in one transaction. Return its public id, or that of the key's result.

    Raises: RateLimited, QuotaReached, AccountGone, DeletedSince: nothing was stored.
    """
    lock_owner(user_id)  # see _enforce_rate_limits
    try:
        result = QUOTA.store(_CREATE, user_id, key, url=url)
    except StoredBefore as before:
        stored = db.session.scalar(select(Result.public_id).where(Result.id == before.row_id))
        if stored is None:
            raise DeletedSince from before
        return stored
    _enforce_rate_limits(user_id)
    queue.defer("wordcounts.count", result_id=result.id)
    db.session.commit()
    public_id: uuid.UUID = result.public_id
    return public_id


def _enforce_rate_limits(user_id: int) -> None:
    """Refuse the count that was just stored beyond a limit. Raises: TooManyUnfinished, HourlyLimitReached; rolled back.

    The limits count rows, so a count that is not stored takes nothing. A token bucket (app/limits) would be one more
    write, and less exact. Without the lock on the user's row, concurrent requests would exceed the limit.
    """
    usage = db.session.execute(_USAGE, {"owner": user_id}).one()
    if usage.in_hour > MAX_PER_HOUR:
        db.session.rollback()
        raise HourlyLimitReached(math.ceil(usage.seconds))
    if usage.unfinished > MAX_UNFINISHED:
        db.session.rollback()
        raise TooManyUnfinished(SECONDS_PER_COUNT)


def ask_again(user_id: int, public_id: uuid.UUID, key: Key | None = None) -> uuid.UUID:
    """Count the same page again, as a new result. Raises: RowNotFound, and what `ask` raises; nothing was stored."""
    url = db.session.scalar(select(Result.url).where(*_OWN), {"owner": user_id, "result": public_id})
    return ask(user_id, existing(url), key)


def list_results(user_id: int, after: Cursor = START) -> tuple[Sequence[ResultRow], Cursor | None]:
    """Return a page of the user's results, the newest first, and where the next one starts (keyset pagination)."""
    rows = read(_PAGE, {"owner": user_id, "before": after.key[0]}).all()
    return cut_page(rows, PAGE_SIZE, lambda result: (result.id,))


def get_result(reader_id: int | None, public_id: uuid.UUID, stop_words: str = "drop") -> ResultRow:
    """Read one result: the reader's own, or a shared one, as a visitor (None) may. Raises: RowNotFound.

    `stop_words` is "keep" or "drop": which of the two word lists the column `words` holds.
    """
    return existing(read(_ONE_WITH[stop_words], {"reader": reader_id, "public_id": public_id}).one_or_none())


def wait_for_result(user_id: int, public_id: uuid.UUID, seconds: float, stop_words: str) -> ResultRow:
    """Return the result once it is finished, or as it is after so many seconds (long polling). Raises: RowNotFound.

    A request that waits holds a thread, but no connection. No more than SEATS wait in a process; others are answered at
    once, so that pages always have threads left (bulkhead).
    """
    deadline = time.monotonic() + min(seconds, LONGEST_WAIT)
    result = get_result(user_id, public_id, stop_words)
    if result.finished_at or not SEATS.acquire(blocking=False):
        return result
    try:
        while not result.finished_at and (left := deadline - time.monotonic()) > 0:
            release_reading_connection()
            time.sleep(min(LOOK_EVERY, left))
            result = get_result(user_id, public_id, stop_words)
    finally:
        SEATS.release()
    return result


def cancel_result(user_id: int, public_id: uuid.UUID) -> None:
    """End an unfinished count; its job does nothing when its turn comes. To cancel it twice is to cancel it once.

    Its owner here and a worker in tasks.py change it by a statement that finds only unfinished ones: the first wins.
    Raises: RowNotFound, AlreadyFinished: nothing was changed.
    """
    owner = {"owner": user_id, "result": public_id}
    db.session.execute(_CANCEL, owner)
    found = db.session.execute(_ERROR, owner).one_or_none()
    db.session.commit()
    if existing(found).error != CANCELLED:
        raise AlreadyFinished


def share_result(user_id: int, public_id: uuid.UUID, *, shared: bool) -> None:
    """Let anybody who has the link read the result, or stop that. Raises: RowNotFound."""
    _change(user_id, public_id, shared=shared)


def delete_result(user_id: int, public_id: uuid.UUID) -> None:
    """Delete a result (soft delete): its content at once, and the row after an hour (HOUR). Raises: RowNotFound."""
    cleared = dict.fromkeys(("final_url", "title", "result_all", "result_no_stop_words", "phrases", "idempotency_key"))
    _change(user_id, public_id, url="", deleted_at=func.now(), **cleared)


def _change(user_id: int, public_id: uuid.UUID, **values: Any) -> None:
    change = update(Result).where(*_OWN).values(values).returning(Result.id)
    found = db.session.scalar(change, {"owner": user_id, "result": public_id})
    db.session.commit()
    existing(found)
