"""A count that is not finished: its page, cancelling it, and the job: what that stores, refuses and tries again."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, text
from sqlalchemy.exc import DataError

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import JobRequeued
from app.wordcounts import service, tasks
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import Visit
from app.wordcounts.tasks import MAX_RETRIES
from tests.conftest import PASSWORD, browser_of
from tests.queued import run_queued
from tests.visitor import Visitor
from tests.waiting import somebody_waits, wait_until
from tests.wordcounts.page_server import PageServer
from tests.wordcounts.results import PAGES, URL, Ask, change, done, failed, run_at_attempt, status, stored, waiting

STATES = [
    ({}, "queued", "Waiting for its turn."),
    ({"status": "running"}, "running", "Counting the words on this page…"),
    ({"status": "running", "error": "deadline"}, "running", "Counting the words on this page…"),
    ({"error": "deadline"}, "retried", "The page didn't respond. We'll try again in a moment."),
]


def poll(browser: Visitor, path: str) -> tuple[int, bool]:
    """Ask as js/watch.js does. Return the status, and if it is a page to wait on; if not, the page is loaded anew."""
    answer = browser.get(path, follow_redirects=True)
    return answer.status_code, 'id="progress"' in answer.text


def test_it_says_how_far_it_is_and_comes_back_by_itself_with_scripts_and_without(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    stranger = browser_of(app, bob)
    for values, progress, sentence in STATES:
        path = f"/wordcounts/{waiting(alice, **values)}"
        page = signed_in.get(path).text
        assert sentence in page
        assert f'data-poll="{path}?seen={progress}"' in page
        assert 'aria-live="polite"' in page
        assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page.split("</head>")[0]
        assert re.search(r'<script src="/static/js/watch\.[0-9a-f]{8}\.js" type="module"></script>', page)
        other = "running" if progress != "running" else "queued"
        assert poll(signed_in, f"{path}?seen={progress}") == (204, False)  # nothing is new
        assert poll(signed_in, f"{path}?seen={other}") == (200, True)
        assert {poll(stranger, f"{path}?seen={seen}") for seen in (progress, other)} == {(404, False)}


def test_a_finished_one_does_not_and_a_poll_of_it_loads_the_page_anew(signed_in: Visitor, alice: User) -> None:
    for public_id in (done(alice), failed(alice, "dns")):
        assert poll(signed_in, f"/wordcounts/{public_id}?seen=running") == (200, False)
        page = signed_in.get(f"/wordcounts/{public_id}").text
        assert not re.search('http-equiv="refresh"|watch\\.|data-poll|/cancel', page)


def test_who_has_the_link_may_watch(client: Visitor, alice: User) -> None:
    public_id = waiting(alice, status="running", shared=True)
    page = client.get(f"/wordcounts/{public_id}").text
    assert "Counting the words on this page…" in page
    assert 'action="/wordcounts' not in page
    assert poll(client, f"/wordcounts/{public_id}?seen=running") == (204, False)


CANCELLED = ("failed", "cancelled")


@pytest.mark.parametrize("values", [{}, {"status": "running"}])
def test_it_can_be_cancelled_and_again_changes_nothing(signed_in: Visitor, alice: User, values: dict[str, str]) -> None:
    path = f"/wordcounts/{waiting(alice, **values)}"
    page = signed_in.get(path).text
    assert f'action="{path}/cancel"' in page
    assert "/again" not in page
    assert signed_in.submit(f"{path}/cancel").location == path
    assert status() == CANCELLED
    before = stored()
    assert before["finished_at"]
    assert signed_in.submit(f"{path}/cancel").location == path
    assert stored() == before
    page = signed_in.get(path).text
    assert "Word count canceled." in page
    assert "already finished" not in page
    assert f'action="{path}/again"' in page
    assert "Canceled" in signed_in.get("/wordcounts").text


def test_its_page_is_not_fetched_any_more(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    service.cancel_result(alice.id, ask("/"))
    run_queued(app)
    assert pages.requests == []
    assert status() == CANCELLED


@pytest.mark.parametrize(("path", "attempt"), [("/", 0), ("/500", 0), ("/500", 3)])
def test_one_cancelled_meanwhile_stays_so(app: Flask, alice: User, pages: PageServer, path: str, attempt: int) -> None:
    """Whatever comes of the count: words, a failure, one that is to be retried, the last attempt."""

    def meanwhile(connection: socket.socket) -> None:
        with app.app_context():
            service.cancel_result(alice.id, public_id)
        connection.sendall(PAGES[path])

    pages.pages = {path: meanwhile}
    public_id = service.ask(alice.id, pages.url(path))
    run_at_attempt(app, attempt)  # raises nothing, so the job is not retried
    assert status() == CANCELLED
    assert stored("title, result_all") == {"title": None, "result_all": None}


def test_a_finished_or_deleted_one_that_is_cancelled_stays_as_it_is(signed_in: Visitor, alice: User) -> None:
    path = f"/wordcounts/{failed(alice, 'dns')}"
    before = stored()
    assert signed_in.submit(f"{path}/cancel").location == path
    assert "The count had already finished" in signed_in.get(path).text
    assert stored() == before
    signed_in.submit(f"{path}/delete")
    before = stored()
    assert signed_in.submit(f"{path}/cancel").status_code == 404
    assert stored() == before


def test_it_makes_room_for_another_unfinished_count(signed_in: Visitor, alice: User) -> None:
    public_ids = [waiting(alice) for _ in range(service.MAX_UNFINISHED)]
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429
    signed_in.submit(f"/wordcounts/{public_ids[0]}/cancel")
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 302


# The owner cancels as a worker finishes, on connections of their own: who changed the row first wins.
CANCEL_FIRST = "UPDATE results SET status = 'failed', error = 'cancelled', finished_at = now()"
DONE_FIRST = "UPDATE results SET status = 'done', total_words = 1, finished_at = now()"


def at_one_moment(app: Flask, first: str, second: Callable[[], object]) -> tuple[dict[str, Any], BaseException | None]:
    """Let the second one wait for the first's commit. Return what the first one stored, and the second one raised."""

    def run() -> None:
        with app.app_context():
            second()

    with db.engine.connect() as connection, ThreadPoolExecutor(1) as threads:
        row = connection.execute(text(f"{first} RETURNING *")).mappings().one()
        running = threads.submit(run)
        wait_until(lambda: running.done() or somebody_waits(), "the second one waits for the first")
        assert not running.done()
        connection.commit()
        return dict(row), running.exception()


