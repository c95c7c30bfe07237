"""Ten minutes after sign-in the password is asked for, and what was asked for is done: with scripts and without."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select, update

from app.accounts import sessions
from app.accounts.models import AccessToken, UserSession
from app.extensions import db
from tests.browser import controls
from tests.browser.axe import axe_violations
from tests.browser.keyboard import Control, Keyboard
from tests.browser.readers import Reader, sign_in
from tests.browser.site import Site
from tests.browser.window import Window
from tests.conftest import PASSWORD


@pytest.fixture
def keyboard(any_window: Window, site: Site, reader: Reader) -> Keyboard:
    """Return the keyboard of a reader who signed in a while ago."""
    let_ten_minutes_go_by(site, reader)
    return Keyboard(any_window.tab)


def let_ten_minutes_go_by(site: Site, reader: Reader) -> None:
    with site.app.app_context():
        long_ago = func.now() - sessions.RECENT - timedelta(seconds=1)
        db.session.execute(update(UserSession).where(UserSession.user_id == reader.id).values(created_at=long_ago))
        db.session.commit()


def confirm(keyboard: Keyboard) -> None:
    """Type the password where it is asked for."""
    expect(keyboard.tab.get_by_role("heading", name="Confirm it's you")).to_be_visible()
    keyboard.write(controls.PASSWORD, PASSWORD)
    keyboard.tab.keyboard.press("Enter")


def test_all_other_devices_are_signed_out(any_window: Window, keyboard: Keyboard, site: Site, reader: Reader) -> None:
    other = site.service.browser()
    other.cookies = sign_in(site, reader.email)
    any_window.tab.goto(f"{any_window.url}/mypage/devices")
    keyboard.press(Control("button", "sign out all other devices"))
    expect(any_window.tab.get_by_role("main")).to_contain_text("Sign out all other devices")
    assert other.get("/notes").status == 200, "nothing is done before"
    confirm(keyboard)
    keyboard.is_at("/mypage/devices")
    expect(any_window.tab.get_by_role("status")).to_have_text("You're signed out on all other devices.")
    expect(any_window.tab.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    assert other.get("/notes").status == 302


def test_a_token_has_what_was_typed(
    any_window: Window, keyboard: Keyboard, site: Site, reader: Reader, has_scripts: bool
) -> None:
    tab = any_window.tab
    tab.goto(f"{any_window.url}/mypage/tokens")
    confirm(keyboard)
    keyboard.is_at("/mypage/tokens")
    keyboard.write(Control("textbox", "name"), "밤마다 <b>백업</b>")
    tab.get_by_role("checkbox", name="Read notes").check()
    tab.get_by_role("checkbox", name="Change todos").check()
    let_ten_minutes_go_by(site, reader)
    keyboard.press(Control("button", "create the token"))
    expect(tab.get_by_role("main")).to_contain_text("Create an access token: 밤마다 <b>백업</b>")
    assert not has_scripts or not axe_violations(tab)
    confirm(keyboard)
    expect(tab.get_by_text("sc_")).to_be_visible()
    with site.app.app_context():
        made = db.session.execute(select(AccessToken).where(AccessToken.user_id == reader.id)).scalar_one()
        assert (made.name, made.scopes) == ("밤마다 <b>백업</b>", ["notes:read", "todos:write"])


def test_an_export_begins(any_window: Window, keyboard: Keyboard, has_scripts: bool) -> None:
    tab = any_window.tab
    tab.goto(f"{any_window.url}/mypage")
    keyboard.press(controls.link("Download"))
    keyboard.is_at("/sign-in/confirm.*")
    with tab.expect_download() as download:
        confirm(keyboard)
    assert download.value.suggested_filename.endswith(".zip")
    expect(tab.get_by_role("heading", name="Your download is starting")).to_be_visible()
    assert not has_scripts or not axe_violations(tab)
    keyboard.press(controls.link("Back to my page"))
    keyboard.press(controls.link("Account history: View"))
    keyboard.is_at("/mypage/events")
    expect(tab.get_by_role("main").get_by_role("listitem").first).to_contain_text("Data exported")


def test_who_changes_their_mind_has_done_nothing(
    any_window: Window, keyboard: Keyboard, site: Site, reader: Reader
) -> None:
    other = site.service.browser()
    other.cookies = sign_in(site, reader.email)
    any_window.tab.goto(f"{any_window.url}/mypage/devices")
    keyboard.press(Control("button", "sign out all other devices"))
    keyboard.press(controls.link("Cancel"))
    keyboard.is_at("/mypage")
    assert other.get("/notes").status == 200
