"""Ten minutes after sign-in the password is asked for, by keyboard, with scripts and without."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, update

from app.accounts import sessions
from app.accounts.models import UserSession
from app.extensions import db
from tests.browser import controls
from tests.browser.keyboard import Keyboard
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window
from tests.conftest import PASSWORD


@pytest.fixture
def keyboard(any_window: Window, site: Site, reader: Reader) -> Keyboard:
    """Of a reader who signed in a while ago."""
    with site.app.app_context():
        long_ago = func.now() - sessions.RECENT - timedelta(seconds=1)
        db.session.execute(update(UserSession).where(UserSession.user_id == reader.id).values(created_at=long_ago))
        db.session.commit()
    return Keyboard(any_window.tab)


def test_an_export_asks_for_the_password_and_then_downloads(any_window: Window, keyboard: Keyboard) -> None:
    tab = any_window.tab
    tab.goto(f"{any_window.url}/mypage")
    keyboard.press(controls.link("Download"))
    keyboard.is_at("/sign-in/confirm.*")
    keyboard.write(controls.PASSWORD, PASSWORD)
    tab.keyboard.press("Enter")
    keyboard.is_at("/mypage")
    expect(tab.get_by_text("Thanks for confirming.")).to_be_visible()
    with tab.expect_download() as download:
        keyboard.press(controls.link("Download"))
    assert download.value.suggested_filename.endswith(".zip")
    keyboard.press(controls.link("Account history: View"))
    keyboard.is_at("/mypage/events")
    expect(tab.get_by_role("main").get_by_role("listitem").first).to_contain_text("Data exported")
