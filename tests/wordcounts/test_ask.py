"""Asking for a count: which URLs are accepted, that nothing is stored of others, and how many one may ask for."""

import pytest
from flask import Flask
from markupsafe import escape
from sqlalchemy import func, insert, select, table, text

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.forms import trimmed, with_scheme
from app.wordcounts.models import DONE, Result
from tests.conftest import browser_of
from tests.database import row_counts, same_row_counts
from tests.queued import queued
from tests.visitor import Visitor
from tests.web.test_form_tokens import form_token
from tests.wordcounts.results import done, waiting


def jobs() -> int:
    return db.session.scalar(select(func.count()).select_from(table("procrastinate_jobs"))) or 0


def test_it_works_and_stores_no_field_that_the_form_has_not(signed_in: Visitor, alice: User, bob: User) -> None:
    others = {"user_id": f"{bob.id}", "status": "done", "shared": "1", "title": "x"}
    answer = signed_in.submit("/wordcounts", url="https://example.com/moon", **others)
    result = db.session.scalars(select(Result)).one()
    assert answer.location == f"/wordcounts/{result.public_id}"
    assert (result.user_id, result.url, result.status) == (alice.id, "https://example.com/moon", "queued")
    assert (result.shared, result.title) == (False, None)
    assert jobs() == 1


def test_a_missing_scheme_is_completed_and_the_rest_is_kept() -> None:
    stored = {
        "example.com": "https://example.com",
        "  example.com/a?b=c#d\r\n": "https://example.com/a?b=c#d",
        "//example.com/a": "https://example.com/a",
        "example.com:443/a": "https://example.com:443/a",
        "HTTP://EXAMPLE.COM": "HTTP://EXAMPLE.COM",
        "반달.example/달": "https://반달.example/달",
        "\u200b\ufeff https://example.com/a\u200b\u200d\u2060 \u3164\u00ad\u200e\u2069": "https://example.com/a",
        "example.com/\u2764\ufe0f": "https://example.com/\u2764\ufe0f",  # a heart, which needs what follows it
        "example.com/a\u200bb": "https://example.com/a\u200bb",
        "\u200b": "",
        "a" + "\u200b" * 99_999 + "b" + " " * 99_999: "https://a" + "\u200b" * 99_999 + "b",
    }
    assert {typed: with_scheme(trimmed(typed)) for typed in stored} == stored


def test_the_longest_address_is_stored_with_its_scheme(signed_in: Visitor) -> None:
    url = "https://example.com/".ljust(2000, "a")
    assert signed_in.submit("/wordcounts", url=f" {url.removeprefix('https:')} ").status_code == 302
    assert db.session.scalars(select(Result.url)).one() == url


def test_it_refuses_what_can_never_be_fetched_and_keeps_what_was_typed(signed_in: Visitor) -> None:
    with same_row_counts():
        script, long = 'ftp://"><script>alert(1)</script>', "https://a.kr/".ljust(2001, "a")
        for url in (script, "http://example.com:22", "http://example.com/\x00", long):
            answer = signed_in.submit("/wordcounts", url=url)
            assert (answer.status_code, answer.text.count('class="error"')) == (422, 1), url
            assert f'value="{escape(url[:30])}' in answer.text
        for fields in ({}, {"url": " \r\n"}):
            answer = signed_in.submit("/wordcounts", **fields)
            assert answer.status_code == 422
            assert "Please enter the address of a web page." in answer.text
    assert jobs() == 0


def test_the_same_page_is_counted_again_as_another_result_that_is_not_shared(signed_in: Visitor, alice: User) -> None:
    old = done(alice, shared=True)
    before = service.get_result(alice.id, old)._asdict()
    answer = signed_in.submit(f"/wordcounts/{old}/again")
    newest = db.session.scalars(select(Result).order_by(Result.id.desc()).limit(1)).one()
    assert answer.location == f"/wordcounts/{newest.public_id}"
    assert newest.public_id != old
    assert (newest.url, newest.status, newest.shared) == ("https://example.com/moon", "queued", False)
    assert row_counts()["results"] == 2
    after = service.get_result(alice.id, old)._asdict()
    assert len(after.pop("recent")) == len(before.pop("recent")) + 1
    assert after == before


def test_to_count_again_what_is_deleted_or_not_there_is_404(signed_in: Visitor, alice: User) -> None:
    deleted = done(alice)
    service.delete_result(alice.id, deleted)
    for public_id in (deleted, "1", "00000000-0000-4000-8000-000000000000"):
        assert signed_in.submit(f"/wordcounts/{public_id}/again").status_code == 404
    assert row_counts()["results"] == 1


