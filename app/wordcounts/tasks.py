"""What the worker does for word counts: count, and at night forget what was deleted."""

from flask import current_app
from procrastinate import JobContext

from app.jobs import NIGHTLY, HandedBack, queue, retrying
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
        raise HandedBack from error


@queue.periodic(cron=NIGHTLY)
@queue.task(name="wordcounts.remove_deleted", queueing_lock="wordcounts.remove_deleted", retry=retrying(3))
def remove_deleted(timestamp: int) -> None:
    while counting.remove_deleted_results():
        pass
