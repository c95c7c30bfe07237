"""Nightly job of accounts: purge the sessions that have expired."""

from app.accounts import sessions
from app.jobs import nightly


@nightly("accounts.purge_expired_sessions", old_name="accounts.remove_expired_sessions")
def purge_expired_sessions(timestamp: int) -> None:
    sessions.purge_expired_sessions()
