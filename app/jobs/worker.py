"""`flask worker`: the process that runs the background jobs.

It reconnects by itself when the database restarts, or falls silent on an open connection. On SIGTERM or SIGINT it
takes no new job and exits within 25 seconds, before Heroku kills it at 30. A job that still runs then is requeued.

A database that is away is no reason to exit: a platform stops restarting what always ends. A process that is stuck so
that it does not even find out exits with 1 (watchdog).
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import click
from flask import Flask, current_app
from procrastinate import JobContext
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.worker import Worker
from psycopg_pool import PoolTimeout
from sqlalchemy import event

from app import error_reports, tracing
from app.extensions import db
from app.jobs.connection import SESSION_NAME, QueueConnector, connector, worker_options
from app.jobs.queue import JobRequeued, note_failure, queue, request_of
from app.jobs.tasks import DEAD_AFTER, LONGEST_JOB, fill_batch, requeue_stalled_jobs, resume_lost_backfills
from app.redaction import cause
from app.web import logs
from online_migrations import boot_gate

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds between two heartbeats
GRACE_PERIOD = 20.0  # seconds from the signal until the running jobs are requeued
EXIT_AFTER = 24.0  # seconds from the signal until the process exits in any case; without a database nothing is requeued
IDLE_EXIT_AFTER = 5  # seconds without a running job, from the signal; what is left is to sign off, if the queue answers
RECONNECT_PAUSE = 2.0  # seconds between two tries to reach the database, or to find its schema migrated
STUCK_AFTER = 120  # seconds without an answer of the queue, and without a try to reach it; LONGEST_JOB while a job runs


@click.command("worker")
def worker() -> None:
    """Run queued jobs until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    logs.configure(app.config["LOG_LEVEL"])  # in tests too: the worker is a process of its own
    event.listen(db.engine, "do_connect", lambda *given: given[-1].update(application_name=SESSION_NAME), insert=True)
    asyncio.run(_serve(app))


def watch(fed: threading.Event, running: Set[int | None]) -> None:
    """End a process that is stuck, so that its platform starts another one (watchdog).

    Each answer of the queue feeds it, as to a heartbeat, and each try to reach the database. It counts seconds of its
    own: a process or a machine that was paused has lost one.
    """
    hungry = 0
    while hungry < (LONGEST_JOB if running else STUCK_AFTER):
        hungry = 0 if fed.wait(1) else hungry + 1
        fed.clear()
    log.critical("the worker is stuck: for %d s it has neither heard of the queue nor tried to reach it", hungry)
    _exit(1)


async def _serve(app: Flask) -> None:
    """Work until a signal comes, from when the schema is there. Start again whenever the database was away."""
    stopping, grace_over = asyncio.Event(), asyncio.Event()
    running: set[int | None] = set()  # the ids of the jobs
    fed = threading.Event()
    threading.Thread(target=watch, args=(fed, running), name="watchdog", daemon=True).start()
    loop = asyncio.get_running_loop()
    # Python's default depends on the CPUs. One more: the queue's host is looked up in a thread while all jobs run.
    loop.set_default_executor(ThreadPoolExecutor(app.config["WORKER_THREADS"] + 1))
    _heed_signals(stopping, grace_over, running)
    while not stopping.is_set():
        fed.set()
        if await asyncio.to_thread(boot_gate.may_work, app):
            fed.set()
            await _work_until(stopping, app, connector(app, fed.set), [_requeue_after(grace_over, running)])
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RECONNECT_PAUSE)
    if grace_over.is_set():
        _exit(0)


def _heed_signals(stopping: asyncio.Event, grace_over: asyncio.Event, running: Set[int | None]) -> None:
    loop = asyncio.get_running_loop()

    def exit_when_idle(seconds: int = 0) -> None:
        if seconds >= IDLE_EXIT_AFTER:
            _exit(0)
        loop.call_later(1, exit_when_idle, 0 if running else seconds + 1)

    def stop() -> None:
        stopping.set()
        exit_when_idle()
        loop.call_later(GRACE_PERIOD, grace_over.set)
        loop.call_later(EXIT_AFTER, _exit, 0)

    def on_signal(*_: object) -> None:
        if not loop.is_closed():  # a second signal may come while the process exits
            loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def _exit(code: int) -> None:
    """Exit without waiting for threads: they cannot be ended, and their jobs are requeued now or when they stall."""
    for process in multiprocessing.active_children():
        process.kill()
    logging.shutdown()
    os._exit(code)


