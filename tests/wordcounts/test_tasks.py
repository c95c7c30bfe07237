"""The job that counts a page: what it stores and refuses, which failures are retried, and that it is idempotent."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, text
from sqlalchemy.exc import DataError

from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import JobRequeued
from app.wordcounts import service, tasks
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import fetch
from app.wordcounts.tasks import MAX_RETRIES
from tests.queued import run_queued
from tests.wordcounts.page_server import PageServer
from tests.wordcounts.results import PAGES, Ask, change, run_at_attempt, status, stored


def test_it_works(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/")
    assert status() == ("queued", None)
    run_queued(app)
    row = stored()
    assert (row["status"], row["error"], row["title"], row["final_url"]) == ("done", None, "반달", pages.url("/"))
    assert row["result_all"] == {"the": 1, "moon": 1, "달이": 2}
    assert row["result_no_stop_words"] == {"moon": 1, "달이": 2}
    assert (row["total_words"], row["unique_words"], row["content_words"], row["characters"]) == (4, 3, 3, 12)
    assert row["finished_at"] >= row["created_at"]
    assert row["truncated"] is False


def test_plain_text_is_not_parsed_as_html(app: Flask, ask: Ask) -> None:
    ask("/text")
    run_queued(app)
    assert stored("result_all, title") == {"result_all": {"b": 2, "not": 1, "markup": 1}, "title": None}


def test_a_result_deleted_while_it_is_counted_stays_deleted(app: Flask, alice: User, pages: PageServer) -> None:
    def meanwhile(connection: socket.socket) -> None:
        with app.app_context():
            service.delete_result(alice.id, public_id)
        connection.sendall(PAGES["/"])

    pages.pages = {"/": meanwhile}
    public_id = service.ask(alice.id, pages.url("/"))
    run_queued(app)
    assert stored("url, title, result_all") == {"url": "", "title": None, "result_all": None}


def test_no_transaction_is_open_during_fetch_and_count(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    open_transactions = []

    def looking(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any, **options: Any) -> Any:
            open_transactions.append(db.session().in_transaction())
            return function(*arguments, **options)

        return look

    monkeypatch.setattr(tasks, "fetch", looking(fetch))
    monkeypatch.setattr(sandbox, "read", looking(sandbox.read))
    ask("/")
    run_queued(app)
    assert open_transactions == [False, False]


def test_a_result_deleted_more_than_an_hour_ago_is_purged(app: Flask, ask: Ask, alice: User) -> None:
    deleted, old, kept = ask("/"), ask("/text"), ask("/404")
    for public_id in (deleted, old):
        service.delete_result(alice.id, public_id)
    change(old, deleted_at=func.now() - text("interval '61 minutes'"))
    tasks.purge_deleted(0)
    assert set(db.session.scalars(text("SELECT public_id FROM results"))) == {deleted, kept}


def test_a_permanent_failure_is_not_retried(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/404")
    run_queued(app)
    assert status() == ("failed", "http_4xx")
    assert stored("finished_at")["finished_at"] is not None
    assert len(pages.requests) == 1


def test_a_transient_failure_at_the_last_attempt_is_final(app: Flask, ask: Ask) -> None:
    ask("/500")
    run_at_attempt(app, MAX_RETRIES)
    assert status() == ("failed", "http_5xx")


def test_a_transient_failure_is_stored_and_retried(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/500")
    with pytest.raises(FetchFailed):  # upon which the worker requeues the job
        run_at_attempt(app, 0)
    assert status() == ("queued", "http_5xx")
    pages.pages = PAGES | {"/500": PAGES["/"]}
    run_at_attempt(app, 1)
    assert status() == ("done", None)


def test_a_page_that_kills_its_worker_each_time_fails(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/")
    run_at_attempt(app, MAX_RETRIES + 1)
    assert status() == ("failed", "worker")
    assert pages.requests == []


def test_a_result_that_the_database_refuses_has_failed(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    _, counts = sandbox.read("<p>words", is_html=True)
    monkeypatch.setattr(sandbox, "read", lambda text, *, is_html: ("x" * 1000, counts))
    ask("/")
    with pytest.raises(DataError):
        run_queued(app)
    assert status() == ("failed", "worker")


def test_a_count_whose_worker_is_stopped_is_requeued(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(text: str, *, is_html: bool) -> None:
        raise sandbox.SandboxTerminated

    ask("/")
    with monkeypatch.context() as patched:
        patched.setattr(sandbox, "read", stop)
        with pytest.raises(JobRequeued):
            run_at_attempt(app, 0)
    assert status() == ("running", None)
    run_at_attempt(app, 1)
    assert status() == ("done", None)


def test_a_finished_count_is_not_repeated(app: Flask, ask: Ask, pages: PageServer) -> None:
    """The worker died after the result was stored, and before the job was finished."""
    ask("/")
    run_at_attempt(app, 0)
    before = stored()
    run_at_attempt(app, 1)
    assert stored() == before
    assert len(pages.requests) == 1
