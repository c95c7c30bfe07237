"""Sessions, signed-in devices, and the access tokens of programs: each ends when its row does (ASVS 5.0 V7.4.1)."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, insert, select, text, update

from app.accounts import access_tokens, sessions
from app.accounts import service as accounts
from app.accounts.access_tokens import CHECKSUM, PREFIX, bearer_token, is_signed, is_well_formed, new_token
from app.accounts.browser_session import device_name
from app.accounts.events import Client
from app.accounts.models import AccessToken, AccountEvent, User, UserSession
from app.accounts.sessions import hash_token
from app.extensions import db
from app.rejection import RowNotFound
from tests.accounts.conftest import add_sessions, won
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import commit, row_counts, same_row_counts
from tests.visitor import Visitor
from tests.waiting import wait_until

WAITS = text("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {IOS}"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
USER_AGENTS = {
    WINDOWS: "Chrome on Windows",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36": "Chrome on ChromeOS",
    f"{ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    f"{IPHONE} CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    f"{MAC} {IOS} Version/18.6 Safari/605.1.15": "Safari on macOS",
    f"Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {IOS} Version/16.6 Mobile/15E148 Safari/604.1": "Safari on iPad",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0": "Firefox on Linux",
    f"{IPHONE} FxiOS/143.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
    f"{WINDOWS} Edg/140.0.0.0": "Edge on Windows",
    f"{WINDOWS} Whale/4.33.325.17": "Whale on Windows",
    f"{ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
    f"{ANDROID} Version/4.0 Chrome/139.0 Mobile Safari/537.36;KAKAOTALK 2511050": "KakaoTalk on Android",
    f"{IPHONE} Mobile/15E148 NAVER(inapp; search; 1100)": "NAVER on iPhone",
    f"{MAC} {WEBKIT} Chrome/139 OPR/124": "Opera on macOS",
    "curl/8.5.0": "curl",
    "Mozilla/5.0 (Windows NT 10.0) Something/1.0": "Windows",
    "": None,
}


def with_cookie(app: Flask, value: str) -> Visitor:
    browser = Visitor(app)
    browser.set_cookie("semicircle", value)
    return browser


def sessions_of(user: User) -> list[int]:
    return list(db.session.scalars(select(UserSession.id).where(UserSession.user_id == user.id).order_by("id")))


def add_device(user: User, user_agent: str = WINDOWS, ip: str | None = "203.0.113.7") -> int:
    sessions.start_session(user, Client(ip, user_agent), remember=False)
    return sessions_of(user)[-1]


def test_signing_out_deletes_the_session_and_keeps_the_other_devices_signed_in(
    app: Flask, alice: User, signed_in: Visitor
) -> None:
    phone, copy = browser_of(app, alice), signed_in.session_cookie()
    assert with_cookie(app, copy).get("/notes").status_code == 200
    assert signed_in.submit("/sign-out").location == "/sign-in"
    browsers = (signed_in, with_cookie(app, copy), phone)
    assert [browser.get("/notes").status_code for browser in browsers] == [302, 302, 200]
    assert row_counts()["user_sessions"] == 1


def test_a_csrf_token_ends_with_its_session(signed_in: Visitor) -> None:
    """It has no time limit of its own (ASVS 5.0 V9.2.1): what it is compared with is dropped with the session."""
    before, stored = signed_in.csrf_token(), row_counts()
    signed_in.sign_in("alice@example.com", PASSWORD)
    assert signed_in.post("/todos", data={"csrf_token": before, "description": "milk"}).status_code == 400
    assert row_counts() == stored
    assert signed_in.submit("/todos", description="milk").status_code == 302


def test_a_cookie_that_is_too_old_is_rejected(app: Flask, monkeypatch: pytest.MonkeyPatch, signed_in: Visitor) -> None:
    """The time of its signature is checked too, though its session is still there."""
    assert signed_in.get("/notes").status_code == 200
    monkeypatch.setitem(app.config, "PERMANENT_SESSION_LIFETIME", timedelta(seconds=-1))
    assert signed_in.get("/notes").status_code == 302
    assert row_counts()["user_sessions"] == 1


def test_the_cookie_is_sent_again_with_a_visit_that_is_noted_not_with_each_page(client: Visitor, alice: User) -> None:
    client.sign_in("alice@example.com", PASSWORD, remember="y")
    client.get("/notes")
    assert "Set-Cookie" not in client.get("/notes").headers
    db.session.execute(update(UserSession).values(last_seen_at=func.now() - timedelta(hours=2)))
    assert "Expires=" in client.get("/notes").headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("created", "left"), [(timedelta(hours=11), 12), (sessions.LONGEST - timedelta(hours=3), 3)], ids=["new", "old"]
)
def test_a_visit_extends_its_session_alone_by_its_original_lifetime_up_to_the_absolute_one(
    signed_in: Visitor, alice: User, created: timedelta, left: int
) -> None:
    add_device(alice)
    seen = func.now() - timedelta(hours=11)
    moments = {"created_at": func.now() - created, "last_seen_at": seen, "expires_at": seen + timedelta(hours=12)}
    commit(update(UserSession).values(moments))
    assert signed_in.get("/notes").status_code == 200
    lefts: Any = select(UserSession.expires_at - func.now()).order_by(UserSession.id)
    assert db.session.scalars(lefts).all() == [timedelta(hours=left), timedelta(hours=1)]


def test_unknown_tokens_forged_signatures_and_expired_sessions_are_rejected(app: Flask, signed_in: Visitor) -> None:
    assert [token for token in ("", "é", "x" * 5000) if sessions.find_session(token)] == []
    payload, _, signature = signed_in.session_cookie().rpartition(".")
    forged = f"{payload}.{'A' * len(signature)}"
    assert with_cookie(app, forged).get("/notes").status_code == 302
    assert signed_in.get("/notes").status_code == 200
    commit(update(UserSession).values(expires_at=func.now()))
    assert signed_in.get("/notes").status_code == 302


def test_an_invalid_remote_address_does_not_prevent_sign_in(client: Visitor, alice: User) -> None:
    for address in ("fe80::1%lo", "", "\xff"):
        client.environ_base["REMOTE_ADDR"] = address
        assert client.sign_in("alice@example.com", PASSWORD).status_code == 302, address
    assert client.get("/notes").status_code == 200


@pytest.mark.parametrize("path", ["/sign-out", "/mypage/delete"])
def test_who_signs_out_leaves_nothing_in_the_browser(signed_in: Visitor, path: str) -> None:
    assert signed_in.submit(path, password=PASSWORD).headers["Clear-Site-Data"] == '"cache", "storage"'


def test_every_device_is_listed_this_one_first_and_then_by_the_last_visit(signed_in: Visitor, alice: User) -> None:
    add_device(alice)
    past = func.now() - timedelta(minutes=1)
    db.session.execute(update(UserSession).filter_by(id=add_device(alice, "curl/8.5.0")).values(last_seen_at=past))
    page = signed_in.get("/mypage/devices").text
    assert "Chrome on Windows" in page
    assert "203.0.113.7" in page
    assert page.count("This device") == 1
    assert page.index("This device") < page.index("Chrome on Windows") < page.index("curl")
    assert "2 other devices" in signed_in.get("/mypage").text


def test_other_users_sessions_and_expired_sessions_are_not_listed(signed_in: Visitor, alice: User, bob: User) -> None:
    add_device(bob)
    expired = add_device(alice)
    past = func.now() - timedelta(seconds=1)
    commit(update(UserSession).where(UserSession.id == expired).values(expires_at=past))
    page = signed_in.get("/mypage/devices").text
    assert "Chrome on Windows" not in page
    assert "Sign out all other devices" not in page
    assert "Only this device" in signed_in.get("/mypage").text


def test_the_list_is_limited_and_includes_the_current_device(app: Flask, signed_in: Visitor, alice: User) -> None:
    add_sessions(alice, sessions.MOST)
    page = signed_in.get("/mypage/devices").text
    assert page.count("<time") == sessions.MOST
    assert "This device" in page
    assert "the oldest is signed out" in page


def test_signing_out_a_device_ends_only_its_session(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    [here, there], [his] = sessions_of(alice), sessions_of(bob)
    assert signed_in.submit(f"/mypage/devices/{there}/sign-out").location == "/mypage/devices"
    assert phone.get("/notes").status_code == 302
    assert sessions_of(alice) == [here]
    assert signed_in.get("/notes").status_code == 200
    for gone in (there, his):
        assert signed_in.submit(f"/mypage/devices/{gone}/sign-out").status_code == 404
    assert bobs.get("/notes").status_code == 200


def test_signing_out_the_current_device_signs_the_user_out(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get("/mypage/devices").text.partition("<main")[2].partition("</main>")[0]
    [action] = re.findall(r'action="([^"]+)" data-sign-out', page)
    assert action == "/sign-out"  # nobody has to type a password to leave
    assert signed_in.submit(action).location == "/sign-in"
    assert "You&#39;re signed out." in signed_in.get("/sign-in").text
    assert signed_in.get("/notes").status_code == 302
    assert sessions_of(alice) == []


def test_signing_out_all_others_keeps_the_current_device_and_other_users(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    """And what they have stored: the drafts of a browser may be the only copy of a text."""
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    others = signed_in.submit("/mypage/devices/sign-out-others")
    lost = phone.get("/notes")
    assert (others.location, lost.location) == ("/mypage/devices", "/sign-in?next=/notes")
    assert "Clear-Site-Data" not in {*others.headers.keys(), *lost.headers.keys()}
    assert [browser.get("/notes").status_code for browser in (signed_in, bobs)] == [200, 200]


def beside_a_new_password(app: Flask, user_id: int, act: Callable[[], object]) -> BaseException | None:
    """Let the act wait for a new password, which ends all sessions, and return what it raised."""

    def run() -> None:
        with app.app_context():
            try:
                act()
            finally:
                db.session.remove()

    looking = db.engine.execution_options(isolation_level="AUTOCOMMIT")  # a transaction would see the same each time
    with ThreadPoolExecutor(1) as pool, db.engine.connect() as new_password, looking.connect() as connection:
        new_password.execute(update(User).where(User.id == user_id).values(password_hash="another"))
        acting = pool.submit(run)
        wait_until(lambda: connection.execute(WAITS).rowcount or acting.done(), "it waits for the user's row")
        new_password.execute(delete(UserSession).where(UserSession.user_id == user_id))
        new_password.commit()
        return acting.exception()


def test_an_ended_device_and_a_new_password_do_not_deadlock(migrated: Flask) -> None:
    """Both lock the user's row first. A new password ends the sessions, and one that is gone is not ended twice."""
    alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    user_id, device = alice.id, add_device(alice)
    raised = beside_a_new_password(migrated, user_id, lambda: sessions.sign_out_device(user_id, device, CLIENT))
    assert isinstance(raised, RowNotFound)
    assert db.session.scalars(select(AccountEvent.kind)).all() == ["sign_in"]


def test_a_sign_in_beside_a_new_password_waits_for_it_and_starts_no_session(migrated: Flask) -> None:
    """A new password ends all sessions, and none slips in behind it."""
    alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    raised = beside_a_new_password(migrated, alice.id, lambda: add_device(alice))
    assert isinstance(raised, accounts.WrongCredentials)
    assert sessions_of(alice) == []


def test_a_device_is_named_by_its_user_agent(app: Flask) -> None:
    with app.test_request_context():
        assert {agent: device_name(agent) for agent in USER_AGENTS} == USER_AGENTS


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
    # Bob's and those that have expired do not count.
    assert signed_in.submit("/mypage/tokens", **FIELDS).status_code == 200


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