async def _work_until(stopping: asyncio.Event, app: Flask, opened: QueueConnector, middleware: list[Any]) -> None:
    """Run the work until the queue does not answer, or the process is stopping. Jobs that run end first."""
    working = asyncio.create_task(_work(app, opened, middleware))
    ends = [asyncio.create_task(event.wait()) for event in (stopping, opened.failed)]
    await asyncio.wait({working, *ends}, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    if stopping.is_set() or opened.failed.is_set():
        working.cancel()
    try:
        await working
    except (ConnectorException, PoolTimeout) as error:
        opened.fail(error)
    except asyncio.CancelledError:
        if stopping.is_set():
            log.info("stopped")


async def _work(app: Flask, opened: QueueConnector, middleware: list[Any]) -> None:
    """Run jobs. When cancelled, it returns once those that run have ended. Raises: ConnectorException, PoolTimeout."""
    with queue.replace_connector(opened):
        async with queue.open_async():
            await queue.run_worker_async(
                concurrency=app.config["WORKER_THREADS"],
                delete_jobs="successful",
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DEAD_AFTER,
                task_middleware=[in_context(app)],
                worker_middleware=middleware,
                **await worker_options(opened),
            )


def _requeue_after(grace_over: asyncio.Event, jobs: set[int | None]) -> Callable[..., Any]:
    """Return the middleware that notes which `jobs` run, and requeues one that still runs after the grace period."""

    async def run(call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        jobs.add(context.job.id)
        running = asyncio.ensure_future(call_next())
        waiting = asyncio.ensure_future(grace_over.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        jobs.discard(context.job.id)
        waiting.cancel()
        if not running.done():
            raise JobRequeued
        return running.result()

    return run


# These run several times a minute, the batches of a backfill several times a second. No request defers them.
FREQUENT = {requeue_stalled_jobs.name, fill_batch.name, resume_lost_backfills.name}


def in_context(app: Flask) -> Callable[..., Any]:
    """Return the middleware of all tasks: an application context, a span, a log line, and the cause of a failure."""

    def run(call_next: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
        job, began, failure, outcome = context.job, time.monotonic(), None, "done"
        span = tracing.Span(tracing.WORKER, None, job.task_name)
        tracing.begin(span)
        try:
            with app.app_context():
                try:
                    if job.id and job.task_name not in FREQUENT:
                        span.request_id = request_of(job.id)
                    return call_next()
                except Exception as error:
                    is_retried = queue.tasks[job.task_name].get_retry_exception(exception=error, job=job)
                    failure, outcome = error, "retried" if is_retried else "failed"
                    if outcome == "failed":
                        error_reports.report(app, error)
                    if job.id and not isinstance(error, JobRequeued):
                        note_failure(job.id, error)
                    raise
        finally:
            _log_job(job, span, time.monotonic() - began, outcome, failure)
            tracing.end()

    return run


def _log_job(job: Job, span: tracing.Span, seconds: float, outcome: str, failure: Exception | None) -> None:
    fields = {
        "at": "job",
        "task": job.task_name,
        "job": job.id,
        "attempt": job.attempts,
        "outcome": outcome,
        "ms": round(seconds * 1000),
        "sql_count": span.statements,
        "sql_ms": span.sql_seconds * 1000,
        "bucket_ms": span.bucket_seconds * 1000,
        **({"error": cause(failure)} if failure else {}),
    }
    usual = logging.DEBUG if job.task_name in FREQUENT else logging.INFO
    log.log(logging.WARNING if failure else usual, "", extra={"request_id": span.request_id, "fields": fields})
