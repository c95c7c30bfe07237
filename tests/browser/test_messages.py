"""Messages stay until they are closed, and the errors of a form link to their fields."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes.service import create_note
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window

HOUR = 3_600_000  # milliseconds


@pytest.fixture
def tab(any_window: Window, site: Site, reader: Reader) -> Tab:
    """Open the list, with the message that a note went to the trash."""
    with site.app.app_context():
        create_note(reader.id, "old", "text")
    tab = any_window.tab
    tab.clock.install()
    tab.goto(f"{any_window.url}/notes")
    tab.get_by_role("button", name="Move to trash: old").click()
    expect(message(tab)).to_contain_text("Moved “old” to the trash.")
    return tab


def message(tab: Tab) -> Locator:
    return tab.locator(".message", has_text="Moved")


def close(tab: Tab) -> Locator:
    return tab.get_by_role("link", name="Close message")


def test_it_stays_until_it_is_closed(tab: Tab, has_scripts: bool) -> None:
    if has_scripts:
        tab.clock.run_for(HOUR)
    expect(message(tab)).to_be_visible()
    tab.evaluate("window.isStillHere = true")
    close(tab).click()
    expect(message(tab)).to_have_count(0)
    expect(tab).to_have_url(re.compile("/notes$"))
    if has_scripts:
        assert tab.evaluate("window.isStillHere")
        expect(tab.get_by_role("main")).to_be_focused()
        tab.keyboard.press("Tab")
        expect(tab.get_by_role("searchbox")).to_be_focused()  # the first there is in the page


def test_on_a_phone_the_action_and_the_cross_stand_in_one_line(tab: Tab) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    middles = [
        element.evaluate(
            "element => { const { top, bottom } = element.getBoundingClientRect(); return (top + bottom) / 2 }"
        )
        for element in (message(tab).locator(".words"), tab.get_by_role("button", name="Undo"), close(tab))
    ]
    assert max(middles) - min(middles) < 12, middles  # CSS pixels; half a line


def test_undone_it_gives_way_to_what_was_done(tab: Tab) -> None:
    tab.get_by_role("button", name="Undo").click()
    expect(message(tab)).to_have_count(0)
    expect(tab.locator(".message", has_text="“old” restored.")).to_be_visible()
    expect(tab.get_by_role("article")).to_have_count(1)


def test_a_refused_form_says_so_first_and_leads_to_the_field(any_window: Window, site: Site) -> None:
    tab = any_window.tab
    tab.context.clear_cookies()
    tab.goto(f"{any_window.url}/sign-up/{site.ids['sign_up_token']}")
    tab.get_by_label("Nickname").fill("half\u200b")
    tab.get_by_label("Password", exact=True).fill("short")
    tab.get_by_role("button", name="Create an account").click()
    summary = tab.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(2)
    summary.get_by_role("link", name="Please use 10 to 128 characters.").press("Enter")
    expect(tab.get_by_label("Password", exact=True)).to_be_focused()
    expect(tab.get_by_label("Password", exact=True)).to_have_value("")
    summary.get_by_role("link", name="Please use visible characters.").press("Enter")
    nickname = tab.get_by_label("Nickname")
    expect(nickname).to_be_focused()
    expect(nickname).to_have_value("half\u200b")
    expect(nickname).to_have_attribute("aria-invalid", "true")
    refusals = any_window.console_errors()
    assert len(refusals) == 1
    assert "422" in refusals[0]
