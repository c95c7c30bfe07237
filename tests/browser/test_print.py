"""Print what the reader has written, and nothing that a hand would have to press."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.browser.pages import FULL
from tests.browser.site import Site
from tests.browser.window import Windows

CONTROLS = "nav, input:not([type=checkbox]), textarea, select, button:not(.tick, [name=task]), .button"


@pytest.fixture
def paper(site: Site, windows: Windows) -> Iterator[Tab]:
    window = windows.of(FULL, "en")
    window.emulate("dark", "desk")
    window.tab.emulate_media(media="print")
    yield window.tab
    window.tab.emulate_media(media="screen")


PRINTED = {
    "/todos": ["11. milk", "책 반납", "Done"],
    "/todos?sort=due": ["11. milk"],
    "/notes": ["두 창에서 고친 메모", "Markdown", "Pinned"],
    "/notes?day={day}": ["두 창에서 고친 메모"],
    "/notes/{markdown}": ["제목", "인용", "code"],
    "/notes/trash": ["to throw away"],
    "/s/{link}": ["제목", "인용", "code", "Last edited"],
    "/wordcounts/{done}": ["1,234,567", "Most frequent words", "moon1"],
    "/wordcounts/{shared}": ["Most frequent words"],
    "/mypage": ["Last 26 weeks", "Account history"],
}


def test_the_text_of_each_page_is_printed_and_its_controls_are_not(site: Site, paper: Tab) -> None:
    for path, texts in PRINTED.items():
        paper.goto(site.service.url + path.format_map(site.ids))
        for text in texts:
            expect(paper.get_by_text(text).locator("visible=true").first).to_be_visible()
        assert paper.locator(CONTROLS).locator("visible=true").count() == 0, path
        background = paper.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgba(0, 0, 0, 0)", path
        assert paper.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light", path


def test_a_done_todo_is_told_from_an_open_one(site: Site, paper: Tab) -> None:
    """By its tick, which has the colour of ink: browsers leave out what is behind it."""
    paper.goto(site.service.url + "/todos")
    colours = [
        paper.locator(f".tick[aria-pressed={pressed}] .icon").first.evaluate("icon => getComputedStyle(icon).color")
        for pressed in ("true", "false")
    ]
    assert colours == ["rgb(18, 33, 28)", "rgba(0, 0, 0, 0)"]
