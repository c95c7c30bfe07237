"""Sign-in gives no hint whether an account exists, and starts a new session each time (session fixation)."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select, update

from app.accounts import hashing, service, sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from tests.conftest import PASSWORD
from tests.database import row_counts
from tests.visitor import TOKEN, Visitor


def test_the_case_of_the_email_is_ignored_and_one_that_no_letter_is_sent_to_still_signs_in(
    client: Visitor, alice: User
) -> None:
    """No form takes such an address any more, but an account may have one from before."""
    service.sign_up("=?utf-8?q?a?=@example.com", "carol", PASSWORD)
    for email in (" Alice@EXAMPLE.com", "=?utf-8?q?a?=@example.com"):
        assert client.sign_in(email, PASSWORD).location == "/notes", email


def test_an_unknown_email_and_a_wrong_password_get_the_same_response_by_the_same_statements(
    app: Flask, alice: User, statements: list[str]
) -> None:
    before, seen = row_counts(), []
    for email in ("nobody@example.com", "alice@example.com"):
        browser = Visitor(app)
        statements.clear()
        answer = browser.sign_in(email, "another sentence")
        assert answer.status_code == 422
        seen.append((TOKEN.sub("", answer.text).replace(email, ""), list(statements)))
    assert seen[0] == seen[1]
    assert row_counts() == before


def test_an_unknown_email_is_checked_against_a_dummy_hash_of_the_same_cost(production_hasher: None) -> None:
    parameters = hashing.hash_password("x").split("$")[:4]
    assert hashing._DUMMY_HASH.split("$")[:4] == parameters
    assert not hashing.matches("any password at all", None)


def test_invalid_credentials_are_refused_and_store_nothing(client: Visitor, alice: User) -> None:
    before = row_counts()
    wrong = ["x" * 129, f"{PASSWORD} ", PASSWORD.upper()]
    for email, password in [("", ""), (f"{alice.email}\x00", PASSWORD), *((alice.email, each) for each in wrong)]:
        assert client.sign_in(email, password).status_code == 422, (email, password)
    assert row_counts() == before
    assert client.get("/notes").status_code == 302


@pytest.mark.parametrize(("fields", "lifetime"), [({}, timedelta(hours=12)), ({"remember": "y"}, timedelta(days=30))])
def test_remember_me_sets_the_lifetime_of_the_session_and_of_the_cookie(
    client: Visitor, alice: User, fields: dict[str, str], lifetime: timedelta
) -> None:
    answer = client.sign_in("alice@example.com", PASSWORD, **fields)
    row = db.session.query(UserSession).one()
    assert row.expires_at - row.created_at == lifetime
    [cookie] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("semicircle=")]
    assert ("Expires=" in cookie) == bool(fields)


def test_each_sign_in_discards_the_session_of_before_and_what_was_planted_and_stores_a_hash(
    client: Visitor, alice: User
) -> None:
    tokens = ["planted"]
    with client.session_transaction() as cookie:
        cookie["token"] = cookie["other"] = "planted"
    for _ in range(2):
        client.sign_in("alice@example.com", PASSWORD)
        with client.session_transaction() as cookie:
            assert "other" not in cookie
            tokens.append(cookie["token"])
    assert len(set(tokens)) == 3
    assert db.session.query(UserSession).one().token_hash == sessions.hash_token(tokens[-1]) != tokens[-1]


def test_a_hash_with_outdated_parameters_is_rehashed_at_sign_in(
    production_hasher: None, client: Visitor, alice: User
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    db.session.execute(update(User).values(password_hash=old))
    db.session.commit()
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302
    renewed = db.session.scalar(select(User.password_hash))
    assert renewed != old
    assert hashing.matches(PASSWORD, renewed)
