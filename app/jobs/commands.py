"""`flask jobs list | retry | drop`: see why jobs failed (dead letter queue), run them again, or give them up.

What a job was given is not shown: it may be a key.
"""

from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.database.errors import server_message, violated_constraint
from app.extensions import db
from app.jobs.tasks import RETRY

MOST_LISTED = 100
QUEUEING_LOCK = "procrastinate_jobs_queueing_lock_idx_v1"  # of a nightly task one job waits, and each night defers it

_LIST = text(
    "SELECT job.id, job.status, job.task_name, job.attempts, request_id,"
    " to_char(coalesce(failed_at, (SELECT max(at) FROM procrastinate_events event WHERE event.job_id = job.id))"
    " AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') AS at,"
    " coalesce(error, CASE WHEN job.status = 'failed' THEN 'no cause is known' ELSE '' END) AS error"
    " FROM procrastinate_jobs job LEFT JOIN job_records USING (id)"
    " WHERE job.status = 'failed' OR NOT :only_failed ORDER BY job.id DESC LIMIT :most"
)
_STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :job FOR UPDATE")
_END_PAUSE = text(
    "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE id = :job AND scheduled_at > now() RETURNING id"
)
_FIRST_ATTEMPT = text("UPDATE procrastinate_jobs SET attempts = 0 WHERE id = :job")
_DROP = text("DELETE FROM procrastinate_jobs WHERE id = :job")


class JobsGroup(AppGroup):
    def invoke(self, ctx: click.Context) -> Any:
        """Tell in a sentence that the database does not answer, or has no queue."""
        try:
            return super().invoke(ctx)
        except DBAPIError as error:
            advice = "See that DATABASE_URL leads to the service's database, and that it is migrated: flask db upgrade"
            raise click.ClickException(f"{server_message(error)}. {advice}") from error


@click.group("jobs", cls=JobsGroup)
def jobs_commands() -> None:
    """List the jobs of the queue, retry one that failed, or drop one."""


@jobs_commands.command("list")
@click.option("--failed", "only_failed", is_flag=True, help="Only those that have failed.")
@with_appcontext
def list_command(only_failed: bool) -> None:
    """Show the jobs that have not succeeded, the newest first: those that wait, run or have failed, and why."""
    rows = db.session.execute(_LIST, {"only_failed": only_failed, "most": MOST_LISTED + 1}).all()
    for row in rows[:MOST_LISTED]:
        request = f"request_id={row.request_id or '-'}"
        parts = (row.id, row.status, row.task_name, f"attempts={row.attempts}", row.at or "-", request, row.error)
        click.echo("  ".join(str(part) for part in parts if part != ""))
    if not rows:
        click.echo("No job has failed." if only_failed else "No job waits, runs or has failed.")
    if len(rows) > MOST_LISTED:
        click.echo(f"… and older ones than these {MOST_LISTED}.")


@jobs_commands.command("retry")
@click.argument("job", type=int)
@with_appcontext
def retry_command(job: int) -> None:
    """Put the failed JOB back into the queue, with all its attempts; or end its pause. Every task may run twice."""
    status = lock(job)
    if status == "todo" and db.session.scalar(_END_PAUSE, {"job": job}):
        db.session.commit()
        click.echo(f"Job {job} pauses no longer.")
        return
    if status != "failed":
        raise refusal(f"Job {job} is {status}: only one that failed or pauses is retried.")
    try:
        db.session.execute(RETRY, {"job": job})
        db.session.execute(_FIRST_ATTEMPT, {"job": job})
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        if violated_constraint(error) != QUEUEING_LOCK:
            raise
        raise refusal(f"Another job like {job} waits already, and only one may: drop this one.") from error
    click.echo(f"Job {job} is back in the queue.")


@jobs_commands.command("drop")
@click.argument("job", type=int)
@with_appcontext
def drop_command(job: int) -> None:
    """Delete JOB, which waits or has failed. What it should have done is not done."""
    if lock(job) == "doing":
        raise refusal(f"A worker runs job {job}: wait until it ends, or stop the worker.")
    db.session.execute(_DROP, {"job": job})
    db.session.commit()
    click.echo(f"Job {job} is dropped.")


def refusal(reason: str) -> click.ClickException:
    return click.ClickException(f"{reason} Nothing was changed.")


def lock(job: int) -> str:
    """Return the status of the job, whose row stays locked until the transaction ends."""
    status: str | None = db.session.scalar(_STATUS, {"job": job})
    if status is None:
        raise click.ClickException(f"There is no job {job}: it has succeeded, or was dropped. See: flask jobs list")
    return status
