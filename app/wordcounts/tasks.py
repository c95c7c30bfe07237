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
from app.jobs.queue import JobRequeued, is_transient, nightly, queue, retrying
from app.soft_delete import purge
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import INTERRUPTED, FetchFailed
from app.wordcounts.fetching import AllowedServers
from app.wordcounts.models import DONE, FAILED, QUEUED, RUNNING, UNFINISHED, Result
from app.wordcounts.reading import read_page
from app.wordcounts.service import HOUR

MAX_RETRIES = 3

_UNFINISHED = update(Result).where(
    Result.id == bindparam("result_id"), Result.status.in_(UNFINISHED), Result.deleted_at.is_(None)
)


@queue.task(name="wordcounts.count", pass_context=True, retry=retrying(MAX_RETRIES, FetchFailed))
def count(context: JobContext, result_id: int) -> None:
    """Fetch a page and count its words. Idempotent: does nothing if the result is finished or deleted."""
    attempts = context.job.attempts
    if attempts > MAX_RETRIES:  # each time the worker died, or a transient error used up an attempt
        fail_interrupted(result_id)
        return
    servers = current_app.config["PAGE_SERVERS"]
    try:
        count_page(result_id, is_last_attempt=attempts == MAX_RETRIES, allowed_servers=servers)
    except sandbox.SandboxTerminated as error:
        raise JobRequeued from error


@nightly("wordcounts.purge_deleted")
def purge_deleted(timestamp: int) -> None:
    """Delete for good the results that were deleted more than an hour ago."""
    purge(Result, Result.deleted_at <= func.now() - HOUR)


def count_page(result_id: int, *, is_last_attempt: bool, allowed_servers: AllowedServers = frozenset()) -> None:
    """Fetch the page of a result, and store its counts or why there are none.

    Raises:
        FetchFailed: a transient failure and not the last attempt; it is stored, and the job is to be retried.
        SandboxTerminated, or what `is_transient`: the job is to be retried; nothing is stored.
        Exception: a bug; the result is stored as FAILED.
    """
    url = _update(result_id, status=RUNNING)
    if url is None:  # finished, cancelled or deleted
        return
    try:
        page, document, counts = read_page(url, allowed_servers)
        found = {"final_url": page.url, "title": document.title or None, **counts._asdict()}
        _finish(result_id, status=DONE, error=None, **found)
    except FetchFailed as error:
        if error.is_transient and not is_last_attempt:
            if _update(result_id, status=QUEUED, error=error.code) is None:  # cancelled or deleted meanwhile
                return
            raise
        _finish(result_id, status=FAILED, error=error.code)
    except Exception as error:
        if isinstance(error, sandbox.SandboxTerminated) or is_transient(error):
            raise
        db.session.rollback()
        fail_interrupted(result_id)
        raise


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
