"""The heat map of my page: a day leads to its notes, and is told from others in the colours of the system too."""

import re

from playwright.sync_api import expect

from app.notes.service import create_note
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import FORCED, Window

WIDTH = "square => square.getBoundingClientRect().width"


def test_a_click_on_a_day_leads_to_its_notes(any_window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        create_note(reader.id, "반달", "written today")
    tab = any_window.tab
    tab.goto(f"{any_window.url}/mypage")
    tab.locator(".heat a").click()
    expect(tab).to_have_url(re.compile(r"/notes\?day=\d{4}-\d{2}-\d{2}$"))
    expect(tab.get_by_role("article")).to_contain_text("written today")


def test_in_the_colours_of_the_system_a_day_with_notes_is_larger_than_one_without(
    window: Window, site: Site, reader: Reader
) -> None:
    with site.app.app_context():
        create_note(reader.id, "반달", "written today")
    window.emulate(FORCED, "desk")
    window.tab.goto(f"{window.url}/mypage")
    without, with_notes = (window.tab.locator(f".heat {which}").first for which in ("svg > rect", "a > rect"))
    assert with_notes.evaluate(WIDTH) > 2 * without.evaluate(WIDTH)
