"""The job that counts a page: which failures are retried, and that it is idempotent."""

import socket

import pytest
from flask import Flask
from sqlalchemy.exc import DataError

from app.accounts.models import User
from app.jobs.queue import JobRequeued
from app.wordcounts import counting, service
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import FetchFailed
from app.wordcounts.tasks import MAX_RETRIES
from tests.queued import run_queued
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.count_job import PAGES, Ask, run_at_attempt, status, stored
from tests.wordcounts.page_server import PageServer


@pytest.mark.parametrize(("path", "code"), [("/404", "http_4xx"), ("/pdf", "content_type")])
def test_a_permanent_failure_is_not_retried(app: Flask, ask: Ask, pages: PageServer, path: str, code: str) -> None:
    ask(path)
    run_queued(app)
    assert status() == ("failed", code)
    assert stored("finished_at")["finished_at"] is not None
    assert len(pages.requests) == 1


def test_an_unknown_host_is_not_retried(app: Flask, alice: User, resolve_by: Resolver) -> None:
    def nobody(name: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolve_by(nobody)
    service.ask(alice.id, "https://nowhere.example/")
    run_queued(app)
    assert status() == ("failed", "dns")


def test_a_transient_failure_is_stored_and_retried(app: Flask, ask: Ask) -> None:
    ask("/500")
    with pytest.raises(FetchFailed):  # upon which the worker requeues the job
        run_at_attempt(app, 0)
    assert status() == ("queued", "http_5xx")


def test_a_transient_failure_at_the_last_attempt_is_final(app: Flask, ask: Ask) -> None:
    ask("/500")
    run_at_attempt(app, MAX_RETRIES)
    assert status() == ("failed", "http_5xx")


def test_a_retry_that_succeeds_clears_the_error(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/500")
    with pytest.raises(FetchFailed):
        run_at_attempt(app, 0)
    pages.pages = PAGES | {"/500": PAGES["/"]}
    run_at_attempt(app, 1)
    assert status() == ("done", None)


def test_a_page_that_kills_its_worker_each_time_fails(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/")
    run_at_attempt(app, MAX_RETRIES + 1)
    assert status() == ("failed", "worker")
    assert pages.requests == []


def test_a_bug_is_stored_as_a_failure_and_raised(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str, *, is_html: bool) -> None:
        raise RecursionError

    monkeypatch.setattr(sandbox, "read", fail)
    ask("/")
    with pytest.raises(RecursionError):
        run_queued(app)
    assert status() == ("failed", "worker")


def test_a_result_that_the_database_refuses_fails_and_does_not_stay_running(
    app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = sandbox.read("<p>words", is_html=True)
    monkeypatch.setattr(sandbox, "read", lambda text, *, is_html: reading._replace(title="x" * 1000))
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


def test_of_two_concurrent_counts_the_first_to_finish_is_kept(app: Flask, alice: User, pages: PageServer) -> None:
    """A slow worker was taken for dead: while it fetched, another one did its job."""

    def meanwhile(connection: socket.socket) -> None:
        with app.app_context():
            counting.fail_interrupted(number)
        connection.sendall(PAGES["/"])

    pages.pages = {"/": meanwhile}
    service.ask(alice.id, pages.url("/"))
    number = int(stored("id")["id"])
    run_queued(app)
    assert status() == ("failed", "worker")
    assert stored("result_all")["result_all"] is None
