"""The worker, in this process: it works until it is told to stop or the queue is lost, and ends where it is stuck."""

import asyncio
import logging
import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.jobs import worker
from app.jobs.connection import connector
from app.jobs.queue import JobRequeued, defer
from app.jobs.tasks import LONGEST_JOB
from tests.queued import queued
from tests.waiting import WITHIN

TASK = "jobs.purge_lost_records"


@pytest.mark.parametrize("told", ["stopped", "the queue does not answer: gone"])
def test_the_job_that_runs_is_done_before_the_end(migrated: Flask, caplog: pytest.LogCaptureFixture, told: str) -> None:
    caplog.set_level(logging.INFO, "app.jobs")
    defer(TASK, timestamp=0)
    db.session.commit()

    async def run() -> None:
        stopping, opened = asyncio.Event(), connector(migrated)

        async def end(call_next: Any, context: Any, _worker: Any) -> Any:
            if context.job.task_name == TASK:  # not a periodic one
                stopping.set() if told == "stopped" else opened.fail(ConnectionError("gone"))
            return await call_next()

        await worker._work_until(stopping, migrated, opened, [end])

    asyncio.run(asyncio.wait_for(run(), WITHIN))
    assert TASK not in [name for name, _ in queued()]
    assert [line for line in caplog.messages if line] == [told]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_it_to_stop_and_a_second_one_changes_nothing(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}

    async def run() -> None:
        stopping, grace_over = asyncio.Event(), asyncio.Event()
        worker._heed_signals(stopping, grace_over, {7})
        for each in (number, signal.SIGINT):
            signal.raise_signal(each)
            await stopping.wait()
        assert not grace_over.is_set(), "the job that runs has its time"

    try:
        asyncio.run(asyncio.wait_for(run(), WITHIN))
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_a_job_that_outlasts_the_grace_period_is_requeued_and_another_has_its_own_end() -> None:
    async def run() -> None:
        grace_over, running = asyncio.Event(), {1}
        requeue = worker._requeue_after(grace_over, running)  # type: ignore[arg-type]
        context: Any = SimpleNamespace(job=SimpleNamespace(id=7))

        async def succeeds() -> str:
            assert running == {1, 7}
            return "done"

        async def fails() -> None:
            raise LookupError

        async def outlasts() -> None:
            grace_over.set()
            await asyncio.Event().wait()

        assert await requeue(succeeds, context, None) == "done"
        for job, error in ((fails, LookupError), (outlasts, JobRequeued)):
            with pytest.raises(error):
                await requeue(job, context, None)
            assert running == {1}

    asyncio.run(asyncio.wait_for(run(), WITHIN))


@pytest.mark.parametrize(("running", "seconds"), [(set(), worker.STUCK_AFTER), ({7}, LONGEST_JOB)])
def test_a_worker_that_hears_of_nothing_ends_itself_and_one_whose_job_runs_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, running: set[int | None], seconds: float
) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    event, fed = threading.Event(), iter([False, True])  # by then
    monkeypatch.setattr(event, "wait", lambda _second: next(fed, False))
    worker.watch(event, running)
    assert exits == [1]
    assert f"the worker is stuck: for {seconds:.0f} s it has neither" in caplog.text
    assert next(fed, None) is None
