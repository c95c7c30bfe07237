"""Counting, which the worker does: what is stored, what is tried again, and that the first end is the only one."""

import socket
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from procrastinate.jobs import Job
from sqlalchemy import text
from sqlalchemy.exc import DataError

from app.accounts.models import User
from app.extensions import db
from app.jobs import JobRequeued
from app.wordcounts import counting, service
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import fetch
from app.wordcounts.tasks import MAX_RETRIES
from tests.database import row_counts
from tests.queued import queued, run, run_queued
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.page_server import PageServer, page

PAGES = {
    "/": page("<title>반달</title><p>The moon. 달이 달이".encode()),
    "/text": page(b"<b>not</b> markup", "Content-Type: text/plain"),
    "/empty": page(b"<title>nothing</title>"),
    "/404": page(b"", status="404 Not Found"),
    "/500": page(b"sorry", status="500 Internal Server Error"),
    "/pdf": page(b"%PDF-1.7", "Content-Type: application/pdf"),
}
STORED = "SELECT status, error, finished_at IS NOT NULL AS finished, total_words FROM results"

Ask = Callable[[str], UUID]


@pytest.fixture
def pages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    with PageServer(PAGES) as server:
        monkeypatch.setitem(app.config, "PAGE_SERVERS", server.allowed)
        yield server


@pytest.fixture
def ask(alice: User, pages: PageServer) -> Ask:
    """ask("/path"): alice wants that page counted."""
    return lambda path: service.ask(alice.id, pages.url(path))


def stored(columns: str = "*") -> dict[str, Any]:
    return dict(db.session.execute(text(f"SELECT {columns} FROM results")).mappings().one())


def status() -> tuple[str, str | None]:
    row = stored("status, error")
    return row["status"], row["error"]


def run_at_attempt(app: Flask, attempts: int) -> None:
    """As the worker runs the one job that waits, when it was begun so often before."""
    [(name, arguments)] = queued()
    run(
        app,
        Job(
            id=1,
            queue="default",
            lock=None,
            queueing_lock=None,
            task_name=name,
            task_kwargs=arguments,
            attempts=attempts,
        ),
    )


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


def test_of_plain_text_nothing_is_taken_for_markup(app: Flask, ask: Ask) -> None:
    ask("/text")
    run_queued(app)
    assert stored("result_all, title") == {"result_all": {"b": 2, "not": 1, "markup": 1}, "title": None}


def test_a_page_without_words_is_done_with_none(app: Flask, ask: Ask) -> None:
    ask("/empty")
    run_queued(app)
    assert stored("status, total_words, result_all") == {"status": "done", "total_words": 0, "result_all": {}}


@pytest.mark.parametrize(("path", "code"), [("/404", "http_4xx"), ("/pdf", "content_type")])
def test_what_will_not_pass_is_not_tried_again(app: Flask, ask: Ask, pages: PageServer, path: str, code: str) -> None:
    ask(path)
    run_queued(app)
    assert status() == ("failed", code)
    assert stored("finished_at")["finished_at"] is not None
    assert len(pages.requests) == 1


def test_a_name_that_nobody_has_is_not_tried_again(app: Flask, alice: User, resolve_by: Resolver) -> None:
    def nobody(name: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolve_by(nobody)
    service.ask(alice.id, "https://nowhere.example/")
    run_queued(app)
    assert status() == ("failed", "dns")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "address"),
        ("http://[::1]/", "address"),
        ("ftp://example.com/", "scheme"),
        ("http://example.com:22/", "port"),
        ("http://a:b@example.com/", "credentials"),
    ],
)
def test_what_may_not_be_fetched_is_not_though_it_came_past_the_form(
    app: Flask, alice: User, connections: list[object], url: str, code: str
) -> None:
    service.ask(alice.id, url)
    run_queued(app)
    assert status() == ("failed", code)
    assert connections == []


def test_what_may_pass_is_tried_again_and_says_meanwhile_what_is_wrong(app: Flask, ask: Ask) -> None:
    ask("/500")
    with pytest.raises(FetchFailed):  # upon which the worker puts the job back into the queue
        run_at_attempt(app, 0)
    assert status() == ("queued", "http_5xx")


