"""Sign-in tells nothing of an account, and starts a new session each time (session fixation).

Guessing passwords is slow, and right passwords have limits, too (ASVS 5.0 V6.3.1).
"""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import hashing, service, sessions
from app.accounts.models import AccountEvent, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.conftest import add_sessions, use_up
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, row_counts, same_row_counts
from tests.visitor import TOKEN, Visitor


def test_the_case_of_the_email_is_ignored_and_one_that_takes_no_letter_signs_in(client: Visitor, alice: User) -> None:
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
    assert hashing._DUMMY_HASH.split("$")[:4] == hashing.hash_password("x").split("$")[:4]
    assert not hashing.matches("any password at all", None)


def test_invalid_credentials_are_refused_and_store_nothing(client: Visitor, alice: User) -> None:
    with same_row_counts():
        wrong = ["x" * 129, f"{PASSWORD} ", PASSWORD.upper()]
        for email, password in [("", ""), (f"{alice.email}\x00", PASSWORD), *((alice.email, each) for each in wrong)]:
            assert client.sign_in(email, password).status_code == 422, (email, password)
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


def test_a_hash_of_old_parameters_is_rehashed_at_sign_in(production_hasher: None, client: Visitor, alice: User) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    commit(update(User).values(password_hash=old))
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302
    renewed = db.session.scalar(select(User.password_hash))
    assert renewed != old
    assert hashing.matches(PASSWORD, renewed)


WRONG = "not the password"
NEW = "quite another sentence"
EMAIL = "alice@example.com"
BY_ACCOUNT = rate_limits.SIGN_IN_BY_ACCOUNT


def visitor(app: Flask, address: str = "192.0.2.1") -> Visitor:
    client = Visitor(app)
    client.environ_base["REMOTE_ADDR"] = address
    return client


def guess(client: Visitor, *emails: str) -> list[int]:
    fields = {"csrf_token": client.csrf_token(), "password": WRONG}
    return [client.post("/sign-in", data={**fields, "email": email}).status_code for email in emails]


def known_browser(app: Flask) -> Visitor:
    client = visitor(app)
    client.sign_in(EMAIL, PASSWORD)
    client.submit("/sign-out")
    return client


def events() -> int:
    return db.session.scalar(select(func.count()).select_from(AccountEvent)) or 0


DOORS = ("/sign-in/confirm", "/mypage/password", "/mypage/delete")


def enter(browser: Visitor, path: str, password: str = PASSWORD) -> int:
    return browser.submit(path, password=password, current_password=password, new_password=NEW).status_code


def test_ten_wrong_passwords_from_many_addresses_then_the_account_is_refused(
    app: Flask, alice: User, hashed: list[str]
) -> None:
    assert BY_ACCOUNT.capacity == 10
    use_up(app, BY_ACCOUNT, EMAIL, left=2)
    assert [guess(visitor(app, f"192.0.2.{number}"), EMAIL) for number in range(4)] == [[422]] * 2 + [[429]] * 2
    assert len(hashed) == 2
    assert db.session.scalars(select(AccountEvent.times)).all() == [2]


def test_twenty_wrong_passwords_from_one_address_then_the_address_is_refused(app: Flask, hashed: list[str]) -> None:
    assert rate_limits.SIGN_IN_BY_ADDRESS.capacity == 20
    use_up(app, rate_limits.SIGN_IN_BY_ADDRESS, "192.0.2.1", left=2)
    assert guess(visitor(app), *(f"person{number}@example.com" for number in range(4))) == [422] * 2 + [429] * 2
    assert len(hashed) == 2


def test_a_refused_guess_says_when_to_try_again_and_keeps_what_was_typed(app: Flask, alice: User) -> None:
    client = visitor(app)
    use_up(app, BY_ACCOUNT, EMAIL)
    with same_row_counts():
        answer = client.sign_in(EMAIL, PASSWORD)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "36")
        assert "Try again in 36 seconds." in answer.text
        assert f'value="{EMAIL}"' in answer.text
        assert PASSWORD not in answer.text
    assert client.get("/notes").status_code == 302


