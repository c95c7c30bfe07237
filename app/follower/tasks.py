"""Background job of the follower: every night, purge the marks that say nothing any more."""

from datetime import timedelta

from sqlalchemy import func

from app.follower.models import AccountWrite
from app.jobs.queue import nightly
from app.soft_delete import purge

KEPT = timedelta(days=1)  # a follower that lags longer is left out anyway, see standing.py


@nightly("follower.purge_old_marks")
def purge_old_marks(timestamp: int) -> None:
    purge(AccountWrite, AccountWrite.written_at <= func.now() - KEPT)
