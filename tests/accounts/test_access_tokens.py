"""My page → Access tokens: only the owner makes, sees and revokes them, and nobody sees a token twice."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import access_tokens
from app.accounts import service as accounts
from app.accounts.models import AccessToken, AccountEvent, User
from app.accounts.sessions import hash_token
from app.extensions import db
from tests.conftest import CLIENT
from tests.database import row_counts
from tests.visitor import Visitor

FIELDS = {"name": "backup script", "scopes": ["notes:read", "export:read"], "expiry": "30"}


def made(page: str) -> str:
    [token] = re.findall(r"sc_[0-9A-Za-z]{49}", page)
    return str(token)


def test_it_is_shown_once_and_stored_as_a_hash(signed_in: Visitor, alice: User) -> None:
    token = made(signed_in.submit("/mypage/tokens", **FIELDS).text)
    row = db.session.execute(select(AccessToken)).scalar_one()
    assert row.token_hash == hash_token(token)
    assert (row.name, row.scopes) == ("backup script", ["notes:read", "export:read"])
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days == 30
    listed = signed_in.get("/mypage/tokens").text
    assert "backup script" in listed
    assert "sc_" not in listed
    assert "/mypage/tokens" in signed_in.get("/mypage").text
    assert db.session.scalars(select(AccountEvent.kind)).all()[-1] == "access_token_made"


def test_it_may_never_expire(signed_in: Visitor) -> None:
    signed_in.submit("/mypage/tokens", **(FIELDS | {"expiry": "never"}))
    assert db.session.scalars(select(AccessToken.expires_at)).all() == [None]
    assert "Never expires" in signed_in.get("/mypage/tokens").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 51},
        {"name": "a\x00b"},
        {"name": "two\nlines"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["read", "notes:delete"]},
        {"expiry": ""},
        {"expiry": "31"},
        {"expiry": "-1"},
    ],
)
def test_what_is_wrong_makes_none(signed_in: Visitor, wrong: dict[str, object]) -> None:
    before = row_counts()
    answer = signed_in.submit("/mypage/tokens", **{**FIELDS, **wrong})
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert row_counts() == before


def test_nobody_has_more_than_the_limit(signed_in: Visitor, alice: User, app: Flask) -> None:
    with app.test_request_context():
        for _ in range(access_tokens.MOST):
            access_tokens.make_token(alice.id, "one of many", ["read"], None, CLIENT)
    before = row_counts()
    assert signed_in.submit("/mypage/tokens", **FIELDS).status_code == 422
    assert row_counts() == before
    db.session.execute(update(AccessToken).values(expires_at=func.now()))
    db.session.commit()
    assert signed_in.submit("/mypage/tokens", **FIELDS).status_code == 200  # those that have expired do not count


def test_it_is_revoked_by_its_owner_alone(signed_in: Visitor, alice: User, bob: User, app: Flask) -> None:
    with app.test_request_context():
        his = access_tokens.make_token(bob.id, "his", ["read"], None, CLIENT)
        hers = access_tokens.make_token(alice.id, "hers", ["read"], None, CLIENT)
    [his_id, her_id] = db.session.scalars(select(AccessToken.id).order_by("id"))
    assert "his" not in re.findall("<bdi>(.*?)</bdi>", signed_in.get("/mypage/tokens").text)
    assert signed_in.submit(f"/mypage/tokens/{his_id}/end").status_code == 404
    assert signed_in.submit(f"/mypage/tokens/{her_id}/end").location == "/mypage/tokens"
    assert signed_in.submit(f"/mypage/tokens/{her_id}/end").status_code == 404
    with app.test_request_context():
        assert access_tokens.find_holder(his)
        assert access_tokens.find_holder(hers) is None


def test_two_at_once_do_not_exceed_the_limit(migrated: Flask) -> None:
    user = accounts.sign_up("alice@example.com", "alice", "a long enough sentence")
    for _ in range(access_tokens.MOST - 1):
        access_tokens.make_token(user.id, "one of many", ["read"], None, CLIENT)

    def make(_number: int) -> bool:
        with migrated.app_context():
            try:
                access_tokens.make_token(user.id, "the last one", ["read"], None, CLIENT)
            except access_tokens.TooManyTokens:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(4))) == 1


def test_expired_ones_are_purged(app: Flask, alice: User) -> None:
    with app.test_request_context():
        for days in (None, 30, 30):
            access_tokens.make_token(alice.id, "test", ["read"], days, CLIENT)
    newest = select(func.max(AccessToken.id)).scalar_subquery()
    db.session.execute(update(AccessToken).where(AccessToken.id == newest).values(expires_at=func.now()))
    with app.test_request_context():
        assert access_tokens.purge_expired_tokens() == 1
    assert db.session.scalar(select(func.count()).select_from(AccessToken)) == 2
