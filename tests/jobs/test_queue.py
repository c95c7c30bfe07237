"""Deferring a job in the transaction of its rows, retrying it by the database's clock, and the queue's connection.

A statement that is not answered is given up, and behind a pooler a worker polls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from procrastinate import BaseRetryStrategy
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError
from sqlalchemy.orm import Session

from app import create_app
from app.accounts.models import User
from app.extensions import db
from app.jobs import connection
from app.jobs.connection import QueueConnector, connector, worker_options
from app.jobs.queue import MOST_ATTEMPTS, NIGHTLY, JobRequeued, JobsByDatabaseTime, defer, queue, retrying
from app.jobs.worker import in_context
from config import TestingConfig
from tests.databases import Environment
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.queued import queued, run_queued
from tests.test_architecture import FEATURES
from tests.visitor import Visitor
from tests.waiting import WITHIN


def test_a_request_that_fails_after_deferring_leaves_neither_row_nor_job(
    app: Flask, signed_in: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail as when the connection is lost at the commit."""
    url = f"{app.config['S3_PUBLIC_URL']}/photos/{'0' * 32}.webp"
    db.session.execute(update(User).values(image_url=url))
    db.session.commit()
    deferred = []
    commit = Session.commit

    def fail(session: Session) -> None:
        if not queued():  # a commit of the request's rate limit, which comes first
            commit(session)
            return
        deferred.extend(queued())
        raise ConnectionError

    token = signed_in.csrf_token()
    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", fail)
        with pytest.raises(ConnectionError):
            signed_in.post("/mypage/photo/delete", data={"csrf_token": token})
    assert [name for name, _ in deferred] == ["storage.delete"]
    assert queued() == []
    assert db.session.scalar(select(User.image_url)) == url


def test_an_unknown_task_is_refused_and_a_database_error_is_raised_as_by_any_other_statement(app: Flask) -> None:
    with pytest.raises(KeyError):
        defer("mypage.delete_foto", key="photos/x.webp")
    assert queued() == []
    db.session.execute(text("SAVEPOINT before"))
    with pytest.raises(Exception, match="no_such_table"):
        db.session.execute(text("SELECT FROM no_such_table"))
    with pytest.raises(InternalError, match="transaction is aborted"):
        defer("storage.delete", key="photos/x.webp")
    db.session.execute(text("ROLLBACK TO before"))
    defer("storage.delete", key="photos/x.webp")
    db.session.execute(text("SELECT setval('procrastinate_jobs_id_seq', max(id), false) FROM procrastinate_jobs"))
    with pytest.raises(IntegrityError), db.session.begin_nested():
        defer("storage.delete", key="photos/x.webp")


def test_every_task_has_a_name_that_says_its_feature() -> None:
    ours = {name for name in queue.tasks if "builtin" not in name}
    shared = {"figures", "follower", "idempotency", "jobs", "rate_limits", "release", "storage", "sync"}
    assert {name.partition(".")[0] for name in ours} <= FEATURES | shared


def test_the_nightly_tasks_run(app: Flask) -> None:
    nightly = [task for task in queue.periodic_registry.periodic_tasks.values() if task.cron == NIGHTLY]
    names = {task.task.name for task in nightly}
    assert {name.partition(".")[0] for name in names} >= {"accounts", "jobs", "notes", "photos", "todos"}
    for name in names:
        defer(name, timestamp=0)
    run_queued(app)
    assert queued() == []


class Transient(Exception):
    pass


NO_DATABASE = OperationalError("SELECT 1", {}, Exception())
STRATEGY = retrying(3, Transient)


def seconds_until_retry(error: Exception, attempts: int, strategy: BaseRetryStrategy = STRATEGY) -> float | None:
    job = Job(queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempts)
    decision = strategy.get_retry_decision(exception=error, job=job)
    if decision is None or decision.retry_at is None:
        return None
    return round((decision.retry_at - datetime.now(UTC)).total_seconds())


def test_the_backoff_is_exponential_and_only_for_errors_that_were_named() -> None:
    assert [seconds_until_retry(Transient(), attempts) for attempts in range(5)] == [4, 16, 64, None, None]
    assert seconds_until_retry(ValueError(), 0) is None


def test_transient_errors_do_not_use_up_the_retries_of_a_task_and_mistakes_of_ours_are_not_retried(app: Flask) -> None:
    """Otherwise the job would end here, and nobody would store that it failed."""

    def refusal(code: str) -> DBAPIError:
        with pytest.raises(DBAPIError) as refused, db.session.begin_nested():
            db.session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$"))
        return refused.value

    expected = {3: 4, MOST_ATTEMPTS - 1: 4, MOST_ATTEMPTS: None}
    for error in (JobRequeued(), NO_DATABASE, refusal("25006"), refusal("53100")):
        assert {attempts: seconds_until_retry(error, attempts) for attempts in expected} == expected, error
    assert seconds_until_retry(refusal("42P01"), 0) is None


