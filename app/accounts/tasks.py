"""Nightly job of accounts: purge the sessions that have expired."""

from app.accounts import sessions
from app.jobs import NIGHTLY, queue, retrying


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="accounts.purge_expired_sessions",
    aliases=["accounts.remove_expired_sessions"],  # jobs that the release before deferred
    queueing_lock="accounts.purge_expired_sessions",
    retry=retrying(3),
)
def purge_expired_sessions(timestamp: int) -> None:
    sessions.purge_expired_sessions()
