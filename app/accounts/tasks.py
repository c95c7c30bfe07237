"""What the worker does for accounts: at night it forgets the sessions that have expired."""

from app.accounts import service
from app.jobs import NIGHTLY, queue, retrying


@queue.periodic(cron=NIGHTLY)
@queue.task(
    name="accounts.remove_expired_sessions", queueing_lock="accounts.remove_expired_sessions", retry=retrying(3)
)
def remove_expired_sessions(timestamp: int) -> None:
    while service.remove_expired_sessions():
        pass
