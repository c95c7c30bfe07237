"""Sign-up refuses invalid input and then stores nothing."""

import pytest

from app.accounts.models import User
from app.extensions import db
from tests.database import row_counts
from tests.visitor import Visitor

GOOD = {"email": "carol@example.com", "nickname": "carol", "password": "a long enough sentence"}


def test_signing_up_signs_the_user_in(client: Visitor) -> None:
    answer = client.submit("/sign-up", **GOOD)
    assert answer.status_code == 302
    assert answer.location == "/notes"
    assert client.get("/notes").status_code == 200


def test_the_email_is_stored_in_lower_case_and_the_password_as_a_hash(production_hasher: None, client: Visitor) -> None:
    client.submit("/sign-up", **{**GOOD, "email": " Carol@Example.COM "})
    user = db.session.query(User).one()
    assert user.email == "carol@example.com"
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "", "enter your email"),
        ("email", "carol", "full email"),
        ("email", "carol@", "full email"),
        ("email", "carol@example.com\x00", "full email"),
        ("email", "=?utf-8?q?a=2Cb?=@x.example", "full email"),
        ("email", f"{'c' * 60}@{'d' * 60}.{'e' * 60}.com", "at most 120"),
        ("nickname", "", "choose a nickname"),
        ("nickname", "   ", "choose a nickname"),
        ("nickname", "\u3164" * 3, "visible characters"),
        ("nickname", "x" * 81, "at most 80"),
        ("nickname", "\ufdfa" * 10, "at most 80"),
        ("nickname", "car\x00ol", "visible characters"),
        ("nickname", "car\nol", "visible characters"),
        ("nickname", "\u202elorac", "visible characters"),
        ("nickname", "car\u200bol", "visible characters"),
        ("nickname", "car\ue000ol", "visible characters"),
        ("nickname", "\u0430dmin", "different alphabets"),
        ("nickname", "\u03b1dmin", "different alphabets"),
        ("password", "", "choose a password"),
        ("password", "x1y2z3w4v", "10 to 128"),
        ("password", "ab" * 65, "10 to 128"),
        ("password", "1234567890", "easy to guess"),
        ("password", "QWERTYuiop", "easy to guess"),
        ("password", "carol@example.com", "Others know this name"),
        ("password", "carol2026!!", "Others know this name"),
        ("password", "semicircle123", "Others know this name"),
        ("password", "Password123!", "Many people use this password"),
        ("password", "aaaaaaaaaa", "repeats the same letters"),
        ("password", "010-8374-9265", "phone number or a date"),
        ("password", "a long enough\x00 sentence", "control character"),
    ],
)
def test_an_invalid_field_is_refused_and_stores_nothing(client: Visitor, field: str, value: str, sentence: str) -> None:
    before = row_counts()
    answer = client.submit("/sign-up", **{**GOOD, field: value})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert row_counts() == before


@pytest.mark.parametrize("nickname", ["하늘반달", "하늘Sky", "空とSky", "Ivan", "Иван", "nick 7 ☾", "x" * 80, "é" * 80])
def test_a_valid_nickname_is_accepted(client: Visitor, nickname: str) -> None:
    assert client.submit("/sign-up", **{**GOOD, "nickname": nickname}).status_code == 302


@pytest.mark.parametrize("password", ["zgvexwqkup", " ".join(f"{number} sheep" for number in range(99))[:128]])
def test_the_shortest_and_the_longest_password_are_accepted(client: Visitor, password: str) -> None:
    assert client.submit("/sign-up", **{**GOOD, "password": password}).status_code == 302


def test_a_decomposed_nickname_is_stored_in_composed_form(client: Visitor) -> None:
    client.submit("/sign-up", **{**GOOD, "nickname": "\u1103\u1161\u11af"})
    assert db.session.query(User).one().nickname == "달"


def test_an_email_in_use_is_refused_in_any_case(client: Visitor, alice: User) -> None:
    before = row_counts()
    answer = client.submit("/sign-up", **{**GOOD, "email": "ALICE@example.com"})
    assert answer.status_code == 422
    assert "has an account" in answer.text
    assert row_counts() == before


@pytest.mark.parametrize("nickname", ["alice", "ALICE", "ａｌｉｃｅ"])
def test_a_nickname_that_looks_like_a_taken_one_is_refused(client: Visitor, alice: User, nickname: str) -> None:
    before = row_counts()
    answer = client.submit("/sign-up", **{**GOOD, "nickname": nickname})
    assert answer.status_code == 422
    assert "nickname is taken" in answer.text
    assert row_counts() == before


def test_a_refused_form_keeps_the_typed_text_but_not_the_password(client: Visitor) -> None:
    page = client.submit("/sign-up", **{**GOOD, "email": "carol@"}).text
    assert 'value="carol@"' in page
    assert 'value="carol"' in page
    assert GOOD["password"] not in page
