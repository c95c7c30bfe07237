"""Right answers have limits, too: without one a person's own password fills tables and keeps the CPUs busy (argon2)."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import sessions
from app.accounts.models import AccountEvent, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.test_guessing import EMAIL, NEW, WRONG, guess, known_browser, visitor
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor


def use_up(app: Flask, limit: rate_limits.Limit, user: User, left: int = 0) -> None:
    with app.app_context():
        for _ in range(limit.capacity - left):
            rate_limits.take(limit, user.id)


def events() -> int:
    return db.session.scalar(select(func.count()).select_from(AccountEvent)) or 0


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


def test_each_sign_in_takes_one_from_whatever_address_or_browser(app: Flask, alice: User) -> None:
    answers = [visitor(app, f"192.0.2.{number}").sign_in(EMAIL, PASSWORD).status_code for number in range(32)]
    assert answers == [302] * 30 + [429] * 2
    assert row_counts()["user_sessions"] == events() == 30


def test_in_a_known_browser_too(app: Flask, alice: User) -> None:
    owner = known_browser(app)
    use_up(app, rate_limits.SIGN_INS, alice, left=1)
    assert owner.sign_in(EMAIL, PASSWORD).status_code == 429


def test_the_next_minute_brings_the_next_sign_in(app: Flask, alice: User) -> None:
    use_up(app, rate_limits.SIGN_INS, alice)
    visitor(app).sign_in(EMAIL, PASSWORD)
    db.session.execute(text("UPDATE rate_limits SET full_at = full_at - interval '60 seconds'"))
    db.session.commit()
    assert visitor(app).sign_in(EMAIL, PASSWORD).status_code == 302


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


def confirm(browser: Visitor) -> int:
    return browser.submit("/sign-in/confirm", password=PASSWORD).status_code


def change_password(browser: Visitor) -> int:
    return browser.submit("/mypage/password", current_password=PASSWORD, new_password=NEW).status_code


def delete_account(browser: Visitor) -> int:
    return browser.submit("/mypage/delete", password=PASSWORD).status_code


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
