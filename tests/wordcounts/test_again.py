"""Counting the same page again, as a result of its own."""

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import Result
from tests.database import row_counts
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, waiting


@pytest.mark.parametrize("make", [done, waiting, lambda user: failed(user, "dns")])
def test_it_works(signed_in: Visitor, alice: User, make: object) -> None:
    assert callable(make)
    old = make(alice)
    answer = signed_in.submit(f"/wordcounts/{old}/again")
    newest = db.session.scalars(select(Result).order_by(Result.id.desc()).limit(1)).one()
    assert answer.location == f"/wordcounts/{newest.public_id}"
    assert newest.public_id != old
    assert (newest.url, newest.status, newest.shared) == ("https://example.com/moon", "queued", False)
    assert row_counts()["results"] == 2


def test_the_old_one_stays_as_it_is(signed_in: Visitor, alice: User) -> None:
    old = done(alice, shared=True)
    before = service.get_result(alice.id, old)._asdict()
    signed_in.submit(f"/wordcounts/{old}/again")
    after = service.get_result(alice.id, old)._asdict()
    assert len(after.pop("recent")) == len(before.pop("recent")) + 1
    assert after == before


def test_a_shared_one_is_not_shared_again(client: Visitor, signed_in: Visitor, alice: User) -> None:
    new = signed_in.submit(f"/wordcounts/{done(alice, shared=True)}/again").location
    assert client.get(new).status_code == 302


@pytest.mark.parametrize("public_id", ["1", "x", "00000000-0000-4000-8000-000000000000"])
def test_what_is_not_there_is_404(signed_in: Visitor, public_id: str) -> None:
    assert signed_in.submit(f"/wordcounts/{public_id}/again").status_code == 404
    assert row_counts()["results"] == 0


def test_a_deleted_one_is_404(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    service.delete_result(alice.id, public_id)
    assert signed_in.submit(f"/wordcounts/{public_id}/again").status_code == 404
    assert row_counts()["results"] == 1
