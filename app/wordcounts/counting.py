"""Counting, which the worker does: no transaction is open while a page is fetched or its words are counted.

A count may be begun several times, by workers that died, and the first that ends is kept.
"""

from typing import Any

from sqlalchemy import bindparam, func, update

from app.extensions import db
from app.jobs import TRANSIENT_ERRORS
from app.soft_delete import has_expired, purge
from app.wordcounts import sandbox
from app.wordcounts.failures import INTERRUPTED, FetchFailed
from app.wordcounts.fetch import fetch
from app.wordcounts.limits import HOUR
from app.wordcounts.models import DONE, FAILED, QUEUED, RUNNING, Result

_UNFINISHED = update(Result).where(
    Result.id == bindparam("result_id"), Result.status.in_((QUEUED, RUNNING)), Result.deleted_at.is_(None)
)


def count_page(result_id: int, *, is_last_try: bool, allowed_servers: frozenset[tuple[str, int]] = frozenset()) -> None:
    """Fetch the page of a result and store its counts, or why there are none.

    Args:
        allowed_servers: see `fetch`.

    Raises:
        FetchFailed: it may go better the next time, and this is not the last.
        sandbox.Stopped, jobs.TRANSIENT_ERRORS: likewise, though nothing is noted.
    """
    url = _set(result_id, status=RUNNING)
    if url is None:  # it is finished, or deleted
        return
    try:
        _finish(result_id, status=DONE, error=None, **_counted(url, allowed_servers))
    except FetchFailed as error:
        if error.may_pass and not is_last_try:
            _set(result_id, status=QUEUED, error=error.code)
            raise
        _finish(result_id, status=FAILED, error=error.code)
        return
    except (sandbox.Stopped, *TRANSIENT_ERRORS):
        raise
    except Exception:
        db.session.rollback()
        give_up(result_id)
        raise


def give_up(result_id: int) -> None:
    """The counting itself failed, and would again."""
    _finish(result_id, status=FAILED, error=INTERRUPTED)


def _counted(url: str, allowed_servers: frozenset[tuple[str, int]]) -> dict[str, Any]:
    """The columns of a result that the page decides."""
    page = fetch(url, allowed_servers=allowed_servers)
    title, counts = sandbox.read(page.text, is_html=page.is_html)
    return {
        "final_url": page.url,
        "title": title or None,
        "result_all": counts.words,
        "result_no_stop_words": counts.words_without_stop_words,
        "phrases": {"2": counts.two_word_phrases, "3": counts.three_word_phrases},
        "total_words": counts.total_words,
        "unique_words": counts.unique_words,
        "content_words": counts.content_words,
        "characters": counts.characters,
        "reading_seconds": counts.reading_seconds,
        "truncated": counts.truncated,
    }


def _finish(result_id: int, **values: Any) -> None:
    _set(result_id, finished_at=func.now(), **values)


def _set(result_id: int, **values: Any) -> str | None:
    """Change a result that is not finished; its URL, or None when there is none such."""
    url: str | None = db.session.scalar(_UNFINISHED.values(**values).returning(Result.url), {"result_id": result_id})
    db.session.commit()
    return url


def purge_deleted_results() -> int:
    """Delete for good what anybody deleted longer than an hour ago; how many results."""
    return purge(Result, has_expired(Result.deleted_at, HOUR))
