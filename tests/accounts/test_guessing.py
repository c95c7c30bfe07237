"""Guessing passwords is slow and tells nothing, and right passwords have limits, too (ASVS 5.0 V6.3.1)."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import sessions
from app.accounts.models import AccountEvent, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import TOKEN, Visitor

WRONG = "not the password"
NEW = "quite another sentence"
EMAIL = "alice@example.com"


def visitor(app: Flask, address: str = "192.0.2.1") -> Visitor:
    client = app.test_client()
    assert isinstance(client, Visitor)
    client.environ_base["REMOTE_ADDR"] = address
    return client


def guess(client: Visitor, times: int, email: str = EMAIL) -> list[int]:
    return guess_at(client, [email] * times)


def guess_at(client: Visitor, emails: Iterable[str]) -> list[int]:
    fields = {"csrf_token": client.csrf_token(), "password": WRONG}
    return [client.post("/sign-in", data={**fields, "email": email}).status_code for email in emails]


def people(number: int) -> list[str]:
    return [f"person{each}@example.com" for each in range(number)]


def known_browser(app: Flask, **fields: Any) -> Visitor:
    client = visitor(app)
    client.sign_in(EMAIL, PASSWORD)
    client.submit("/sign-out")
    return client


def use_up(app: Flask, limit: rate_limits.Limit, user: User, left: int = 0) -> None:
    with app.app_context():
        for _ in range(limit.capacity - left):
            rate_limits.take(limit, user.id)


def events() -> int:
    return db.session.scalar(select(func.count()).select_from(AccountEvent)) or 0


def confirm(browser: Visitor) -> int:
    return browser.submit("/sign-in/confirm", password=PASSWORD).status_code


def change_password(browser: Visitor) -> int:
    return browser.submit("/mypage/password", current_password=PASSWORD, new_password=NEW).status_code


def delete_account(browser: Visitor) -> int:
    return browser.submit("/mypage/delete", password=PASSWORD).status_code


def test_ten_wrong_passwords_from_many_addresses_then_the_account_is_refused(
    app: Flask, alice: User, hashed: list[str]
) -> None:
    answers = [guess(visitor(app, f"192.0.2.{number}"), 1)[0] for number in range(15)]
    assert answers == [422] * 10 + [429] * 5
    assert len(hashed) == 10


def test_twenty_wrong_passwords_from_one_address_then_the_address_is_refused(app: Flask, hashed: list[str]) -> None:
    answers = guess_at(visitor(app), people(25))
    assert answers == [422] * 20 + [429] * 5
    assert len(hashed) == 20


@pytest.mark.parametrize("second", ["2001:db8:0:1:ffff::2"])
def test_the_addresses_of_an_ipv6_network_are_one(app: Flask, second: str) -> None:
    guess_at(visitor(app, "2001:db8:0:1::1"), people(20))
    assert guess(visitor(app, second), 1) == [429]
    assert guess(visitor(app, "2001:db8:0:2::1"), 1) == [422]


def test_a_refused_guess_says_when_to_try_again_and_keeps_what_was_typed(app: Flask, alice: User) -> None:
    client = visitor(app)
    guess(client, 10)
    before = row_counts()
    answer = client.sign_in(EMAIL, PASSWORD)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "36"
    assert "Try again in 36 seconds." in answer.text
    assert f'value="{EMAIL}"' in answer.text
    assert PASSWORD not in answer.text
    assert row_counts() == before
    assert client.get("/notes").status_code == 302


def test_an_unknown_address_is_refused_in_the_same_words(app: Flask, alice: User) -> None:
    pages = []
    for number, email in enumerate((EMAIL, "nobody@example.com")):
        client = visitor(app, f"192.0.2.{number}")
        guess(client, 10, email)
        answer = client.sign_in(email, WRONG)
        pages.append((answer.status_code, TOKEN.sub("", answer.text).replace(email, "")))
    assert pages[0] == pages[1]


def test_signing_in_takes_nothing_of_the_limits_of_guesses(app: Flask, alice: User) -> None:
    assert [visitor(app).sign_in(EMAIL, PASSWORD).status_code for _ in range(21)] == [302] * 21


def test_a_refused_person_gets_in_after_one_refill(app: Flask, alice: User) -> None:
    client = visitor(app)
    guess(client, 15)
    db.session.execute(text("UPDATE rate_limits SET full_at = full_at - interval '36 seconds'"))
    db.session.commit()
    assert client.sign_in(EMAIL, PASSWORD).status_code == 302


def test_the_owner_gets_in_from_a_known_browser_while_strangers_guess(app: Flask, alice: User) -> None:
    owner = known_browser(app)
    guess(visitor(app), 30)  # the same address as hers
    for number in range(10):
        guess(visitor(app, f"192.0.2.{number}"), 5)
    assert visitor(app, "198.51.100.1").sign_in(EMAIL, PASSWORD).status_code == 429
    assert owner.sign_in(EMAIL, PASSWORD).status_code == 302


def test_guesses_in_a_known_browser_are_limited_too_and_cost_others_nothing(
    app: Flask, alice: User, hashed: list[str]
) -> None:
    thief = known_browser(app)
    hashed.clear()
    assert guess(thief, 15) == [422] * 10 + [429] * 5
    assert len(hashed) == 10
    assert visitor(app).sign_in(EMAIL, PASSWORD).status_code == 302


def test_a_device_cookie_is_for_one_account(app: Flask, alice: User, bob: User) -> None:
    client = known_browser(app)
    guess(visitor(app), 10, bob.email)
    assert client.sign_in(bob.email, PASSWORD).status_code == 429


@pytest.mark.parametrize("forged", ["x", "a.é", "0" * 32 + "." + "0" * 64])
def test_a_forged_device_cookie_gives_nothing(app: Flask, alice: User, forged: str) -> None:
    client = visitor(app)
    client.set_cookie("device", forged, path="/sign-in")
    assert guess(client, 11) == [422] * 10 + [429]


def test_another_nonce_under_a_device_cookies_signature_gives_nothing(app: Flask, alice: User) -> None:
    client = known_browser(app)
    cookie = client.get_cookie("device", path="/sign-in")
    assert cookie
    client.set_cookie("device", f"{'0' * 32}.{cookie.value.partition('.')[2]}", path="/sign-in")
    guess(visitor(app), 10)
    assert client.sign_in(EMAIL, PASSWORD).status_code == 429


def test_a_password_change_ends_every_other_device_cookie(app: Flask, alice: User) -> None:
    phone, laptop = known_browser(app), visitor(app)
    laptop.sign_in(EMAIL, PASSWORD)
    laptop.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    laptop.submit("/sign-out")
    guess(visitor(app), 10)
    assert phone.sign_in(EMAIL, NEW).status_code == 429
    assert laptop.sign_in(EMAIL, NEW).status_code == 302


def test_a_device_cookie_is_out_of_reach_for_scripts_and_other_sites(client: Visitor, alice: User) -> None:
    answer = client.sign_in(EMAIL, PASSWORD)
    [cookie] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("device=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/sign-in", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert "alice" not in cookie


def test_a_device_cookie_is_secure_in_production(
    app: Flask, client: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SESSION_COOKIE_SECURE", True)
    fields = {"csrf_token": "", "email": EMAIL, "password": PASSWORD}
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    answer = client.post("/sign-in", data=fields, base_url="https://localhost")
    assert "Secure" in next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("device="))


@pytest.mark.parametrize(
    ("path", "fields", "sentence"),
    [
        ("/mypage/password", {"current_password": WRONG, "new_password": NEW}, "isn&#39;t your current password"),
        ("/mypage/delete", {"password": WRONG}, "isn&#39;t your password"),
    ],
)
def test_a_signed_in_person_may_guess_the_password_ten_times(
    signed_in: Visitor, alice: User, hashed: list[str], path: str, fields: dict[str, str], sentence: str
) -> None:
    before = row_counts()
    for _ in range(10):
        answer = signed_in.submit(path, **fields)
        assert answer.status_code == 422
        assert sentence in answer.text
    answer = signed_in.submit(path, **fields)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "360"
    assert "Try again in 6 minutes." in answer.text
    assert len(hashed) == 10
    assert row_counts() == before


def test_thirty_sign_ups_from_one_address_then_it_is_refused(app: Flask) -> None:
    client = visitor(app)
    for number in range(30):
        fields = {"email": f"p{number}@example.com", "nickname": f"p{number}", "password": PASSWORD}
        assert client.submit("/sign-up", **fields).status_code == 302
    before = row_counts()
    late = {"email": "late@example.com", "nickname": "late", "password": PASSWORD}
    answer = client.submit("/sign-up", **late)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "120"
    assert "Try again in 2 minutes." in answer.text
    assert 'value="late@example.com"' in answer.text
    assert row_counts() == before
    assert visitor(app, "192.0.2.2").submit("/sign-up", **late).status_code == 302


def test_a_sign_up_that_the_form_refuses_takes_nothing(app: Flask) -> None:
    client = visitor(app)
    for _ in range(31):
        client.submit("/sign-up", email="p@example.com", nickname="p", password="short")
    assert client.submit("/sign-up", email="p@example.com", nickname="p", password=PASSWORD).status_code == 302


def test_a_right_password_begins_thirty_sessions_then_it_is_refused(app: Flask, alice: User) -> None:
    use_up(app, rate_limits.SIGN_INS, alice)
    client = visitor(app)
    before = row_counts(), events()
    answer = client.sign_in(EMAIL, PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Try again in 1 minute." in answer.text
    assert f'value="{EMAIL}"' in answer.text
    assert client.get("/notes").status_code == 302
    assert (row_counts(), events()) == before


def test_a_refused_right_password_costs_no_more_hashes_than_a_wrong_one(
    app: Flask,
    alice: User,
    hashed: list[str],
) -> None:
    use_up(app, rate_limits.SIGN_INS, alice)
    answers = [visitor(app, f"192.0.2.{number}").sign_in(EMAIL, PASSWORD).status_code for number in range(30)]
    assert answers == [429] * 30
    assert len(hashed) == rate_limits.SIGN_IN_BY_ACCOUNT.capacity


def test_wrong_passwords_of_strangers_take_no_token_of_the_owner(app: Flask, alice: User) -> None:
    owner = known_browser(app)
    for number in range(12):
        guess(visitor(app, f"192.0.2.{number}"), 5)
    assert [owner.sign_in(EMAIL, PASSWORD).status_code for _ in range(30)] == [302] * 29 + [429]  # one by known_browser


@pytest.mark.parametrize("door", [confirm, change_password, delete_account])
def test_a_right_password_that_is_asked_for_again_is_limited_and_costs_no_hash(
    app: Flask,
    signed_in: Visitor,
    alice: User,
    hashed: list[str],
    door: Callable[[Visitor], int],
) -> None:
    use_up(app, rate_limits.RIGHT_PASSWORDS, alice)
    before = row_counts(), events()
    assert door(signed_in) == 429
    assert (row_counts(), events(), hashed) == (before[0], before[1], [])
    assert signed_in.get("/notes").status_code == 200


def test_wrong_ones_take_nothing_of_the_right_ones(app: Flask, signed_in: Visitor, alice: User) -> None:
    use_up(app, rate_limits.RIGHT_PASSWORDS, alice, left=1)
    for _ in range(9):
        assert signed_in.submit("/sign-in/confirm", password=WRONG).status_code == 422
    assert [confirm(signed_in), confirm(signed_in)] == [302, 429]


def test_the_oldest_session_ends_where_one_too_many_begins(app: Flask, alice: User, bob: User) -> None:
    bobs, oldest, older = browser_of(app, bob), browser_of(app, alice), browser_of(app, alice)
    for _ in range(sessions.MOST - 2):
        sessions.start_session(alice, remember=False, user_agent="test", ip=None)
    assert oldest.get("/notes").status_code == 200
    newest = browser_of(app, alice)
    assert [browser.get("/notes").status_code for browser in (oldest, older, newest, bobs)] == [302, 200, 200, 200]
    assert row_counts()["user_sessions"] == sessions.MOST + 1


def test_expired_sessions_end_before_living_ones(app: Flask, alice: User) -> None:
    first = browser_of(app, alice)
    for _ in range(sessions.MOST - 1):
        sessions.start_session(alice, remember=False, user_agent="test", ip=None)
    newest = select(func.max(UserSession.id)).scalar_subquery()
    db.session.execute(update(UserSession).where(UserSession.id == newest).values(expires_at=func.now()))
    db.session.commit()
    browser_of(app, alice)
    assert first.get("/notes").status_code == 200