@pytest.fixture
def user_id(migrated: Flask) -> int:
    return accounts.sign_up("alice@example.com", "alice", PASSWORD).id


def test_a_count_that_was_done_first_stays_done(migrated: Flask, user_id: int) -> None:
    public_id = service.ask(user_id, URL)
    row, error = at_one_moment(migrated, DONE_FIRST, lambda: service.cancel_result(user_id, public_id))
    assert isinstance(error, service.AlreadyFinished)
    assert stored() == row


def test_a_count_that_was_cancelled_first_stays_cancelled(migrated: Flask, user_id: int) -> None:
    service.ask(user_id, URL)
    number = stored("id")["id"]
    row, error = at_one_moment(migrated, CANCEL_FIRST, lambda: tasks.fail_interrupted(number))
    assert error is None
    assert stored() == row


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

    monkeypatch.setattr(Visit, "fetch", looking(Visit.fetch))
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
    document, counts = sandbox.read("<p>words", is_html=True)
    monkeypatch.setattr(sandbox, "read", lambda *_, **__: (document._replace(title="x" * 1000), counts))
    ask("/")
    with pytest.raises(DataError):
        run_queued(app)
    assert status() == ("failed", "worker")


def test_a_count_whose_worker_is_stopped_is_requeued(app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
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
