"""Only the owner of an account can list its signed-in devices and sign them out."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import NoneType

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update

from app.accounts import service as accounts
from app.accounts import sessions
from app.accounts.models import AccountEvent, User, UserSession
from app.extensions import db
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.waiting import wait_until

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def sessions_of(user: User) -> list[int]:
    return list(db.session.scalars(select(UserSession.id).where(UserSession.user_id == user.id).order_by("id")))


def add_device(user: User, user_agent: str = WINDOWS, ip: str | None = "203.0.113.7") -> int:
    sessions.start_session(user, remember=False, user_agent=user_agent, ip=ip)
    return sessions_of(user)[-1]


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def test_every_device_is_listed_and_the_current_one_is_marked(signed_in: Visitor, alice: User) -> None:
    add_device(alice)
    page = signed_in.get("/mypage/devices").text
    assert "Chrome on Windows" in page
    assert "203.0.113.7" in page
    assert page.count("This device") == 1
    assert page.index("This device") < page.index("Chrome on Windows")


def test_other_users_sessions_and_expired_sessions_are_not_listed(signed_in: Visitor, alice: User, bob: User) -> None:
    add_device(bob)
    expired = add_device(alice)
    past = func.now() - timedelta(seconds=1)
    db.session.execute(update(UserSession).where(UserSession.id == expired).values(expires_at=past))
    db.session.commit()
    page = signed_in.get("/mypage/devices").text
    assert "Chrome on Windows" not in page
    assert "Sign out all other devices" not in page
    assert "Only this device" in signed_in.get("/mypage").text


def test_my_page_shows_the_number_of_other_devices(signed_in: Visitor, alice: User) -> None:
    add_device(alice)
    add_device(alice)
    assert "Besides this device: 2" in signed_in.get("/mypage").text


@pytest.mark.parametrize("user_agent", ["", "<script>alert(1)</script>", "Mozilla/5.0 (compatible)"])
def test_an_unrecognized_user_agent_is_listed_as_unknown_device(
    signed_in: Visitor, alice: User, user_agent: str
) -> None:
    add_device(alice, user_agent, ip=None)
    page = signed_in.get("/mypage/devices").text
    assert "Unknown device" in page
    assert "<script>alert" not in page


def test_the_list_is_limited_and_includes_the_current_device(app: Flask, signed_in: Visitor, alice: User) -> None:
    for _ in range(sessions.MOST - 1):
        add_device(alice)
    page = signed_in.get("/mypage/devices").text
    assert page.count("<time") == sessions.MOST
    assert "This device" in page
    assert "the oldest is signed out" in page


def test_signing_out_another_device_ends_only_its_session(app: Flask, signed_in: Visitor, alice: User) -> None:
    phone = browser_of(app, alice)
    [here, there] = sessions_of(alice)
    assert signed_in.submit(f"/mypage/devices/{there}/sign-out").location == "/mypage/devices"
    assert phone.get("/notes").status_code == 302
    assert sessions_of(alice) == [here]
    assert signed_in.get("/notes").status_code == 200


def test_signing_out_the_current_device_signs_the_user_out(signed_in: Visitor, alice: User) -> None:
    [action] = re.findall(r'action="([^"]+)" data-sign-out', main_of(signed_in.get("/mypage/devices").text))
    assert action == "/sign-out"  # nobody has to type a password to leave
    assert signed_in.submit(action).location == "/sign-in"
    assert "You&#39;re signed out." in signed_in.get("/sign-in").text
    assert signed_in.get("/notes").status_code == 302
    assert sessions_of(alice) == []


def test_signing_out_all_others_keeps_the_current_device_and_other_users(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    assert signed_in.submit("/mypage/devices/sign-out-others").location == "/mypage/devices"
    assert phone.get("/notes").status_code == 302
    assert signed_in.get("/notes").status_code == 200
    assert bobs.get("/notes").status_code == 200


def test_signing_out_another_users_device_is_404_and_does_not_end_its_session(
    app: Flask, signed_in: Visitor, bob: User
) -> None:
    bobs = browser_of(app, bob)
    [his] = sessions_of(bob)
    assert signed_in.submit(f"/mypage/devices/{his}/sign-out").status_code == 404
    assert bobs.get("/notes").status_code == 200


def test_signing_out_an_ended_session_is_404(signed_in: Visitor, alice: User) -> None:
    gone = add_device(alice)
    signed_in.submit(f"/mypage/devices/{gone}/sign-out")
    assert signed_in.submit(f"/mypage/devices/{gone}/sign-out").status_code == 404


@pytest.mark.parametrize("session_id", ["0", "-1", "x", "١", str(2**63), "1" * 400])
def test_an_invalid_session_id_is_404(signed_in: Visitor, session_id: str) -> None:
    before = row_counts()
    assert signed_in.submit(f"/mypage/devices/{session_id}/sign-out").status_code == 404
    assert row_counts() == before


@pytest.mark.parametrize("path", ["/mypage/devices/sign-out-others", "/mypage/devices/{id}/sign-out"])
def test_a_get_or_a_post_without_a_csrf_token_signs_no_device_out(signed_in: Visitor, alice: User, path: str) -> None:
    there = add_device(alice)
    assert signed_in.get(path.format(id=there)).status_code == 405
    assert signed_in.post(path.format(id=there)).status_code == 400
    assert len(sessions_of(alice)) == 2


def test_an_anonymous_visitor_is_sent_to_sign_in(app: Flask, alice: User) -> None:
    there = add_device(alice)
    stranger = app.test_client()
    assert isinstance(stranger, Visitor)
    assert stranger.get("/mypage/devices").location == "/sign-in?next=/mypage/devices"
    assert stranger.submit("/mypage/devices/sign-out-others").location == "/sign-in"
    assert stranger.submit(f"/mypage/devices/{there}/sign-out").location == "/sign-in"
    assert sessions_of(alice) == [there]


@pytest.mark.parametrize("all_others", [True, False])
def test_an_ended_device_and_a_new_password_do_not_deadlock(migrated: Flask, all_others: bool) -> None:
    """Both lock the user's row first. A new password ends the sessions, and one that is gone is not ended twice."""
    alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    here, there = add_device(alice), add_device(alice)

    def end_device() -> None:
        with migrated.app_context():
            try:
                if all_others:
                    sessions.sign_out_others(alice.id, here, CLIENT)
                else:
                    sessions.sign_out_device(alice.id, there, CLIENT)
            finally:
                db.session.remove()

    waits = text("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    looking = db.engine.execution_options(isolation_level="AUTOCOMMIT")  # a transaction would see the same each time
    with ThreadPoolExecutor(1) as pool, db.engine.connect() as new_password, looking.connect() as connection:
        new_password.execute(select(User.id).where(User.id == alice.id).with_for_update())
        ended = pool.submit(end_device)
        wait_until(lambda: connection.execute(waits).rowcount, "it waits for the user's row")
        new_password.execute(delete(UserSession).where(UserSession.user_id == alice.id))
        new_password.commit()
        assert isinstance(ended.exception(), NoneType if all_others else sessions.DeviceGone)
    assert db.session.scalars(select(AccountEvent.kind)).all() == ["sign_in", "sign_in"]
