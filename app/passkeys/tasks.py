"""Background jobs of passkeys: every night purge the challenges that nobody answered."""

from app.jobs.queue import nightly
from app.passkeys import service


@nightly("passkeys.purge_expired_challenges")
def purge_expired_challenges(timestamp: int) -> None:
    service.purge_expired_challenges()
