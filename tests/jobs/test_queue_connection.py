"""The queue where there is a pooled URL alone: a worker polls, and its jobs run."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.jobs.connection import connector, worker_options
from app.jobs.queue import defer, queue
from app.jobs.worker import in_context
from config import TestingConfig
from tests.databases import Environment
from tests.pgbouncer import needs_pgbouncer, pooler
from tests.queued import queued

pytestmark = [pytest.mark.servers, needs_pgbouncer]


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


def test_a_worker_polls_and_does_what_waits(pooled: Flask, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(8):  # more than psycopg sends before it would prepare a statement
        defer("jobs.requeue_stalled_jobs", timestamp=0)
        db.session.commit()
        assert asyncio.run(work(pooled)) == {"listen_notify": False, "fetch_job_polling_interval": 1.0}
    assert queued() == []
    assert "set MIGRATION_DATABASE_URL to the database's direct URL" in caplog.text


def test_with_a_direct_url_it_listens(migrated: Flask) -> None:
    assert asyncio.run(work(migrated)) == {}