def test_an_unknown_address_is_refused_in_the_same_words(app: Flask, alice: User) -> None:
    pages = []
    for email in (EMAIL, "nobody@example.com"):
        use_up(app, BY_ACCOUNT, email)
        answer = visitor(app).sign_in(email, WRONG)
        pages.append((answer.status_code, TOKEN.sub("", answer.text).replace(email, "")))
    assert pages[0] == pages[1]


def test_signing_in_takes_nothing_of_the_limits_of_guesses(app: Flask, alice: User) -> None:
    use_up(app, BY_ACCOUNT, EMAIL, left=1)
    use_up(app, rate_limits.SIGN_IN_BY_ADDRESS, "192.0.2.1", left=1)
    assert [visitor(app).sign_in(EMAIL, PASSWORD).status_code for _ in range(2)] == [302] * 2


def test_the_owner_gets_in_from_a_known_browser_while_strangers_guess(app: Flask, alice: User) -> None:
    owner = known_browser(app)
    use_up(app, BY_ACCOUNT, EMAIL)
    use_up(app, rate_limits.SIGN_IN_BY_ADDRESS, "192.0.2.1")  # which is hers
    assert visitor(app, "198.51.100.1").sign_in(EMAIL, PASSWORD).status_code == 429
    assert owner.sign_in(EMAIL, PASSWORD).status_code == 302


def test_guesses_in_a_known_browser_are_limited_and_cost_no_others(app: Flask, alice: User, hashed: list[str]) -> None:
    thief = known_browser(app)
    cookie = thief.get_cookie("device", path="/sign-in")
    assert cookie
    assert rate_limits.SIGN_IN_BY_DEVICE.capacity == 10
    use_up(app, rate_limits.SIGN_IN_BY_DEVICE, cookie.value.partition(".")[0], left=2)
    hashed.clear()
    assert guess(thief, *[EMAIL] * 3) == [422] * 2 + [429]
    assert len(hashed) == 2
    assert visitor(app).sign_in(EMAIL, PASSWORD).status_code == 302


def test_a_device_cookie_is_for_one_account_and_a_forged_one_gives_nothing(app: Flask, alice: User, bob: User) -> None:
    client = known_browser(app)
    cookie = client.get_cookie("device", path="/sign-in")
    assert cookie
    for email in (EMAIL, bob.email):
        use_up(app, BY_ACCOUNT, email)
    assert client.sign_in(bob.email, PASSWORD).status_code == 429
    another_nonce = f"{'0' * 32}.{cookie.value.partition('.')[2]}"
    for forged in ("x", "a.é", f"{'0' * 32}.{'0' * 64}", another_nonce):
        client.set_cookie("device", forged, path="/sign-in")
        assert client.sign_in(EMAIL, PASSWORD).status_code == 429, forged


def test_a_password_change_ends_every_other_device_cookie(app: Flask, alice: User) -> None:
    phone, laptop = known_browser(app), visitor(app)
    laptop.sign_in(EMAIL, PASSWORD)
    laptop.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    laptop.submit("/sign-out")
    use_up(app, BY_ACCOUNT, EMAIL)
    assert phone.sign_in(EMAIL, NEW).status_code == 429
    assert laptop.sign_in(EMAIL, NEW).status_code == 302


def test_a_device_cookie_is_out_of_reach_for_scripts_and_other_sites(
    app: Flask, client: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SESSION_COOKIE_SECURE", True)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    answer = client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}, base_url="https://localhost")
    [cookie] = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("device=")]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/sign-in", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert "alice" not in cookie


def test_who_is_signed_in_may_guess_the_password_ten_times(signed_in: Visitor, alice: User, hashed: list[str]) -> None:
    assert rate_limits.PASSWORD_BY_PERSON.capacity == 10
    use_up(signed_in.application, rate_limits.PASSWORD_BY_PERSON, alice.id, left=2)
    wrong = {"password": WRONG, "current_password": WRONG, "new_password": NEW}
    doors = {"/mypage/password": "your current password", "/mypage/delete": "your password"}
    for path, whose in doors.items():
        answer = signed_in.submit(path, **wrong)
        assert (answer.status_code, f"isn&#39;t {whose}" in answer.text) == (422, True)
    for path in doors:
        answer = signed_in.submit(path, **wrong)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "360")
        assert "Try again in 6 minutes." in answer.text
    assert len(hashed) == 2
    assert row_counts()["users"] == 1


