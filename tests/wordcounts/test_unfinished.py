"""An unfinished count: polled with JavaScript and without, until it is finished; and cancelled, once and for all."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service, tasks
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


@pytest.mark.parametrize(("values", "progress", "sentence"), STATES)
def test_it_says_how_far_it_is(
    signed_in: Visitor, alice: User, values: dict[str, str], progress: str, sentence: str
) -> None:
    public_id = waiting(alice, **values)
    page = signed_in.get(f"/wordcounts/{public_id}").text
    assert sentence in page
    assert "https://example.com/moon" in page
    assert f'data-poll="/wordcounts/{public_id}?seen={progress}"' in page
    assert 'aria-live="polite"' in page
    assert poll(signed_in, f"/wordcounts/{public_id}?seen={progress}") == (204, False)  # nothing is new
    other = "running" if progress != "running" else "queued"
    assert poll(signed_in, f"/wordcounts/{public_id}?seen={other}") == (200, True)


def test_it_comes_back_by_itself_with_scripts_and_without(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/wordcounts/{waiting(alice)}").text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page.split("</head>")[0]
    assert re.search(r'<script src="/static/js/watch\.[0-9a-f]{8}\.js" type="module"></script>', page)


def test_a_finished_one_does_not_and_a_poll_of_it_loads_the_page_anew(signed_in: Visitor, alice: User) -> None:
    for public_id in (done(alice), failed(alice, "dns")):
        assert poll(signed_in, f"/wordcounts/{public_id}?seen=running") == (200, False)
        page = signed_in.get(f"/wordcounts/{public_id}").text
        assert 'http-equiv="refresh"' not in page
        assert "watch." not in page
        assert "data-poll" not in page


def test_a_poll_tells_a_stranger_no_more_than_that_there_is_nothing(app: Flask, alice: User, bob: User) -> None:
    public_id = waiting(alice)
    browser = browser_of(app, bob)
    assert poll(browser, f"/wordcounts/{public_id}?seen=queued") == (404, False)
    change(public_id, status="running")
    assert poll(browser, f"/wordcounts/{public_id}?seen=queued") == (404, False)


def test_who_has_the_link_may_watch(client: Visitor, alice: User) -> None:
    public_id = waiting(alice, status="running", shared=True)
    page = client.get(f"/wordcounts/{public_id}").text
    assert "Counting the words on this page…" in page
    assert 'action="/wordcounts' not in page
    assert poll(client, f"/wordcounts/{public_id}?seen=running") == (204, False)


CANCELLED = ("failed", "cancelled")


@pytest.mark.parametrize("values", [{}, {"status": "running"}])
def test_it_can_be_cancelled(signed_in: Visitor, alice: User, values: dict[str, str]) -> None:
    public_id = waiting(alice, **values)
    answer = signed_in.submit(f"/wordcounts/{public_id}/cancel")
    assert answer.location == f"/wordcounts/{public_id}"
    assert status() == CANCELLED
    assert stored("finished_at")["finished_at"]
    page = signed_in.get(f"/wordcounts/{public_id}").text
    assert "Word count cancelled." in page
    assert f'action="/wordcounts/{public_id}/again"' in page
    assert "/cancel" not in page
    assert "Cancelled" in signed_in.get("/wordcounts").text


def test_an_unfinished_one_offers_it_instead_of_counting_again(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    page = signed_in.get(f"/wordcounts/{public_id}").text
    assert f'action="/wordcounts/{public_id}/cancel"' in page
    assert "/again" not in page
    for finished in (done(alice), failed(alice, "dns")):
        assert "/cancel" not in signed_in.get(f"/wordcounts/{finished}").text


def test_its_page_is_not_fetched_any_more(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    service.cancel_result(alice.id, ask("/"))
    run_queued(app)
    assert pages.requests == []
    assert status() == CANCELLED


@pytest.mark.parametrize(("path", "attempt"), [("/", 0), ("/500", 0), ("/500", 3)])
def test_one_cancelled_while_it_is_counted_stays_so(
    app: Flask, alice: User, pages: PageServer, path: str, attempt: int
) -> None:
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


def test_a_second_time_changes_nothing_and_is_no_error(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    signed_in.submit(f"/wordcounts/{public_id}/cancel")
    before = stored()
    answer = signed_in.submit(f"/wordcounts/{public_id}/cancel")
    assert answer.location == f"/wordcounts/{public_id}"
    assert "already finished" not in signed_in.get(f"/wordcounts/{public_id}").text
    assert stored() == before


@pytest.mark.parametrize("make", [done, lambda user: failed(user, "dns")])
def test_a_finished_one_that_is_cancelled_stays_as_it_is_and_says_so(
    signed_in: Visitor, alice: User, make: Any
) -> None:
    public_id = make(alice)
    before = stored()
    answer = signed_in.submit(f"/wordcounts/{public_id}/cancel")
    assert answer.location == f"/wordcounts/{public_id}"
    assert "The count had already finished" in signed_in.get(f"/wordcounts/{public_id}").text
    assert stored() == before


def test_it_makes_room_for_another_unfinished_count(signed_in: Visitor, alice: User) -> None:
    public_ids = [waiting(alice) for _ in range(service.MAX_UNFINISHED)]
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429
    signed_in.submit(f"/wordcounts/{public_ids[0]}/cancel")
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 302


def test_a_deleted_one_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    service.delete_result(alice.id, public_id)
    before = stored()
    assert signed_in.submit(f"/wordcounts/{public_id}/cancel").status_code == 404
    assert stored() == before


# The owner cancels as a worker finishes, on connections of their own: who changed the row first wins.
CANCEL_FIRST = "UPDATE results SET status = 'failed', error = 'cancelled', finished_at = now()"
DONE_FIRST = "UPDATE results SET status = 'done', total_words = 1, finished_at = now()"


def at_the_same_moment(
    app: Flask, first: str, second: Callable[[], object]
) -> tuple[dict[str, Any], BaseException | None]:
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
    row, error = at_the_same_moment(migrated, DONE_FIRST, lambda: service.cancel_result(user_id, public_id))
    assert isinstance(error, service.AlreadyFinished)
    assert stored() == row


def test_a_count_that_was_cancelled_first_stays_cancelled(migrated: Flask, user_id: int) -> None:
    service.ask(user_id, URL)
    number = stored("id")["id"]
    row, error = at_the_same_moment(migrated, CANCEL_FIRST, lambda: tasks.fail_interrupted(number))
    assert error is None
    assert stored() == row
