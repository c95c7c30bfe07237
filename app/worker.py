"""`flask worker`: the process that runs the background jobs.

It reconnects by itself when the database restarts. On SIGTERM or SIGINT it takes no new job and exits within 25
seconds, before Heroku kills it at 30. A job that still runs then goes back into the queue.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any

import click
from flask import Flask, current_app
from procrastinate import JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from psycopg_pool import PoolTimeout
from sqlalchemy import event, make_url

from app.extensions import db
from app.job_middleware import in_context
from app.jobs import JobRequeued, queue
from app.pooled_queue import worker_options
from app.queue_upkeep import DEAD_AFTER
from app.release import boot_gate
from app.web import logs

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two heartbeats
GRACE_PERIOD = 20.0  # seconds from the signal until the running jobs are requeued
EXIT_AFTER = 24.0  # seconds from the signal until the process exits in any case; without a database nothing is requeued
RECONNECT_PAUSE = 2.0  # seconds between two tries to reach the database, or to find its schema migrated
POOL_TIMEOUT = 5.0  # seconds
CONNECT_TIMEOUT = 5  # seconds
SESSION_NAME = "semicircle-worker"  # the application_name of its database sessions


@click.command("worker")
def worker() -> None:
    """Run queued jobs until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    logs.configure(app.config["LOG_LEVEL"])  # in tests too: the worker is a process of its own
    event.listen(db.engine, "do_connect", _name_session)
    asyncio.run(_serve(app))


def _name_session(dialect: object, record: object, arguments: object, options: dict[str, Any]) -> None:
    options["application_name"] = SESSION_NAME


async def _serve(app: Flask) -> None:
    """Work until a signal comes, from when the schema is there. Start again whenever the database was away."""
    stopping, grace_over = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(app.config["WORKER_THREADS"]))  # Python's default depends on the CPUs

    def stop() -> None:
        stopping.set()
        loop.call_later(GRACE_PERIOD, grace_over.set)
        loop.call_later(EXIT_AFTER, _exit)

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():  # a second signal may come while the process exits
            loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    while not stopping.is_set():
        if await asyncio.to_thread(boot_gate.may_work, app):
            await _work_until(stopping, _work(app, grace_over))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RECONNECT_PAUSE)
    if grace_over.is_set():
        _exit()


def _exit() -> None:
    """Exit without waiting for threads: they cannot be ended, and their jobs are requeued now or when they stall."""
    for process in multiprocessing.active_children():
        process.kill()
    logging.shutdown()
    os._exit(0)


async def _work_until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run the work until it fails because the queue does not answer, or cancel it when stopping."""
    working, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if stopping.is_set():
        working.cancel()
    try:
        await working
    except (ConnectorException, PoolTimeout) as error:
        log.warning("the queue does not answer: %s", str(error.__cause__ or error).partition("\n")[0])
    except asyncio.CancelledError:
        log.info("stopped")


async def _work(app: Flask, grace_over: asyncio.Event) -> None:
    """Run jobs. When cancelled, it takes no new job and returns once the running ones have ended.

    Raises:
        ConnectorException, PoolTimeout: the queue does not answer.
    """
    opened = connector(app)
    with queue.replace_connector(opened):
        async with queue.open_async():
            await queue.run_worker_async(
                concurrency=app.config["WORKER_THREADS"],
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DEAD_AFTER,
                task_middleware=[in_context(app)],
                worker_middleware=[_requeue_after(grace_over)],
                **await worker_options(opened),
            )


def connector(app: Flask) -> PsycopgConnector:
    """The queue's connection to the application's database. Direct, because LISTEN hears nothing through a pooler."""
    url = make_url(app.config["MIGRATION_DATABASE_URI"]).set(drivername="postgresql")
    return PsycopgConnector(
        conninfo=url.render_as_string(hide_password=False),
        # No prepared statements: a pooler's next session would not know them.
        kwargs={
            "application_name": f"{SESSION_NAME} queue",
            "connect_timeout": CONNECT_TIMEOUT,
            "prepare_threshold": None,
        },
        min_size=1,
        max_size=1,  # besides the connection that listens
        timeout=POOL_TIMEOUT,
    )


def _requeue_after(grace_over: asyncio.Event) -> Callable[..., Any]:
    """A middleware for jobs: one that still runs when the grace period is over is requeued."""

    async def run(call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        running = asyncio.ensure_future(call_next())
        waiting = asyncio.ensure_future(grace_over.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            raise JobRequeued
        return running.result()

    return run
