"""Background jobs of passkeys: every night purge the challenges that nobody answered."""

from sqlalchemy import func

from app.jobs.queue import nightly
from app.passkeys.models import Challenge
from app.soft_delete import purge


@nightly("passkeys.purge_expired_challenges")
def purge_expired_challenges(timestamp: int) -> None:
    purge(Challenge, Challenge.expires_at <= func.now())
