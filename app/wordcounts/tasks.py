"""Background jobs of word counts: count a page; every night purge the deleted results."""

from flask import current_app
from procrastinate import JobContext

from app.jobs.queue import JobRequeued, nightly, queue, retrying
from app.wordcounts import counting
from app.wordcounts.analysis.sandbox import SandboxTerminated
from app.wordcounts.failures import FetchFailed

MAX_RETRIES = 3


@queue.task(name="wordcounts.count", pass_context=True, retry=retrying(MAX_RETRIES, FetchFailed))
def count(context: JobContext, result_id: int) -> None:
    """Fetch a page and count its words. Idempotent: does nothing if the result is finished or deleted."""
    attempts = context.job.attempts
    if attempts > MAX_RETRIES:  # each time the worker died, or a transient error used up an attempt
        counting.fail_interrupted(result_id)
        return
    servers = current_app.config["PAGE_SERVERS"]
    try:
        counting.count_page(result_id, is_last_attempt=attempts == MAX_RETRIES, allowed_servers=servers)
    except SandboxTerminated as error:
        raise JobRequeued from error


@nightly("wordcounts.purge_deleted", old_name="wordcounts.remove_deleted")
def purge_deleted(timestamp: int) -> None:
    counting.purge_deleted_results()
