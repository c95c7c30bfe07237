"""The queue's connection: a statement that is not answered is given up, and behind a pooler a worker polls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from procrastinate.exceptions import ConnectorException, UniqueViolation

from app import create_app
from app.extensions import db
from app.jobs import connection
from app.jobs.connection import QueueConnector, connector, worker_options
from app.jobs.queue import defer, queue
from app.jobs.worker import in_context
from config import TestingConfig
from tests.databases import Environment
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.queued import queued
from tests.waiting import WITHIN

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


def test_a_statement_that_the_database_refuses_is_an_answer_only_where_a_periodic_job_waits_already(
    migrated: Flask,
) -> None:
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
            db.session.remove()
            db.engine.dispose()


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


def test_with_a_direct_url_it_listens(migrated: Flask) -> None:
    assert asyncio.run(work(migrated)) == {}