class InSession(BaseConnector):
    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        db.session.connection().exec_driver_sql(query, arguments)

    async def execute_query_all_async(self, query: str, **arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in db.session.connection().exec_driver_sql(query, arguments).mappings()]


@pytest.mark.parametrize("ahead", [-3600, 3600])
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
        asyncio.run(JobsByDatabaseTime(InSession()).retry_job(job, retry_at=decision.retry_at))
        [(_, scheduled_at)] = db.session.execute(waiting)
        assert before <= scheduled_at - timedelta(seconds=4) <= db.session.scalar(clock)
    assert type(queue.job_manager) is JobsByDatabaseTime, "a worker does the same"


WAITING = "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES ('default', 'a', 'a')"


def with_queue(app: Flask, use: Callable[[QueueConnector], Awaitable[None]]) -> int:
    """Open the queue's connection for `use`; returns how many statements were answered."""
    answered = []

    async def run() -> None:
        opened = connector(app, lambda: answered.append(1))
        await opened.open_async()
        await use(opened)
        await opened.close_async()

    asyncio.run(asyncio.wait_for(run(), WITHIN))
    return len(answered)


def test_a_statement_without_an_answer_is_given_up_and_the_next_one_has_a_connection_of_its_own(
    migrated: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT", 0.5)

    async def use(opened: QueueConnector) -> None:
        with pytest.raises(ConnectorException):
            await opened.execute_query_async("SELECT pg_sleep(60)")
        assert opened.failed.is_set()
        monkeypatch.setattr(connection, "ANSWER_TIMEOUT", WITHIN)
        assert await opened.execute_query_one_async("SELECT 1 AS one") == {"one": 1}

    assert with_queue(migrated, use) == 1
    assert "has not answered the queue" in caplog.text


def test_a_statement_that_is_refused_is_an_answer_only_where_a_periodic_job_waits_already(migrated: Flask) -> None:
    async def use(opened: QueueConnector) -> None:
        await opened.execute_query_async(WAITING)
        with pytest.raises(UniqueViolation):
            await opened.execute_query_async(WAITING)
        assert not opened.failed.is_set()
        with pytest.raises(ConnectorException):
            await opened.execute_query_all_async("SELECT nothing_of_this_name")
        assert opened.failed.is_set()
        async with opened.pool.connection() as connection:
            assert connection.autocommit  # so that no silence can leave a transaction open

    assert with_queue(migrated, use) == 2


@pytest.fixture
def pooled(migrated_environment: Environment) -> Iterator[Flask]:
    with pooler(migrated_environment, sessions=2) as environment:
        app = create_app(TestingConfig({**environment, "MIGRATION_DATABASE_URL": environment["DATABASE_URL"]}))
        with app.app_context():
            yield app


async def work(app: Flask) -> dict[str, Any]:
    """Do what waits, as a worker does; what it does otherwise for the sake of its URL."""
    opened = connector(app)
    with queue.replace_connector(opened):
        async with queue.open_async():
            options = await worker_options(opened)
            await queue.run_worker_async(
                wait=False, install_signal_handlers=False, task_middleware=[in_context(app)], **options
            )
            return options


@pytest.mark.servers
@needs_pgbouncer
def test_a_worker_polls_and_does_what_waits(pooled: Flask, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(8):  # more than psycopg sends before it would prepare a statement
        defer("jobs.requeue_stalled_jobs", timestamp=0)
        db.session.commit()
        assert asyncio.run(work(pooled)) == {"listen_notify": False, "fetch_job_polling_interval": 1.0}
    assert queued() == []
    assert "set MIGRATION_DATABASE_URL to the database's direct URL" in caplog.text


def test_where_the_session_is_not_the_one_announced_it_polls(migrated: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """As behind a pooler: here a function of this name comes before the server's own."""
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE FUNCTION pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 0'")
        connection.exec_driver_sql(f"ALTER DATABASE {db.engine.url.database} SET search_path = public, pg_catalog")
    defer("jobs.purge_lost_records", timestamp=0)
    db.session.commit()
    assert asyncio.run(work(migrated)) == {"listen_notify": False, "fetch_job_polling_interval": 1.0}
    assert queued() == []
    assert "set MIGRATION_DATABASE_URL to the database's direct URL" in caplog.text


def test_with_a_direct_url_it_listens(migrated: Flask) -> None:
    assert asyncio.run(work(migrated)) == {}
