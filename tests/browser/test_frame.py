"""The frame of the notebook: its navigation, also where there is little room."""

import pytest
from playwright.sync_api import expect

from app.notes.service import create_note
from tests.browser.pages import FULL, Page
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import NARROWEST, Window, Windows

MAGNIFIED = {"width": NARROWEST, "height": 256}  # CSS pixels: 1280 x 1024 at 400 % (WCAG 1.4.10)
PHONE = {"width": 390, "height": 844}
ON_ITS_SIDE = {"width": 844, "height": 390}

# How much of the window stands still while the page is scrolled, in percent of its height.
COVERED = """() => {
  scrollTo(0, document.body.scrollHeight / 2);
  const { top, bottom, position } = { ...document.querySelector(".tabs").getBoundingClientRect().toJSON(),
    position: getComputedStyle(document.querySelector(".tabs")).position };
  return position === "fixed" ? Math.round(100 * (Math.min(bottom, innerHeight) - top) / innerHeight) : 0;
}"""
# Whether the last line of a field can be seen, and is not behind something that stands still.
IS_ON_TOP = """field => {
  const { left, bottom } = field.getBoundingClientRect();
  return document.elementFromPoint(left + 9, bottom - 9) === field;
}"""


@pytest.mark.parametrize(("size", "most"), [(PHONE, 10), (ON_ITS_SIDE, 0), (MAGNIFIED, 0)])
def test_the_navigation_covers_little_of_the_page(window: Window, size: dict[str, int], most: int) -> None:
    window.tab.set_viewport_size(size)  # type: ignore[arg-type]
    for path in ("/mypage", "/notes"):
        window.tab.goto(window.url + path)
        assert window.tab.evaluate(COVERED) <= most, path
        expect(window.tab.get_by_role("navigation", name="Main").get_by_role("link", name="Todos")).to_be_visible()


def test_on_a_magnified_page_nothing_lies_over_the_text_that_is_written(window: Window) -> None:
    window.tab.set_viewport_size(MAGNIFIED)  # type: ignore[arg-type]
    window.tab.goto(f"{window.url}/notes")
    field = window.tab.get_by_label("Text", exact=True)
    field.fill("반달\n" * 300)
    field.evaluate("field => field.scrollIntoView({ block: 'end' })")
    assert field.evaluate(IS_ON_TOP)


def test_a_table_that_is_wider_than_a_magnified_page_scrolls_by_itself(
    window: Window, site: Site, reader: Reader
) -> None:
    columns = 20
    with site.app.app_context():
        table = "\n".join("|".join(cells) for cells in (["column"] * columns, ["-"] * columns, ["word"] * columns))
        note_id = create_note(reader.id, "", table)
    window.tab.set_viewport_size(MAGNIFIED)  # type: ignore[arg-type]
    window.tab.goto(f"{window.url}/notes/{note_id}")
    expect(window.tab.get_by_role("cell")).to_have_count(columns)
    assert window.tab.evaluate("document.documentElement.scrollWidth") <= NARROWEST


def test_from_an_error_page_the_navigation_leads_on(site: Site, windows: Windows) -> None:
    window = windows.of(FULL, "en")
    window.emulate("light", "phone")
    window.visit(site, Page("missing", "/nothing", FULL, 404), "en")
    window.tab.get_by_role("navigation", name="Main").get_by_role("link", name="Todos").click()
    expect(window.tab).to_have_url(f"{window.url}/todos")
