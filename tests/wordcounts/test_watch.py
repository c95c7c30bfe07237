"""Polling an unfinished count: with JavaScript and without, until it is finished."""

import re

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from tests.conftest import browser_of
from tests.visitor import Visitor
from tests.wordcounts.results import change, done, failed, waiting

REFRESH = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
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
    assert REFRESH in page.split("</head>")[0]
    assert re.search(r'<script src="/static/js/watch\.[0-9a-f]{8}\.js" type="module"></script>', page)


def test_a_finished_one_does_not_and_a_poll_of_it_loads_the_page_anew(signed_in: Visitor, alice: User) -> None:
    for public_id in (done(alice), failed(alice, "dns")):
        assert poll(signed_in, f"/wordcounts/{public_id}?seen=running") == (200, False)
        page = signed_in.get(f"/wordcounts/{public_id}").text
        assert 'http-equiv="refresh"' not in page
        assert "watch." not in page
        assert "data-poll" not in page


def test_a_poll_of_a_deleted_one_loads_the_page_anew_which_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    service.delete_result(alice.id, public_id)
    assert poll(signed_in, f"/wordcounts/{public_id}?seen=queued") == (404, False)


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
