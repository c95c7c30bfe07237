"""My page → Access tokens: only the owner makes, sees and revokes them, and nobody sees a token twice."""

import re

from flask import Flask
from sqlalchemy import func, insert, select, update

from app.accounts import access_tokens
from app.accounts import service as accounts
from app.accounts.access_tokens import CHECKSUM, PREFIX, bearer_token, is_signed, is_well_formed, new_token
from app.accounts.models import AccessToken, AccountEvent, User
from app.accounts.sessions import hash_token
from app.extensions import db
from tests.accounts.conftest import won
from tests.conftest import CLIENT
from tests.database import commit, same_row_counts
from tests.visitor import Visitor

FIELDS = {"name": "backup script", "scopes": ["notes:read", "export:read"], "expiry": "30"}
KEY, LATER_KEY = "k" * 32, "l" * 32


def test_it_is_shown_once_and_stored_as_a_hash(signed_in: Visitor, alice: User) -> None:
    [token] = re.findall(r"sc_[0-9A-Za-z]{49}", signed_in.submit("/mypage/tokens", **FIELDS).text)
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
    signed_in.submit("/mypage/tokens", **(FIELDS | {"expiry": "never"}))
    assert db.session.scalars(select(AccessToken.expires_at).order_by(AccessToken.id)).all()[-1] is None
    assert "Never expires" in signed_in.get("/mypage/tokens").text


def test_what_is_wrong_makes_none(signed_in: Visitor) -> None:
    with same_row_counts():
        wrongs: list[tuple[str, object]] = [("name", name) for name in ("", "x" * 51, "a\x00b")]
        wrongs += [("scopes", []), ("scopes", ["read", "notes:delete"]), ("expiry", "31")]
        for wrong in wrongs:
            answer = signed_in.submit("/mypage/tokens", **{**FIELDS, wrong[0]: wrong[1]})
            assert (answer.status_code, 'class="error"' in answer.text) == (422, True), wrong


def add_tokens(user: User, count: int) -> None:
    """Store as many tokens of a user at once. Nobody has them."""
    row = {"user_id": user.id, "name": "one of many", "scopes": ["read"]}
    commit(insert(AccessToken), [{**row, "token_hash": f"{user.id} {number}"} for number in range(count)])


def test_nobody_has_more_than_the_limit(signed_in: Visitor, alice: User, bob: User) -> None:
    for user in (alice, bob):
        add_tokens(user, access_tokens.MOST)
    with same_row_counts():
        assert signed_in.submit("/mypage/tokens", **FIELDS).status_code == 422
    commit(update(AccessToken).filter_by(user_id=alice.id).values(expires_at=func.now()))
    assert (
        signed_in.submit("/mypage/tokens", **FIELDS).status_code == 200
    )  # Bob's and those that have expired do not count


def test_it_is_revoked_once_and_no_other_with_it(signed_in: Visitor, alice: User, bob: User, app: Flask) -> None:
    with app.test_request_context():
        his = access_tokens.make_token(bob.id, "his", ["read"], None, CLIENT)
        hers, kept = (access_tokens.make_token(alice.id, name, ["read"], None, CLIENT) for name in ("hers", "kept"))
    her_id = db.session.scalars(select(AccessToken.id).filter_by(name="hers")).one()
    assert signed_in.submit(f"/mypage/tokens/{her_id}/end").location == "/mypage/tokens"
    assert signed_in.submit(f"/mypage/tokens/{her_id}/end").status_code == 404
    with app.test_request_context():
        assert access_tokens.find_holder(his)
        assert access_tokens.find_holder(kept)
        assert access_tokens.find_holder(hers) is None


def test_concurrent_requests_do_not_exceed_the_limit(migrated: Flask) -> None:
    alice = accounts.sign_up("alice@example.com", "alice", "a long enough sentence")
    add_tokens(alice, access_tokens.MOST - 1)
    user_id = alice.id

    def make(number: int) -> None:
        access_tokens.make_token(user_id, f"the last one {number}", ["read"], None, CLIENT)

    assert len(won(migrated, make, range(4), access_tokens.TooManyTokens)) == 1


def test_the_prefix_and_the_checksum_tell_it_from_other_text_and_its_signature_from_those_of_strangers() -> None:
    """Anybody can compute the checksum. A key of before still counts."""
    ours, theirs = new_token(KEY), new_token(LATER_KEY)
    assert ours != new_token(KEY)
    for wrong in (ours[:-1], ours + "0", ours.swapcase(), ours[:10] + ours[11:] + "0", "sc_", "", "x" + ours[1:]):
        assert not is_well_formed(wrong)
        assert not is_signed(wrong, [KEY])
    assert is_well_formed(ours)
    assert is_well_formed(theirs)
    assert [is_signed(ours, keys) for keys in ([KEY], [LATER_KEY, KEY], [LATER_KEY], [])] == [True, True, False, False]
    mixed = theirs[: len(PREFIX) + 32] + ours[len(PREFIX) + 32 : -CHECKSUM]
    assert not any(is_signed(mixed + theirs[-CHECKSUM:], [key]) for key in (KEY, LATER_KEY))


def test_the_header_holds_a_bearer_token_or_none() -> None:
    headers = {"Bearer abc": "abc", "bearer  abc ": "abc", "": "", "Bearer": "", "abc": "", "Basic abc": ""}
    assert {header: bearer_token(header) for header in headers} == headers