def test_thirty_sign_ups_from_one_address_that_the_form_takes_then_it_is_refused(app: Flask) -> None:
    client, late = visitor(app), {"email": "late@example.com", "nickname": "late", "password": PASSWORD}
    assert rate_limits.SIGN_UP_BY_ADDRESS.capacity == 30
    use_up(app, rate_limits.SIGN_UP_BY_ADDRESS, "192.0.2.1", left=1)
    assert client.submit("/sign-up", **{**late, "email": "p@example.com", "password": "short"}).status_code == 422
    assert client.submit("/sign-up", email="p@example.com", nickname="p", password=PASSWORD).status_code == 302
    with same_row_counts():
        answer = client.submit("/sign-up", **late)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "120")
        assert "Try again in 2 minutes." in answer.text
        assert 'value="late@example.com"' in answer.text
    assert visitor(app, "192.0.2.2").submit("/sign-up", **late).status_code == 302


def test_a_right_password_begins_thirty_sessions_then_it_is_refused_at_the_cost_of_a_wrong_one(
    app: Flask, alice: User, hashed: list[str]
) -> None:
    use_up(app, rate_limits.SIGN_INS, alice.id)
    use_up(app, BY_ACCOUNT, EMAIL, left=2)
    client = visitor(app)
    before = row_counts()["user_sessions"], events()
    answer = client.sign_in(EMAIL, PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Try again in 1 minute." in answer.text
    assert f'value="{EMAIL}"' in answer.text
    for number in range(2):
        assert visitor(app, f"192.0.2.{number}").sign_in(EMAIL, PASSWORD).status_code == 429
    assert len(hashed) == 2
    assert client.get("/notes").status_code == 302
    assert (row_counts()["user_sessions"], events()) == before


def test_wrong_passwords_of_strangers_take_no_token_of_the_owner(app: Flask, alice: User) -> None:
    assert rate_limits.SIGN_INS.capacity == 30
    owner = known_browser(app)
    use_up(app, rate_limits.SIGN_INS, alice.id, left=2)  # one was taken by known_browser
    use_up(app, BY_ACCOUNT, EMAIL, left=2)
    assert guess(visitor(app, "192.0.2.9"), *[EMAIL] * 3) == [422, 422, 429]
    assert [owner.sign_in(EMAIL, PASSWORD).status_code for _ in range(2)] == [302, 429]


def test_a_right_password_that_is_asked_for_again_is_limited_and_costs_no_hash(
    app: Flask, signed_in: Visitor, alice: User, hashed: list[str]
) -> None:
    use_up(app, rate_limits.RIGHT_PASSWORDS, alice.id)
    before = row_counts(), events()
    assert [enter(signed_in, path) for path in DOORS] == [429] * 3
    assert (row_counts(), events(), hashed) == (before[0], before[1], [])
    assert signed_in.get("/notes").status_code == 200


def test_wrong_ones_take_nothing_of_the_right_ones(app: Flask, signed_in: Visitor, alice: User) -> None:
    use_up(app, rate_limits.RIGHT_PASSWORDS, alice.id, left=1)
    for _ in range(2):
        assert enter(signed_in, DOORS[0], WRONG) == 422
    assert [enter(signed_in, DOORS[0]) for _ in range(2)] == [302, 429]


def test_the_oldest_session_ends_where_one_too_many_begins(app: Flask, alice: User, bob: User) -> None:
    bobs, oldest, older = browser_of(app, bob), browser_of(app, alice), browser_of(app, alice)
    add_sessions(alice, sessions.MOST - 2)
    assert oldest.get("/notes").status_code == 200
    newest = browser_of(app, alice)
    assert [browser.get("/notes").status_code for browser in (oldest, older, newest, bobs)] == [302, 200, 200, 200]
    assert row_counts()["user_sessions"] == sessions.MOST + 1


def test_expired_sessions_end_before_living_ones(app: Flask, alice: User) -> None:
    first = browser_of(app, alice)
    add_sessions(alice, sessions.MOST - 1)
    newest = select(func.max(UserSession.id)).scalar_subquery()
    commit(update(UserSession).where(UserSession.id == newest).values(expires_at=func.now()))
    browser_of(app, alice)
    assert first.get("/notes").status_code == 200
