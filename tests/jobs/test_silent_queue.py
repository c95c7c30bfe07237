"""The queue's connection: a statement that is not answered is given up, and the worker is told."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from flask import Flask
from procrastinate.exceptions import ConnectorException, UniqueViolation

from app.jobs import connection
from app.jobs.connection import QueueConnector, connector
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

    assert with_queue(migrated, use) == 2


def test_each_statement_is_a_transaction_that_no_silence_can_leave_open(migrated: Flask) -> None:
    async def use(opened: QueueConnector) -> None:
        async with opened.pool.connection() as connection:
            assert connection.autocommit

    with_queue(migrated, use)
