"""`flask worker`: the process that runs the jobs.

It outlives the database: when that restarts, the worker comes back to it by itself. Told to stop, it ends within 25
seconds, before a platform kills it at 30: what is not finished by then goes back into the queue.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import time
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
from sqlalchemy import make_url

from app.jobs import DEAD_AFTER, HEARTBEAT, HandedBack, put_back, queue

log = logging.getLogger(__name__)

GRACE = 20.0  # seconds from being told to stop until what still runs is handed back
END = 24.0  # seconds until it ends in any case; without a database nothing can be handed back, or only slowly
PAUSE = 2.0  # seconds until a database that did not answer is tried again
ANSWER_WITHIN = 5.0  # seconds


@click.command("worker")
def worker() -> None:
    """Run the jobs of the queue until told to stop."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    asyncio.run(_serve(app))


async def _serve(app: Flask) -> None:
    stopping, too_late = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(app.config["WORKER_THREADS"]))  # the default is smaller on a dyno

    def stop() -> None:
        stopping.set()
        loop.call_later(GRACE, too_late.set)
        loop.call_later(END, _end)

    def told(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():  # told once more, it is ending already
            loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    while not stopping.is_set():
        await _work_until(stopping, _work(app, too_late))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), PAUSE)
    if too_late.is_set():
        _end()


def _end() -> None:
    """Without waiting: a thread cannot be ended, and its job is somebody else's by now, or will be."""
    for process in multiprocessing.active_children():
        process.kill()
    logging.shutdown()
    os._exit(0)


async def _work_until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Let the work go on until it ends by itself, since the queue does not answer, or is told to."""
    working, told = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if stopping.is_set():
        working.cancel()
    try:
        await working
    except (ConnectorException, PoolTimeout) as error:
        log.warning("the queue does not answer: %s", str(error.__cause__ or error).partition("\n")[0])
    except asyncio.CancelledError:
        log.info("stopped")


async def _work(app: Flask, too_late: asyncio.Event) -> None:
    """Run jobs. Cancelled, it takes no new one and ends when those that run have ended.

    Raises:
        ConnectorException, PoolTimeout: the queue does not answer.
    """
    with queue.replace_connector(connector(app)):
        async with queue.open_async():
            await queue.run_worker_async(
                concurrency=app.config["WORKER_THREADS"],
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DEAD_AFTER,
                task_middleware=[_in_context(app)],
                worker_middleware=[_not_beyond(too_late)],
            )


def connector(app: Flask) -> PsycopgConnector:
    """Of the queue, to the application's database: directly, since through a pooler nobody can LISTEN."""
    url = make_url(app.config["MIGRATION_DATABASE_URI"]).set(drivername="postgresql")
    return PsycopgConnector(
        conninfo=url.render_as_string(hide_password=False),
        kwargs={"application_name": "semicircle-worker", "connect_timeout": 5},
        min_size=1,
        max_size=1,  # besides the one that listens
        timeout=ANSWER_WITHIN,
    )


def _in_context(app: Flask) -> Callable[..., Any]:
    """A middleware for tasks: each has an application context, and with it a database session, of its own."""

    def run(call_next: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
        began, outcome = time.monotonic(), "done"
        try:
            with app.app_context():
                return call_next()
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            job, seconds = context.job, time.monotonic() - began
            level = logging.DEBUG if job.task_name == put_back.name else logging.INFO  # that one runs all the time
            log.log(level, "%s id=%s attempt=%d %s in %.2f s", job.task_name, job.id, job.attempts, outcome, seconds)

    return run


def _not_beyond(too_late: asyncio.Event) -> Callable[..., Any]:
    """A middleware for jobs: when it is too late to wait for one, it is handed back."""

    async def run(call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        running = asyncio.ensure_future(call_next())
        giving_up = asyncio.ensure_future(too_late.wait())
        await asyncio.wait({running, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        giving_up.cancel()
        if not running.done():
            raise HandedBack
        return running.result()

    return run
