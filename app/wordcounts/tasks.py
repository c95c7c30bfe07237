"""Background jobs of word counts: count a page; every night purge the deleted results.

No transaction is open while a page is fetched and its words are counted. A count may be started several times, because
workers die. The first one that finishes is kept.
"""

from typing import Any

from flask import current_app
from procrastinate import JobContext
from sqlalchemy import bindparam, func, update

from app.extensions import db
from app.follower import writes
from app.jobs.queue import JobRequeued, is_transient, queue, retrying
from app.soft_delete import purged_nightly
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import INTERRUPTED, FetchFailed
from app.wordcounts.models import DONE, FAILED, QUEUED, RUNNING, UNFINISHED, Result
from app.wordcounts.reading import read_page
from app.wordcounts.service import HOUR

MAX_RETRIES = 3

_UNFINISHED = update(Result).where(
    Result.id == bindparam("result_id"), Result.status.in_(UNFINISHED), Result.deleted_at.is_(None)
)


@queue.task(name="wordcounts.count", pass_context=True, retry=retrying(MAX_RETRIES, FetchFailed))
def count(context: JobContext, result_id: int) -> None:
    """Fetch a page and store its counts, or why there are none. Idempotent: leaves a finished or deleted one alone.

    Raises:
        FetchFailed: a transient failure and not the last attempt; it is stored, and the job is to be retried.
        JobRequeued, or what `is_transient`: the job is to be retried; nothing is stored.
        Exception: a bug; the result is stored as FAILED.
    """
    attempts = context.job.attempts
    if attempts > MAX_RETRIES:  # each time the worker died, or a transient error used up an attempt
        fail_interrupted(result_id)
        return
    url = _update(result_id, status=RUNNING)
    if url is None:  # finished, cancelled or deleted
        return
    try:
        _finish(result_id, status=DONE, error=None, **_counts_of(url))
    except FetchFailed as error:
        if not error.is_transient or attempts == MAX_RETRIES:
            _finish(result_id, status=FAILED, error=error.code)
        elif _update(result_id, status=QUEUED, error=error.code):  # not cancelled or deleted meanwhile
            raise
    except Exception as error:
        if not is_transient(error):
            db.session.rollback()
            fail_interrupted(result_id)
        raise


def _counts_of(url: str) -> dict[str, Any]:
    """Fetch a page and count its words; by the names of the columns. Raises: FetchFailed, JobRequeued."""
    try:
        page, document, counts = read_page(url, current_app.config["PAGE_SERVERS"])
    except sandbox.SandboxTerminated as error:
        raise JobRequeued from error
    return {"final_url": page.url, "title": document.title or None, **counts._asdict()}


purge_deleted = purged_nightly("wordcounts.purge_deleted", (Result, Result.deleted_at <= func.now() - HOUR))


def fail_interrupted(result_id: int) -> None:
    """Store that the counting failed, not the page."""
    _finish(result_id, status=FAILED, error=INTERRUPTED)


def _finish(result_id: int, **values: Any) -> None:
    _update(result_id, finished_at=func.now(), **values)


def _update(result_id: int, **values: Any) -> str | None:
    """Update a result, and return its URL. Return None if it is finished or deleted."""
    change = _UNFINISHED.values(**values).returning(Result.url, Result.user_id)
    changed = db.session.execute(change, {"result_id": result_id}).one_or_none()
    if changed:
        writes.mark(changed.user_id)
    db.session.commit()
    return changed.url if changed else None
