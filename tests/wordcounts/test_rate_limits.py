"""Rate limits: how many counts a person may ask for, and when to try again, on the page and in Retry-After."""

import pytest
from flask import Flask
from sqlalchemy import func, insert, text

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import DONE, Result
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.wordcounts.results import done, waiting


def use_up_the_hour(user: User, seconds_ago: int) -> None:
    age = func.now() - text(f"interval '{seconds_ago} seconds'")
    values = {"user_id": user.id, "url": "x", "status": DONE, "total_words": 1, "created_at": age}
    for _ in range(service.MAX_PER_HOUR):
        db.session.execute(insert(Result).values(values))
    db.session.commit()


def test_it_refuses_a_sixth_unfinished_count(signed_in: Visitor, alice: User) -> None:
    for _ in range(service.MAX_UNFINISHED):
        waiting(alice)
    before = row_counts()
    answer = signed_in.submit("/wordcounts", url="example.com/typed")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "20"
    assert "Try again in 20 seconds." in answer.text
    assert 'value="example.com/typed"' in answer.text
    assert row_counts() == before


@pytest.mark.parametrize(
    ("seconds_ago", "time"),
    [(0, "1 hour"), (2879, "13 minutes"), (3580, "20 seconds")],
)
def test_it_refuses_more_than_30_counts_an_hour(signed_in: Visitor, alice: User, seconds_ago: int, time: str) -> None:
    use_up_the_hour(alice, seconds_ago)
    before = row_counts()
    answer = signed_in.submit("/wordcounts", url="example.com/typed")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == f"{3600 - seconds_ago}"
    assert f"Try again in {time}." in answer.text
    assert 'value="example.com/typed"' in answer.text
    assert row_counts() == before


def test_after_that_time_it_allows_the_next_one(signed_in: Visitor, alice: User) -> None:
    use_up_the_hour(alice, 3600)
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 302


def test_imported_results_do_not_hide_those_of_the_hour(signed_in: Visitor, alice: User) -> None:
    """Imported rows have the newest ids, though they are old."""
    use_up_the_hour(alice, 0)
    month = func.now() - text("interval '30 days'")
    for _ in range(60):
        counted = {"url": "x", "status": DONE, "total_words": 1, "created_at": month}
        db.session.execute(insert(Result).values(user_id=alice.id, **counted))
    db.session.commit()
    before = row_counts()
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429
    assert row_counts() == before


def test_deleted_and_cancelled_results_count_too(signed_in: Visitor, alice: User) -> None:
    """Otherwise one could have any number of pages fetched, by cancelling each."""
    for _ in range(service.MAX_PER_HOUR // 2):
        service.delete_result(alice.id, done(alice))
        service.cancel_result(alice.id, waiting(alice))
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 429


def test_counting_again_is_limited_too(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    for _ in range(service.MAX_UNFINISHED):
        waiting(alice)
    before = row_counts()
    answer = signed_in.submit(f"/wordcounts/{public_id}/again")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "20"
    assert "Try again in 20 seconds." in answer.text
    fields = {"csrf_token": signed_in.csrf_token()}
    answer = signed_in.post(f"/wordcounts/{public_id}/again", data=fields, headers={"Accept": "application/json"})
    assert (answer.content_type, answer.headers["Retry-After"]) == ("application/problem+json", "20")
    assert row_counts() == before


def test_one_persons_counts_are_not_anothers(app: Flask, alice: User, bob: User) -> None:
    for _ in range(service.MAX_UNFINISHED):
        waiting(alice)
    assert browser_of(app, bob).submit("/wordcounts", url="example.com").status_code == 302
    assert db.session.query(Result).filter_by(user_id=bob.id).one().status != DONE
