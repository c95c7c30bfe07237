"""Soft delete of a result: its content is gone at once."""

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import Result
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, waiting


@pytest.mark.parametrize("make", [done, waiting, lambda user: failed(user, "dns")])
def test_it_works(signed_in: Visitor, alice: User, make: object) -> None:
    assert callable(make)
    public_id, kept = make(alice), done(alice, url="https://example.com/kept", title="Kept")
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").location == "/wordcounts"
    page = signed_in.get("/wordcounts").text
    assert "Result deleted." in page
    assert f"{public_id}" not in page
    assert f"{kept}" in page


def test_nothing_of_what_it_says_stays(signed_in: Visitor, alice: User) -> None:
    signed_in.submit(f"/wordcounts/{done(alice)}/delete")
    result = db.session.scalars(select(Result).execution_options(populate_existing=True)).one()
    assert result.url == ""
    assert [result.final_url, result.title, result.result_all, result.result_no_stop_words, result.phrases] == [
        None
    ] * 5


def test_a_second_time_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    signed_in.submit(f"/wordcounts/{public_id}/delete")
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").status_code == 404


@pytest.mark.parametrize("public_id", ["1", "x", "00000000-0000-4000-8000-000000000000"])
def test_what_is_not_there_is_404(signed_in: Visitor, alice: User, public_id: str) -> None:
    done(alice)
    assert signed_in.submit(f"/wordcounts/{public_id}/delete").status_code == 404
    assert len(service.list_results(alice.id).results) == 1
