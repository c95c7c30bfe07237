"""Retries: which errors, how often, with which backoff, and by whose clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from procrastinate.jobs import Job
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.extensions import db
from app.jobs.queue import MOST_ATTEMPTS, JobRequeued, defer, queue, retrying, session_jobs


class Transient(Exception):
    pass


NO_DATABASE = OperationalError("SELECT 1", {}, Exception())
STRATEGY = retrying(3, Transient)


def seconds_until_retry(error: Exception, attempts: int) -> float | None:
    job = Job(queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempts)
    decision = STRATEGY.get_retry_decision(exception=error, job=job)
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - datetime.now(UTC)).total_seconds())


def test_the_backoff_is_exponential() -> None:
    assert [seconds_until_retry(Transient(), attempts) for attempts in range(5)] == [4, 16, 64, None, None]


def test_an_error_that_was_not_named_is_not_retried() -> None:
    assert seconds_until_retry(ValueError(), 0) is None


@pytest.mark.parametrize("error", [JobRequeued(), NO_DATABASE])
def test_an_error_that_is_not_the_tasks_fault_does_not_use_up_its_retries(error: Exception) -> None:
    """Otherwise the job would end here, and nobody would store that it failed."""
    assert seconds_until_retry(error, 3) == 4
    assert seconds_until_retry(error, MOST_ATTEMPTS - 1) == 4
    assert seconds_until_retry(error, MOST_ATTEMPTS) is None


@pytest.mark.parametrize(
    ("code", "seconds"),
    [("25006", 4), ("53100", 4), ("57P01", 4), ("25P03", 4), ("54000", None), ("42P01", None), ("0A000", None)],
)
def test_what_the_database_cannot_do_now_does_not_use_up_retries_and_a_mistake_of_ours_is_not_retried(
    app: Flask, code: str, seconds: float | None
) -> None:
    with app.app_context(), pytest.raises(DBAPIError) as refused:
        db.session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$"))
    assert [seconds_until_retry(refused.value, attempts) for attempts in (0, 3)] == [seconds, seconds]


@pytest.mark.parametrize("ahead", [-3600, -30, 30, 3600])
def test_a_job_waits_by_the_databases_clock(app: Flask, ahead: float) -> None:
    """Whatever the time is on the machine of the worker that retries it, or of the web that defers it for later."""
    clock, waiting = text("SELECT clock_timestamp()"), text("SELECT id, scheduled_at FROM procrastinate_jobs")
    with app.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead), tick=True):
        before = db.session.scalar(clock)
        defer("storage.delete", key="photos/x.webp", after={"hours": 1})
        job_id, scheduled_at = db.session.execute(waiting).one()
        assert before <= scheduled_at - timedelta(hours=1) <= db.session.scalar(clock)

        db.session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
        job = Job(id=job_id, queue="default", lock=None, queueing_lock=None, task_name="storage.delete")
        before = db.session.scalar(clock)
        decision = STRATEGY.get_retry_decision(exception=NO_DATABASE, job=job)
        assert decision
        asyncio.run(session_jobs.retry_job(job, retry_at=decision.retry_at))
        [(_, scheduled_at)] = db.session.execute(waiting)
        assert before <= scheduled_at - timedelta(seconds=4) <= db.session.scalar(clock)
    assert type(queue.job_manager) is type(session_jobs), "a worker does the same"
