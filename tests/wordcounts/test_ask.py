"""Asking for a count, or for the same once more: which URLs are accepted, and that nothing is stored of others."""

import pytest
from sqlalchemy import func, select, table

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.forms import trimmed, with_scheme
from app.wordcounts.models import Result
from tests.database import row_counts
from tests.visitor import Visitor
from tests.wordcounts.results import done


def jobs() -> int:
    return db.session.scalar(select(func.count()).select_from(table("procrastinate_jobs"))) or 0


def test_it_works(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.submit("/wordcounts", url="https://example.com/moon")
    result = db.session.scalars(select(Result)).one()
    assert answer.status_code == 302
    assert answer.location == f"/wordcounts/{result.public_id}"
    assert (result.user_id, result.url, result.status) == (alice.id, "https://example.com/moon", "queued")
    assert jobs() == 1


def test_a_missing_scheme_is_completed_and_the_rest_is_kept() -> None:
    stored = {
        "example.com": "https://example.com",
        "  example.com/a?b=c#d\r\n": "https://example.com/a?b=c#d",
        "//example.com/a": "https://example.com/a",
        "example.com:443/a": "https://example.com:443/a",
        "HTTP://EXAMPLE.COM": "HTTP://EXAMPLE.COM",
        "반달.example/달": "https://반달.example/달",
    }
    assert {typed: with_scheme(trimmed(typed)) for typed in stored} == stored


def test_the_longest_address_is_stored_with_its_scheme(signed_in: Visitor) -> None:
    url = "https://example.com/".ljust(2000, "a")
    assert signed_in.submit("/wordcounts", url=f" {url.removeprefix('https:')} ").status_code == 302
    assert db.session.scalars(select(Result.url)).one() == url


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com", "http://example.com:22", "http://example.com/\x00", f"https://example.com/{'a' * 1981}"],
)
def test_it_refuses_what_can_never_be_fetched_and_keeps_what_was_typed(signed_in: Visitor, url: str) -> None:
    before = row_counts()
    answer = signed_in.submit("/wordcounts", url=url)
    assert answer.status_code == 422
    assert answer.text.count('class="error"') == 1
    assert f'value="{url[:6]}' in answer.text
    assert row_counts() == before
    assert jobs() == 0


@pytest.mark.parametrize("fields", [{}, {"url": " \r\n"}])
def test_an_empty_form_is_422(signed_in: Visitor, fields: dict[str, str]) -> None:
    answer = signed_in.submit("/wordcounts", **fields)
    assert answer.status_code == 422
    assert "Please enter the address of a web page." in answer.text
    assert row_counts()["results"] == 0


def test_what_was_typed_does_nothing_on_the_page(signed_in: Visitor) -> None:
    page = signed_in.submit("/wordcounts", url='ftp://"><script>alert(1)</script>').text
    assert "<script>" not in page
    assert "ftp://&#34;&gt;&lt;script&gt;" in page


def test_fields_of_no_form_are_not_stored(signed_in: Visitor, alice: User, bob: User) -> None:
    signed_in.submit("/wordcounts", url="example.com", user_id=f"{bob.id}", status="done", shared="1", title="x")
    result = db.session.scalars(select(Result)).one()
    assert (result.user_id, result.status, result.shared, result.title) == (alice.id, "queued", False, None)


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