def test_at_the_last_try_it_fails(app: Flask, ask: Ask) -> None:
    ask("/500")
    run_at_attempt(app, MAX_RETRIES)
    assert status() == ("failed", "http_5xx")


def test_one_that_goes_well_at_last_says_nothing_of_what_was_wrong(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/500")
    with pytest.raises(FetchFailed):
        run_at_attempt(app, 0)
    pages.pages = PAGES | {"/500": PAGES["/"]}
    run_at_attempt(app, 1)
    assert status() == ("done", None)


def test_a_page_that_takes_the_worker_with_it_each_time_is_given_up(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/")
    run_at_attempt(app, MAX_RETRIES + 1)
    assert status() == ("failed", "worker")
    assert pages.requests == []


def test_an_error_of_our_own_is_told_and_raised(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str, *, is_html: bool) -> None:
        raise RecursionError

    monkeypatch.setattr(sandbox, "read", fail)
    ask("/")
    with pytest.raises(RecursionError):
        run_queued(app)
    assert status() == ("failed", "worker")


def test_a_result_that_the_database_refuses_is_no_result_that_runs_for_ever(
    app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = sandbox.read("<p>words", is_html=True)
    monkeypatch.setattr(sandbox, "read", lambda text, *, is_html: reading._replace(title="x" * 1000))
    ask("/")
    with pytest.raises(DataError):
        run_queued(app)
    assert status() == ("failed", "worker")


def test_a_worker_that_is_stopped_leaves_it_to_the_next(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_is_done_is_not_done_again(app: Flask, ask: Ask, pages: PageServer) -> None:
    """The worker died after the result was stored, and before the job was finished."""
    ask("/")
    run_at_attempt(app, 0)
    before = stored()
    run_at_attempt(app, 1)
    assert stored() == before
    assert len(pages.requests) == 1


def test_of_two_that_count_the_same_the_first_to_end_is_kept(app: Flask, alice: User, pages: PageServer) -> None:
    """A worker was thought dead and was only slow: while it fetched, another one did its job."""

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


def test_one_that_is_deleted_while_it_is_counted_stays_deleted(app: Flask, alice: User, pages: PageServer) -> None:
    def meanwhile(connection: socket.socket) -> None:
        with app.app_context():
            service.delete_result(alice.id, public_id)
        connection.sendall(PAGES["/"])

    pages.pages = {"/": meanwhile}
    public_id = service.ask(alice.id, pages.url("/"))
    run_queued(app)
    assert stored("url, title, result_all") == {"url": "", "title": None, "result_all": None}


def test_one_that_is_deleted_before_is_not_fetched(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    service.delete_result(alice.id, ask("/"))
    run_queued(app)
    assert pages.requests == []
    assert stored("result_all")["result_all"] is None


def test_one_of_an_account_that_is_gone_is_not_fetched(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    ask("/")
    db.session.execute(text("DELETE FROM users"))
    db.session.commit()
    run_queued(app)
    assert pages.requests == []
    assert row_counts()["results"] == 0


def test_no_transaction_is_open_while_a_page_is_fetched_and_counted(
    app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_transactions = []

    def looking(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any, **options: Any) -> Any:
            open_transactions.append(db.session().in_transaction())
            return function(*arguments, **options)

        return look

    monkeypatch.setattr(counting, "fetch", looking(fetch))
    monkeypatch.setattr(sandbox, "read", looking(sandbox.read))
    ask("/")
    run_queued(app)
    assert open_transactions == [False, False]


def test_what_was_deleted_longer_than_an_hour_ago_is_purged(app: Flask, ask: Ask, alice: User) -> None:
    deleted, old, kept = ask("/"), ask("/text"), ask("/404")
    for public_id in (deleted, old):
        service.delete_result(alice.id, public_id)
    db.session.execute(
        text("UPDATE results SET deleted_at = now() - interval '61 minutes' WHERE public_id = :old"), {"old": old}
    )
    db.session.commit()
    assert counting.purge_deleted_results() == 1
    left = set(db.session.scalars(text("SELECT public_id FROM results")))
    assert left == {deleted, kept}
