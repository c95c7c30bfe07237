"""The tasks of the queue's own: requeue the jobs of dead workers, delete failed jobs, and fill long backfills.

online_migrations records what a backfill fills and does the work; here is only how its next batch is deferred.
"""

import logging
import time
from datetime import timedelta

from procrastinate.types import TimeDeltaParams
from sqlalchemy import Connection, TextClause, text

from app.extensions import db
from app.jobs.queue import MOST_ATTEMPTS, add_failure, defer_on, nightly, queue, retrying
from online_migrations.backfills import requeue_lost, run_batch

log = logging.getLogger(__name__)

DEAD_AFTER = 30.0  # seconds without a heartbeat; longer than a stopping worker runs, which sends none
LONGEST_JOB = 600.0  # seconds; no job of ours takes as long, so one that seems to was lost with a connection
FAILED_JOBS_KEPT = timedelta(days=30)

# Locked, so that no two workers requeue a job and none finishes it meanwhile; one that is locked is left to who has it.
# A job without a worker has lost it: procrastinate deletes workers that have died.
_STALLED = text(
    "SELECT job.id, job.task_name, job.attempts, job.queueing_lock FROM procrastinate_jobs job"
    " LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id WHERE job.status = 'doing'"
    " AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :dead)"
    " OR (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id AND event.type = 'started')"
    " < now() - make_interval(secs => :longest)) ORDER BY job.id FOR UPDATE OF job SKIP LOCKED"
).bindparams(dead=DEAD_AFTER, longest=LONGEST_JOB)
RETRY = text("SELECT procrastinate_retry_job_v2(:job, now(), NULL, NULL, NULL)")
_FAIL = text("SELECT procrastinate_finish_job_v1(:job, 'failed', false)")
BATCH = 500  # rows that one transaction of a purge deletes
# JobManager.delete_old_jobs() deletes in one statement, which ends at the timeout when there are many.
_PURGE_FAILED = text(
    "DELETE FROM procrastinate_jobs WHERE id IN (SELECT id FROM procrastinate_jobs job"
    " WHERE id > :after AND status IN ('failed', 'cancelled', 'aborted')"
    " AND (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id) <= now() - :kept"
    " ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED) RETURNING id"
).bindparams(kept=FAILED_JOBS_KEPT, batch=BATCH)
_PURGE_RECORDS = text(
    "DELETE FROM job_records WHERE id IN (SELECT id FROM job_records record WHERE id > :after"
    " AND NOT EXISTS (SELECT FROM procrastinate_jobs job WHERE job.id = record.id)"
    " ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED) RETURNING id"
).bindparams(batch=BATCH)


class WorkerLost(Exception):
    """Tell why a job failed that no worker has ended."""


@queue.periodic(cron="* * * * * */20")  # the sixth field: every 20 seconds
@queue.task(name="jobs.requeue_stalled_jobs", queueing_lock="jobs.requeue_stalled_jobs", priority=100)
def requeue_stalled_jobs(timestamp: int) -> None:
    """Requeue the jobs of dead workers. A job that was attempted MOST_ATTEMPTS times fails instead."""
    for job in db.session.execute(_STALLED).all():
        # One with a queueing lock is periodic and is deferred again anyway. That one may wait already; only one can.
        is_retried = job.attempts < MOST_ATTEMPTS and job.queueing_lock is None
        end = "requeued" if is_retried else "failed"
        log.warning("job %d (%s) stalled at attempt %d; %s", job.id, job.task_name, job.attempts, end)
        db.session.execute(RETRY if is_retried else _FAIL, {"job": job.id})
        if not is_retried:
            add_failure(job.id, WorkerLost("its workers died or lost the database"))
    db.session.commit()


@nightly("jobs.purge_failed_jobs")
def purge_failed_jobs(timestamp: int) -> None:
    """Delete jobs that ended without success FAILED_JOBS_KEPT ago. The worker deletes successful ones at once."""
    _purge(_PURGE_FAILED)


@nightly("jobs.purge_lost_records")
def purge_lost_records(timestamp: int) -> None:
    """Delete the records of jobs that are gone."""
    _purge(_PURGE_RECORDS)


def _purge(batch: TextClause) -> None:
    """Delete what has expired from one id to the next, since no index serves the condition, until nothing is left."""
    after = -1
    while deleted := db.session.scalars(batch, {"after": after}).all():
        db.session.commit()
        after = max(deleted)
    db.session.commit()


PRIORITY = -10  # every other job that waits goes first

# The queue starts a job that waits for its time at its next poll, up to 5 seconds late. So a shorter pause is slept.
SHORTEST_SCHEDULE = 1.0  # seconds

_HAS_QUEUE = text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")
_IS_QUEUED = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs"
    " WHERE task_name = 'release.fill_batch' AND status IN ('todo', 'doing')"
    " AND args @> jsonb_build_object('name', CAST(:name AS text), 'turn', CAST(:turn AS bigint)))"
)


@queue.task(name="release.fill_batch", retry=retrying(3))
def fill_batch(name: str, turn: int, pause_ms: int) -> None:
    """Fill one batch. Idempotent: a job whose turn is over does nothing.

    The pause comes first, while the job holds no connection. Then half of the database's time is left to the requests.
    """
    time.sleep(pause_ms / 1000)
    run_batch(db.session.connection(), name, turn)
    db.session.commit()


def defer_batch(connection: Connection, name: str, turn: int, delay: float) -> None:
    """Add the job of a batch to the connection's transaction, with a delay in seconds: a hook of online_migrations."""
    if not connection.scalar(_HAS_QUEUE):
        log.info("backfill %s: there is no queue yet; it begins when there is a worker", name)
        return
    later: TimeDeltaParams | None = {"seconds": round(delay)} if delay >= SHORTEST_SCHEDULE else None
    arguments: dict[str, str | int] = {"name": name, "turn": turn, "pause_ms": 0 if later else int(delay * 1000)}
    defer_on(connection, fill_batch.name, arguments, after=later, priority=PRIORITY)


@queue.periodic(cron="* * * * *")
@queue.task(name="release.resume_lost_backfills", queueing_lock="release.resume_lost_backfills", priority=100)
def resume_lost_backfills(timestamp: int) -> None:
    """Defer the next batch of a backfill that runs and has no job."""
    connection = db.session.connection()
    requeue_lost(connection, lambda name, turn: bool(connection.scalar(_IS_QUEUED, {"name": name, "turn": turn})))
    db.session.commit()
