"""A result: what its caption explains, what it copies, and what is left of its colours."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from sqlalchemy import func

from app.wordcounts import service
from tests.browser.controls import acts_once, button
from tests.browser.pages import FULL
from tests.browser.site import Reader, Site
from tests.browser.window import NARROWEST, SIZES, Window, Windows
from tests.wordcounts import results


@pytest.fixture
def window(windows: Windows, site: Site) -> Iterator[Window]:
    """Yield a window of the account that has results."""
    with windows.lent(site.person(FULL).cookies) as window:
        yield window
        assert not window.console_errors()


@pytest.fixture
def path(site: Site) -> str:
    return f"/wordcounts/{site.ids['done']}"


@pytest.fixture
def tab(window: Window, path: str) -> Tab:
    """Open the result on a phone."""
    window.emulate("light", "phone")
    window.open(path)
    return window.tab


def test_the_caption_explains_no_column_that_the_phone_hides(tab: Tab) -> None:
    expect(tab.get_by_role("columnheader", name="Density")).to_be_hidden()
    expect(tab.locator("caption")).to_be_visible()
    assert "Density" not in tab.locator("caption").inner_text()
    tab.set_viewport_size({"width": SIZES["desk"][0], "height": SIZES["desk"][1]})
    assert "Density" in tab.locator("caption").inner_text()


LINES = "text => Math.round(text.getBoundingClientRect().height / parseFloat(getComputedStyle(text).lineHeight))"


def test_an_address_takes_at_most_two_lines_and_the_next_thing_to_do_is_counting(window: Window, site: Site) -> None:
    tab = window.tab
    window.set_width(NARROWEST)
    for path, address in (
        ("/wordcounts", ".counts li > a"),
        (f"/wordcounts/{site.ids['done']}", ".source a"),
        (f"/wordcounts/{site.ids['failed']}", "h2.address"),
        (f"/wordcounts/{site.ids['waiting']}", "h2.address"),
    ):
        window.open(path)
        assert {each.evaluate(LINES) for each in tab.locator(address).all()} == {2}, (path, address)
        expect(tab.locator(".primary")).to_have_text("Count words")


def test_the_link_is_copied_or_where_the_clipboard_is_refused_selected(window: Window, path: str) -> None:
    window.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = window.open(path)
    button(tab, "Copy").click()
    expect(tab.locator("#sharing [role=status]")).to_have_text("Copied")
    expect(button(tab, "Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == window.url + path

    tab.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    window.open(path)
    button(tab, "Copy").click()
    assert tab.evaluate("document.getSelection().toString()") == window.url + path
    expect(button(tab, "Copy")).to_be_visible()


def test_its_words_are_printed(window: Window, path: str) -> None:
    tab = window.open(path)
    tab.emulate_media(media="print")
    assert tab.evaluate("matchMedia('print').matches")
    for printed in ("1,234,567", "Most frequent words", "moon1"):
        expect(tab.get_by_text(printed).locator("visible=true").first).to_be_visible()


# Where the colour is, and of which property.
MARKS = {
    "the current tab": (".tabs [aria-current]", None, "backgroundColor"),
    "the chosen words": (".views [aria-current]", None, "backgroundColor"),
    "the gauge": (".gauge path + path", None, "stroke"),
    "a bar": (".bar rect + rect", None, "fill"),
}
COLOUR = "([place, pseudo, name]) => getComputedStyle(document.querySelector(place), pseudo)[name]"


def test_forced_colours_keep_the_marks(window: Window, path: str) -> None:
    window.tab.emulate_media(forced_colors="active")
    tab = window.open(path)
    canvas = tab.evaluate(COLOUR, ("body", None, "backgroundColor"))
    forced = {name: tab.evaluate(COLOUR, mark) for name, mark in MARKS.items()}
    assert not {name: colour for name, colour in forced.items() if colour in (canvas, "none", "rgba(0, 0, 0, 0)")}
    # The mark of the sorted column is text, whose colour is that of the link.
    assert "▼" in tab.evaluate(COLOUR, ("[aria-sort] a", "::after", "content"))
    tab.emulate_media(forced_colors="none")
    ours = {name: tab.evaluate(COLOUR, mark) for name, mark in MARKS.items()}
    assert not {name for name in MARKS if forced[name] == ours[name]}, "the system's colours were none of ours"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *(("/wordcounts", name) for name in ("Cancel", "Count again: Half", "Delete: Half")),
        *(("/wordcounts/{}", name) for name in ("Count words", "Share", "Count again", "Delete")),
    ],
)
def test_entered_twice_each_control_acts_once(windows: Windows, reader: Reader, path: str, name: str) -> None:
    with reader.app():
        _, done = (service.ask(reader.id, f"https://{host}.example/") for host in ("waiting", "done"))
        results.change(done, status="done", finished_at=func.now(), **results.COUNTED)
    with windows.lent(reader.cookies) as window:
        acts_once(window.open(path.format(done)), name)
