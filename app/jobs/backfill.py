"""Long backfills of the schema, as jobs: one batch each, on the queue that everything else uses.

app.release records what is to be filled and does the work; here is only how its next batch is deferred.
"""

import logging
import time

from procrastinate.types import TimeDeltaParams
from sqlalchemy import Connection, text

from app.extensions import db
from app.jobs.queue import defer_on, queue, retrying
from app.release.backfills import records
from app.release.backfills.batches import run_batch

PRIORITY = -10  # every other job that waits goes first

# The queue starts a job that waits for its time at its next poll, up to 5 seconds late. So a shorter pause is slept.
SHORTEST_SCHEDULE = 1.0  # seconds

_HAS_QUEUE = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
_IS_QUEUED = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs"
    " WHERE task_name = 'release.fill_batch' AND status IN ('todo', 'doing')"
    " AND args @> jsonb_build_object('name', CAST(:name AS text), 'turn', CAST(:turn AS bigint)))"
)

log = logging.getLogger(__name__)


@queue.task(name="release.fill_batch", retry=retrying(3))
def fill_batch(name: str, turn: int, pause_ms: int) -> None:
    """Fill one batch. Idempotent: a job whose turn is over does nothing.

    The pause comes first, while the job holds no connection. Then half of the database's time is left to the requests.
    """
    time.sleep(pause_ms / 1000)
    run_batch(db.session.connection(), name, turn)
    db.session.commit()


def defer_batch(connection: Connection, name: str, turn: int, delay: float) -> None:
    """Add the job of a batch to the connection's transaction. It is a hook of app.release.

    Before the migration that creates the queue there is none. resume_lost_backfills finds the backfill later.

    Args:
        delay: seconds.
    """
    if not connection.scalar(_HAS_QUEUE):
        log.info("backfill %s: there is no queue yet; it begins when there is a worker", name)
        return
    later: TimeDeltaParams | None = {"seconds": round(delay)} if delay >= SHORTEST_SCHEDULE else None
    arguments: dict[str, str | int] = {"name": name, "turn": turn, "pause_ms": 0 if later else int(delay * 1000)}
    defer_on(connection, fill_batch.name, arguments, after=later, priority=PRIORITY)


@queue.periodic(cron="* * * * *")
@queue.task(name="release.resume_lost_backfills", queueing_lock="release.resume_lost_backfills", priority=100)
def resume_lost_backfills(timestamp: int) -> None:
    """Defer the next batch of a backfill that runs and has no job.

    A worker of a release that does not know the task fails its jobs, and a --sql script defers none. The row stays
    locked until the commit, so its turn does not move on meanwhile; one that is locked is being worked on.
    """
    connection = db.session.connection()
    for backfill in records.lock_running(connection):
        if not connection.scalar(_IS_QUEUED, {"name": backfill.name, "turn": backfill.turn}):
            log.warning("backfill %s: no job for turn %d; deferred again", backfill.name, backfill.turn)
            defer_batch(connection, backfill.name, backfill.turn, 0)
    db.session.commit()
