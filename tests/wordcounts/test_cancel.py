"""Cancelling a count: it ends at once, and whoever comes second, worker or owner, changes nothing."""

import socket
from typing import Any

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from tests.conftest import browser_of
from tests.database import row_counts
from tests.queued import run_queued
from tests.visitor import Visitor
from tests.wordcounts.count_job import PAGES, Ask, run_at_attempt, status, stored
from tests.wordcounts.page_server import PageServer
from tests.wordcounts.results import done, failed, waiting

CANCELLED = ("failed", "cancelled")


@pytest.mark.parametrize("values", [{}, {"status": "running"}, {"error": "deadline"}])
def test_it_works(signed_in: Visitor, alice: User, values: dict[str, str]) -> None:
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


def test_a_finished_one_does_not_offer_it(signed_in: Visitor, alice: User) -> None:
    for public_id in (done(alice), failed(alice, "dns")):
        assert "/cancel" not in signed_in.get(f"/wordcounts/{public_id}").text


def test_its_page_is_not_fetched_any_more(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    service.cancel_result(alice.id, ask("/"))
    run_queued(app)
    assert pages.requests == []
    assert status() == CANCELLED


@pytest.mark.parametrize(("path", "attempt"), [("/", 0), ("/404", 0), ("/500", 0), ("/500", 3)])
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


def test_one_cancelled_as_its_words_are_stored_is_done(
    app: Flask, alice: User, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was first: the owner is told so, and the words stay."""
    public_id = ask("/")
    run_queued(app)
    before = stored()
    with pytest.raises(service.AlreadyFinished):
        service.cancel_result(alice.id, public_id)
    assert stored() == before


def test_a_second_time_changes_nothing_and_is_no_error(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    signed_in.submit(f"/wordcounts/{public_id}/cancel")
    before = stored()
    answer = signed_in.submit(f"/wordcounts/{public_id}/cancel")
    assert answer.location == f"/wordcounts/{public_id}"
    assert "already finished" not in signed_in.get(f"/wordcounts/{public_id}").text
    assert stored() == before


@pytest.mark.parametrize("make", [done, lambda user: failed(user, "dns")])
def test_a_finished_one_stays_as_it_is_and_says_so(signed_in: Visitor, alice: User, make: Any) -> None:
    public_id = make(alice)
    before = stored()
    answer = signed_in.submit(f"/wordcounts/{public_id}/cancel")
    assert answer.location == f"/wordcounts/{public_id}"
    assert "The count had already finished" in signed_in.get(f"/wordcounts/{public_id}").text
    assert stored() == before


def test_a_poll_loads_the_page_anew(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    service.cancel_result(alice.id, public_id)
    answer = signed_in.get(f"/wordcounts/{public_id}?seen=queued")
    assert answer.status_code == 200
    assert 'id="progress"' not in answer.text


def test_it_makes_room_for_another_unfinished_count(signed_in: Visitor, alice: User) -> None:
    public_ids = [waiting(alice) for _ in range(service.MAX_UNFINISHED)]
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429
    signed_in.submit(f"/wordcounts/{public_ids[0]}/cancel")
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 302


def test_cancelled_ones_count_for_the_hour(signed_in: Visitor, alice: User) -> None:
    """Or one could have any number of pages fetched, by cancelling each."""
    for _ in range(service.MAX_PER_HOUR):
        service.cancel_result(alice.id, waiting(alice))
    before = row_counts()
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429
    assert row_counts() == before


def test_it_is_no_count_that_is_done(signed_in: Visitor, alice: User) -> None:
    signed_in.submit(f"/wordcounts/{waiting(alice)}/cancel")
    assert row_counts()["results"] == 1
    assert stored("total_words")["total_words"] is None


def test_somebody_elses_is_404_also_if_it_is_shared(app: Flask, alice: User, bob: User) -> None:
    public_id = waiting(alice, shared=True)
    before = stored()
    assert browser_of(app, bob).submit(f"/wordcounts/{public_id}/cancel").status_code == 404
    assert stored() == before


@pytest.mark.parametrize("public_id", ["1", "x", "00000000-0000-4000-8000-000000000000"])
def test_what_is_not_there_is_404(signed_in: Visitor, public_id: str) -> None:
    assert signed_in.submit(f"/wordcounts/{public_id}/cancel").status_code == 404


def test_a_deleted_one_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    service.delete_result(alice.id, public_id)
    before = stored()
    assert signed_in.submit(f"/wordcounts/{public_id}/cancel").status_code == 404
    assert stored() == before


def test_without_a_token_it_is_refused(signed_in: Visitor, alice: User) -> None:
    public_id = waiting(alice)
    assert signed_in.post(f"/wordcounts/{public_id}/cancel").status_code == 400
    assert status() == ("queued", None)
