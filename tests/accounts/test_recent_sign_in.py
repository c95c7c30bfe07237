"""Recent sign-in: ten minutes after the last authentication, sensitive views ask for the password (ASVS 5.0 V7.5.1)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, right_before, row_counts, same_row_counts
from tests.visitor import Visitor
from tests.web.test_access import PUBLIC, endpoints

LONG_AGO = sessions.RECENT + timedelta(seconds=1)
# Their views have to be known as sensitive or not. A view of another feature is sensitive if it says so itself.
OF_ACCOUNT = {
    *("access_tokens", "accounts", "mailed_links", "mypage", "passkey_sign_in", "passkeys", "portability"),
    *("preferences", "recent_sign_in"),
}
SENSITIVE = {
    *(f"access_tokens.{view}" for view in ("end", "index", "make")),
    *("accounts.sign_out_device", "accounts.sign_out_other_devices", "portability.export"),
    *(f"passkeys.{view}" for view in ("create", "index", "registration_options", "remove", "rename")),
    *(f"passkeys.{view}" for view in ("make_recovery_codes", "turn_off_second_step", "turn_on_second_step")),
}
# Their forms have a field for the password, which is asked for always.
ASKS_FOR_THE_PASSWORD = {"mypage.change_email", "mypage.change_password", "mypage.delete_account"}
# They neither change who can sign in nor give everything away.
NOT_SENSITIVE = {
    *(f"accounts.{view}" for view in ("list_devices", "list_events", "sign_out")),
    *(
        f"mypage.{view}"
        for view in ("change_nickname", "change_settings", "delete_photo", "edit", "index", "put_photo")
    ),
    *("mailed_links.send_confirmation_again", "passkey_sign_in.confirm_options", "recent_sign_in.confirm"),
    *("portability.import_", "portability.show_import", "preferences.shortcuts"),
}


@pytest.fixture
def idle(signed_in: Visitor, alice: User) -> Visitor:
    """Return Alice's browser, ten minutes and a second after she signed in."""
    signed_in_ago(alice, LONG_AGO)
    return signed_in


def signed_in_ago(user: User, ago: timedelta) -> None:
    commit(update(UserSession).where(UserSession.user_id == user.id).values(created_at=func.now() - ago))


def may_export(browser: Visitor) -> bool:
    with browser.get("/mypage/export") as answer:  # closes the file
        assert answer.status_code in (200, 302)
        return answer.status_code == 200


def tokens() -> set[str]:
    return set(db.session.scalars(select(UserSession.token_hash)))


def test_every_view_is_known_to_be_sensitive_or_not(app: Flask) -> None:
    """A new view is one line in one of the lists above: say whether it changes who can get in, or gives all away."""
    private = {name for method in ("GET", "POST") for name, _ in endpoints(app, method)} - PUBLIC
    private = {name for name in private if name.partition(".")[0] in OF_ACCOUNT}
    assert private == SENSITIVE | ASKS_FOR_THE_PASSWORD | NOT_SENSITIVE
    assert {name for name in private if hasattr(app.view_functions[name], "sensitive_act")} == SENSITIVE


def test_every_view_that_says_it_is_sensitive_asks_who_is_there(app: Flask, idle: Visitor) -> None:
    urls, before = app.url_map.bind("localhost"), row_counts()
    guarded = [rule for rule in app.url_map.iter_rules() if hasattr(app.view_functions[rule.endpoint], "sensitive_act")]
    assert len(guarded) > 10
    for rule in guarded:
        path = urls.build(rule.endpoint, dict.fromkeys(rule.arguments, 1))
        answer = idle.get(path) if "GET" in (rule.methods or ()) else idle.submit(path)
        asked = answer.text if answer.status_code == 200 else answer.location or ""  # 200: the page carries the form
        assert "/sign-in/confirm" in asked, path
    assert row_counts() == before


def test_an_export_without_a_recent_sign_in_is_refused(idle: Visitor) -> None:
    for answer in (idle.get("/mypage/export?a=1"), idle.head("/mypage/export?a=1")):
        assert answer.location == "/sign-in/confirm?next=/mypage/export?a%3D1"
        assert answer.mimetype == "text/html"


def test_recent_is_within_ten_minutes(signed_in: Visitor, alice: User) -> None:
    signed_in_ago(alice, timedelta(minutes=9, seconds=59))
    assert may_export(signed_in)
    signed_in_ago(alice, timedelta(minutes=10))
    assert not may_export(signed_in)


def test_the_sign_in_of_another_browser_does_not_count(app: Flask, idle: Visitor, alice: User) -> None:
    assert may_export(browser_of(app, alice))
    assert not may_export(idle)


def test_the_link_to_the_export_does_not_save_the_page_that_asks_as_a_file(signed_in: Visitor) -> None:
    for page in ("/mypage", "/mypage/edit", "/mypage/import"):
        [link] = re.findall(r'<a [^>]*href="/mypage/export"[^>]*>', signed_in.get(page).text)
        assert " download" not in link


def test_the_right_password_renews_the_session_and_opens_the_doors(app: Flask, idle: Visitor, bob: User) -> None:
    before, page = tokens(), idle.get("/sign-in/confirm?next=/mypage/devices").text
    assert "alice@example.com" in page
    assert 'action="/sign-in/confirm?next=/mypage/devices"' in page
    assert idle.submit("/sign-in/confirm?next=/mypage/devices", password=PASSWORD).location == "/mypage/devices"
    assert len(tokens()) == 1
    assert not tokens() & before
    assert may_export(idle)
    assert idle.submit("/mypage/devices/sign-out-others").location == "/mypage/devices"
    other = browser_of(app, bob)
    other.submit("/sign-in/confirm", password=PASSWORD)
    assert "<bdi>bob</bdi>" in other.get("/mypage").text


def test_who_is_deleted_while_the_password_is_checked_is_signed_out(idle: Visitor) -> None:
    idle.csrf_token()
    with same_row_counts():
        with right_before("users.password_hash", "DELETE FROM users"):
            assert idle.submit("/sign-in/confirm", password=PASSWORD).location == "/sign-in"
        with idle.session_transaction() as cookie:
            assert dict(cookie) == {}


def test_it_leads_to_no_other_site(idle: Visitor) -> None:
    for target in ("//evil.example", ""):
        assert idle.submit(f"/sign-in/confirm?next={target}", password=PASSWORD).location == "/mypage", target


def test_a_deleted_account_confirms_nothing(idle: Visitor, alice: User) -> None:
    token = idle.csrf_token()
    db.session.delete(alice)
    db.session.commit()
    assert idle.post("/sign-in/confirm", data={"csrf_token": token, "password": PASSWORD}).location == "/sign-in"
