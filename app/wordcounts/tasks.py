"""What the worker does for word counts: count, and at night purge what was deleted."""

from flask import current_app
from procrastinate import JobContext

from app.jobs import NIGHTLY, JobRequeued, queue, retrying
from app.wordcounts import counting
from app.wordcounts.failures import FetchFailed
from app.wordcounts.sandbox import Stopped

TRIES = 3  # after the first one


@queue.task(name="wordcounts.count", pass_context=True, retry=retrying(TRIES, FetchFailed))
def count(context: JobContext, result_id: int) -> None:
    """Fetch a page and count its words. Does nothing when that was done before, or is not wanted any more."""
    attempts = context.job.attempts
    if attempts > TRIES:  # it took its worker with it, or something else came between, each time
        counting.give_up(result_id)
        return
    servers = current_app.config["PAGE_SERVERS"]
    try:
        counting.count_page(result_id, is_last_try=attempts == TRIES, allowed_servers=servers)
    except Stopped as error:
        raise JobRequeued from error


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="wordcounts.purge_deleted",
    aliases=["wordcounts.remove_deleted"],  # jobs that the release before deferred
    queueing_lock="wordcounts.purge_deleted",
    retry=retrying(3),
)
def purge_deleted(timestamp: int) -> None:
    counting.purge_deleted_results()
