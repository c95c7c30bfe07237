"""Asking for counts, seeing, sharing and deleting them; somebody else's are not there, unless shared."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Update, bindparam, func, insert, or_, select, text, update

from app import jobs
from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.keyset import IDS, Cursor, cut_page
from app.wordcounts import limits
from app.wordcounts.models import Result

PAGE_SIZE = 20
RECENT = 5  # results that stand at the side of one
KEY_BOUNDS = (IDS,)  # of the list's cursor: the id alone
START = Cursor.start(KEY_BOUNDS)

ResultRow = Row[*tuple[Any, ...]]  # the columns that the statement names


class ResultNotFound(Exception):
    """No such result, or somebody else's, or deleted."""


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE results, and where the older ones start, if there are any."""

    results: Sequence[ResultRow]
    older: Cursor | None


NOT_DELETED = Result.deleted_at.is_(None)

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
# What is shown at the side of a result, to whoever reads it: a person's own last ones, in the same statement.
_LAST = (
    select(Result.public_id, Result.title, Result.url, Result.status)
    .where(Result.user_id == bindparam("reader"), NOT_DELETED)
    .order_by(Result.id.desc())
    .limit(RECENT)
    .subquery("last")
)
_RECENT = select(func.json_agg(func.row_to_json(text("last")))).select_from(_LAST).scalar_subquery()
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
# The words are the bulk of a row, so only those are read that are shown.
_ONE_WITH = {
    "keep": _ONE.add_columns(Result.result_all.label("words")),
    "drop": _ONE.add_columns(Result.result_no_stop_words.label("words")),
}
_LOCK_OWNER = select(User.id).where(User.id == bindparam("owner")).with_for_update(key_share=True)


def ask(user_id: int, url: str) -> uuid.UUID:
    """Let the words of a page be counted; the public id of the result, which is queued.

    Raises:
        limits.TooMany, AccountGone: nothing was stored.
    """
    if db.session.scalar(_LOCK_OWNER, {"owner": user_id}) is None:  # two at once would each find room for one more
        db.session.rollback()
        raise AccountGone
    limits.require_room(user_id)
    new_result = insert(Result).values(user_id=user_id, url=url).returning(Result.id, Result.public_id)
    result = db.session.execute(new_result).one()
    jobs.defer("wordcounts.count", result_id=result.id)
    db.session.commit()
    public_id: uuid.UUID = result.public_id
    return public_id


def ask_again(user_id: int, public_id: uuid.UUID) -> uuid.UUID:
    """Count the same page once more, as a result of its own. Raises: ResultNotFound, and as `ask` does."""
    url = db.session.scalar(select(Result.url).where(*_own(user_id, public_id)))
    if url is None:
        raise ResultNotFound
    return ask(user_id, url)


def list_results(user_id: int, after: Cursor = START) -> Page:
    """A page of the user's results, the newest first."""
    rows = db.session.execute(_PAGE, {"owner": user_id, "before": after.key[0]}).all()
    return Page(*cut_page(rows, PAGE_SIZE, lambda result: (result.id,)))


def get_result(reader_id: int | None, public_id: uuid.UUID, stop_words: str = "drop") -> ResultRow:
    """A result of the reader's own, or one that its owner shares.

    Args:
        reader_id: None for somebody who is not signed in.
        stop_words: "keep" or "drop": which of the two lists is `words`.

    Raises:
        ResultNotFound
    """
    result = db.session.execute(_ONE_WITH[stop_words], {"reader": reader_id, "public_id": public_id}).one_or_none()
    if result is None:
        raise ResultNotFound
    return result


def share_result(user_id: int, public_id: uuid.UUID, *, shared: bool) -> None:
    """Let whoever has the link read it, or nobody else again. Raises: ResultNotFound."""
    _change(update(Result).where(*_own(user_id, public_id)).values(shared=shared))


def delete_result(user_id: int, public_id: uuid.UUID) -> None:
    """Delete what a result says; what is left of it counts for the hour's limit. Raises: ResultNotFound."""
    nothing = dict.fromkeys(("final_url", "title", "result_all", "result_no_stop_words", "phrases"))
    _change(update(Result).where(*_own(user_id, public_id)).values(url="", deleted_at=func.now(), **nothing))


def _own(user_id: int, public_id: uuid.UUID) -> tuple[Any, ...]:
    return Result.user_id == user_id, Result.public_id == public_id, NOT_DELETED


def _change(change: Update) -> None:
    found = db.session.scalar(change.returning(Result.id)) is not None
    db.session.commit()
    if not found:
        raise ResultNotFound