def use_up_the_hour(user: User, seconds_ago: int) -> None:
    """Store the counts of an hour, a second apart, the oldest so long ago."""
    for number in range(service.MAX_PER_HOUR):
        age = func.now() - text(f"interval '{seconds_ago - number} seconds'")
        values = {"user_id": user.id, "url": "x", "status": DONE, "total_words": 1, "created_at": age}
        db.session.execute(insert(Result).values(values))
    db.session.commit()


def refuse_another(browser: Visitor, seconds: str, sentence: str) -> None:
    with same_row_counts():
        answer = browser.submit("/wordcounts", url="example.com/typed")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, seconds)
        assert f"{sentence}." in answer.text
        assert 'value="example.com/typed"' in answer.text


def test_it_refuses_a_sixth_unfinished_count(signed_in: Visitor, alice: User) -> None:
    for hours in range(service.MAX_UNFINISHED):  # also where the worker is behind
        waiting(alice, created_at=func.now() - text(f"interval '{hours} hours'"))
    refuse_another(signed_in, "20", "Too many of your pages are still being counted. Try again in 20 seconds")


def test_it_refuses_more_than_30_counts_an_hour(signed_in: Visitor, alice: User) -> None:
    use_up_the_hour(alice, 2879)
    refuse_another(signed_in, "721", "reached the hourly limit for word counts. Try again in 13 minutes")


def test_after_that_time_it_allows_the_next_one(signed_in: Visitor, alice: User) -> None:
    use_up_the_hour(alice, 3600)
    assert signed_in.submit("/wordcounts", url="example.com").status_code == 302


def test_imported_results_do_not_hide_those_of_the_hour(signed_in: Visitor, alice: User) -> None:
    """Imported rows have the newest ids, though they are old."""
    use_up_the_hour(alice, 29)
    month = func.now() - text("interval '30 days'")
    for _ in range(60):
        counted = {"url": "x", "status": DONE, "total_words": 1, "created_at": month}
        db.session.execute(insert(Result).values(user_id=alice.id, **counted))
    db.session.commit()
    refuse_another(signed_in, "3571", "Try again in 1 hour")


def test_the_last_one_of_the_hour_may_be_sent_twice(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor) -> None:
    monkeypatch.setattr(service, "MAX_PER_HOUR", 1)
    form = {"url": "https://example.com", "form_token": form_token(signed_in, "/wordcounts")}
    assert [signed_in.submit("/wordcounts", **form).status_code for _ in range(2)] == [302, 302]


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
    with same_row_counts():
        answer = signed_in.submit(f"/wordcounts/{public_id}/again")
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "20"
        assert "Try again in 20 seconds." in answer.text
        fields = {"csrf_token": signed_in.csrf_token()}
        answer = signed_in.post(f"/wordcounts/{public_id}/again", data=fields, headers={"Accept": "application/json"})
        assert (answer.content_type, answer.headers["Retry-After"]) == ("application/problem+json", "20")


def test_one_persons_counts_are_not_anothers(app: Flask, alice: User, bob: User) -> None:
    for _ in range(service.MAX_UNFINISHED):
        waiting(alice)
    assert browser_of(app, bob).submit("/wordcounts", url="example.com").status_code == 302
    assert db.session.query(Result).filter_by(user_id=bob.id).one().status != DONE


def test_counting_again_obeys_the_quota(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    assert service.QUOTA.most == 5_000
    monkeypatch.setattr(service.QUOTA, "most", 1)
    before = row_counts(), queued()
    answer = signed_in.submit(f"/wordcounts/{public_id}/again")
    assert answer.status_code == 422
    assert "Delete some first" in answer.text
    assert (row_counts(), queued()) == before


def test_a_result_is_counted_again_once(signed_in: Visitor, alice: User) -> None:
    path = f"/wordcounts/{done(alice)}"
    token = form_token(signed_in, path)
    before = row_counts()["results"]
    answers = {signed_in.submit(f"{path}/again", form_token=token).location for _ in range(2)}
    assert len(answers) == 1
    assert row_counts()["results"] == before + 1
    assert signed_in.submit(f"{path}/again", form_token="short").status_code == 422
    assert row_counts()["results"] == before + 1


def test_a_count_that_was_deleted_is_made_anew(signed_in: Visitor) -> None:
    form = {"url": "https://example.com/milk", "form_token": form_token(signed_in, "/wordcounts")}
    first = signed_in.submit("/wordcounts", **form).location
    signed_in.submit(f"{first}/delete")
    assert signed_in.get(signed_in.submit("/wordcounts", **form).location).status_code == 200
