"""The history: one's own results, the newest first, 20 a page, and none twice or left out on the way down."""

import re

import pytest
from flask import Flask
from sqlalchemy import insert

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import Result
from tests.conftest import browser_of
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, shared, waiting


def create(user: User, count: int) -> None:
    """Insert results directly, past the rate limit."""
    rows = [{"user_id": user.id, "url": f"https://example.com/{number}"} for number in range(count)]
    db.session.execute(insert(Result), rows)
    db.session.commit()


def listed(page: str) -> list[str]:
    return re.findall(r'<a href="/wordcounts/[-0-9a-f]{36}"><bdi>https://example.com/(\d+)</bdi>', page)


@pytest.mark.parametrize("count", [20, 21, 45])
def test_the_pages_hold_every_result_once_the_newest_first(signed_in: Visitor, alice: User, count: int) -> None:
    create(alice, count)
    page = signed_in.get("/wordcounts").text
    found = listed(page)
    while older := re.search(r'href="(/wordcounts\?before=\d+)"', page):
        page = signed_in.get(older[1]).text
        assert len(listed(page)) <= 20
        found += listed(page)
    assert found == [f"{number}" for number in reversed(range(count))]


def test_a_row_says_what_became_of_it(signed_in: Visitor, alice: User) -> None:
    made = [waiting(alice), waiting(alice, status="running"), failed(alice, "dns"), done(alice, total_words=1284)]
    page = signed_in.get("/wordcounts").text
    assert re.findall(r'<span class="status \w+"><svg.*?</svg>(.*)</span>', page) == [
        "Counted",
        "Not counted",
        "Counting…",
        "Waiting",
    ]
    assert "Words: 1,284" in page
    for public_id, action in zip(made, ("cancel", "cancel", "again", "again"), strict=True):
        for end in ("", f"/{action}", "/delete"):
            assert f'"/wordcounts/{public_id}{end}"' in page
    assert len(re.findall(r'"/wordcounts/[^/"]+/(?:cancel|again)"', page)) == len(made)


def test_a_shared_one_is_marked(signed_in: Visitor, alice: User) -> None:
    done(alice)
    assert "Shared" not in signed_in.get("/wordcounts").text
    shared(alice)
    assert signed_in.get("/wordcounts").text.count("Shared") == 1


def test_a_page_is_told_to_the_reader_of_the_screen_with_each_button(signed_in: Visitor, alice: User) -> None:
    done(alice)
    waiting(alice)
    page = signed_in.get("/wordcounts").text
    for name, action in (("Half moon", "Count again"), ("https://example.com/moon", "Cancel")):
        for button in (action, "Delete"):
            assert f'aria-label="{button}: {name}"' in page


def test_somebody_elses_is_not_in_it(app: Flask, alice: User, bob: User) -> None:
    shared(alice)
    assert "moon" not in browser_of(app, bob).get("/wordcounts").text


def test_a_result_deleted_while_one_reads_shifts_nothing(signed_in: Visitor, alice: User) -> None:
    create(alice, 25)
    results, older = service.list_results(alice.id)
    service.delete_result(alice.id, results[-1].public_id)
    create(alice, 1)
    assert listed(signed_in.get(f"/wordcounts?before={older}").text) == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("before", ["", "0", "x", f"{2**63}"])
def test_a_place_that_is_none_is_400(signed_in: Visitor, before: str) -> None:
    assert signed_in.get("/wordcounts", query_string={"before": before}).status_code == 400


def test_an_empty_history_says_what_to_do(signed_in: Visitor) -> None:
    assert "Enter the address of a web page" in signed_in.get("/wordcounts").text
    assert "No older results." in signed_in.get("/wordcounts?before=1").text
