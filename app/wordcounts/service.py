"""Use cases of word counts: ask, list, read, share, delete. Another user's result is not found unless it is shared."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Update, bindparam, func, or_, select, text, update

from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db, read
from app.jobs import queue
from app.keyset import IDS, Cursor, cut_page
from app.limits.idempotency import Key
from app.limits.quotas import DeletedSince, Quota
from app.wordcounts import rate_limits
from app.wordcounts.models import Result

PAGE_SIZE = 20
QUOTA = Quota(Result, 5_000)
RECENT = 5  # results listed at the side of one
KEY_BOUNDS = (IDS,)  # of the list's cursor: the id alone
START = Cursor.start(KEY_BOUNDS)

ResultRow = Row[*tuple[Any, ...]]  # with the columns that the statement selects


class ResultNotFound(Exception):
    """There is no such result, or it is deleted, or it is another user's and not shared."""


@dataclass(frozen=True)
class ResultPage:
    """A page of results.

    Args:
        results: up to PAGE_SIZE, the newest first.
        older: where the next page starts; None on the last one.
    """

    results: Sequence[ResultRow]
    older: Cursor | None


NOT_DELETED = Result.deleted_at.is_(None)

_CREATE = QUOTA.insert("url").returning(Result.id, Result.public_id)
_PAGE = (
    select(
        Result.id,
        Result.public_id,
        Result.url,
        Result.title,
        Result.status,
        Result.error,
        Result.total_words,
        Result.shared,
        Result.created_at,
    )
    .where(Result.user_id == bindparam("owner"), Result.id < bindparam("before"), NOT_DELETED)
    .order_by(Result.id.desc())
    .limit(PAGE_SIZE + 1)
)
# The reader's own latest results, listed at the side of one. Read in the same statement.
_LATEST = (
    select(Result.public_id, Result.title, Result.url, Result.status, Result.error)
    .where(Result.user_id == bindparam("reader"), NOT_DELETED)
    .order_by(Result.id.desc())
    .limit(RECENT)
    .subquery("latest")
)
_RECENT = select(func.json_agg(func.row_to_json(text("latest")))).select_from(_LATEST).scalar_subquery()
_ONE = select(
    Result.public_id,
    Result.url,
    Result.final_url,
    Result.title,
    Result.status,
    Result.error,
    Result.phrases,
    Result.total_words,
    Result.unique_words,
    Result.content_words,
    Result.characters,
    Result.reading_seconds,
    Result.truncated,
    Result.shared,
    Result.created_at,
    Result.finished_at,
    (Result.user_id == bindparam("reader")).label("is_own"),
    _RECENT.label("recent"),
).where(
    Result.public_id == bindparam("public_id"),
    NOT_DELETED,
    or_(Result.user_id == bindparam("reader"), Result.shared),
)
# The word lists are the bulk of a row, so only the one that is shown is read.
_ONE_WITH = {
    "keep": _ONE.add_columns(Result.result_all.label("words")),
    "drop": _ONE.add_columns(Result.result_no_stop_words.label("words")),
}
_WITH_KEY = select(Result.public_id).where(
    Result.user_id == bindparam("owner"), Result.idempotency_key == bindparam("key")
)
_LOCK_OWNER = select(User.id).where(User.id == bindparam("owner")).with_for_update(key_share=True)


def ask(user_id: int, url: str, key: Key | None = None) -> uuid.UUID:
    """Queue a count: the result's row and its job, in one transaction.

    Args:
        key: idempotency key. If a result has it already, nothing is queued, and the id is that result's.

    Returns: the public id of the result.

    Raises:
        RateLimited, QuotaReached, AccountGone, DeletedSince: nothing was stored.
    """
    if db.session.scalar(_LOCK_OWNER, {"owner": user_id}) is None:  # locked: see rate_limits.enforce
        db.session.rollback()
        raise AccountGone
    # Asked under the lock, and before the limits: the same request is not refused by its own row.
    before = db.session.scalar(_WITH_KEY, {"owner": user_id, "key": key.row_key}) if key else None
    if before is not None:
        db.session.rollback()
        return uuid.UUID(str(before))
    if key and key.is_used:
        db.session.rollback()
        raise DeletedSince
    rate_limits.enforce(user_id)
    result = QUOTA.store(_CREATE, user_id, key, url=url)
    queue.defer("wordcounts.count", result_id=result.id)
    db.session.commit()
    public_id: uuid.UUID = result.public_id
    return public_id


def ask_again(user_id: int, public_id: uuid.UUID, key: Key | None = None) -> uuid.UUID:
    """Count the same page again, as a new result.

    Raises:
        ResultNotFound: nothing was stored.
        RateLimited, QuotaReached, AccountGone: as `ask` does.
    """
    url = db.session.scalar(select(Result.url).where(*_own(user_id, public_id)))
    if url is None:
        raise ResultNotFound
    return ask(user_id, url, key)


def list_results(user_id: int, after: Cursor = START) -> ResultPage:
    """A page of the user's results, the newest first."""
    rows = read(_PAGE, {"owner": user_id, "before": after.key[0]}).all()
    return ResultPage(*cut_page(rows, PAGE_SIZE, lambda result: (result.id,)))


def get_result(reader_id: int | None, public_id: uuid.UUID, stop_words: str = "drop") -> ResultRow:
    """Read one result: the reader's own, or a shared one.

    Args:
        reader_id: None for a visitor who is not signed in.
        stop_words: "keep" or "drop": which of the two word lists the column `words` holds.

    Raises:
        ResultNotFound
    """
    result = read(_ONE_WITH[stop_words], {"reader": reader_id, "public_id": public_id}).one_or_none()
    if result is None:
        raise ResultNotFound
    return result


def share_result(user_id: int, public_id: uuid.UUID, *, shared: bool) -> None:
    """Let anybody who has the link read the result, or stop that.

    Raises:
        ResultNotFound
    """
    _change(update(Result).where(*_own(user_id, public_id)).values(shared=shared))


def delete_result(user_id: int, public_id: uuid.UUID) -> None:
    """Soft delete: clear the content at once. The empty row stays for an hour and counts for the rate limit.

    Raises:
        ResultNotFound
    """
    cleared = dict.fromkeys(("final_url", "title", "result_all", "result_no_stop_words", "phrases", "idempotency_key"))
    _change(update(Result).where(*_own(user_id, public_id)).values(url="", deleted_at=func.now(), **cleared))


def _own(user_id: int, public_id: uuid.UUID) -> tuple[Any, ...]:
    return Result.user_id == user_id, Result.public_id == public_id, NOT_DELETED


def _change(change: Update) -> None:
    found = db.session.scalar(change.returning(Result.id)) is not None
    db.session.commit()
    if not found:
        raise ResultNotFound
