"""A result: what its caption explains, what it copies, and what is left of its colours."""

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from app.accounts.models import User
from app.extensions import db
from app.wordcounts.models import DONE
from tests.browser.controls import button
from tests.browser.seed import insert_result
from tests.browser.site import Reader, Site
from tests.browser.window import SIZES, Window

MANY = {f"word{number:03}": 400 - number for number in range(150)}
WORDS = {"달": 450, "달은": 90, "달에서는": 60, **MANY}
COUNTED = {
    "result_no_stop_words": WORDS,
    "result_all": WORDS,
    "total_words": sum(WORDS.values()),
    "content_words": 9000,
}


def insert(site: Site, reader: Reader, status: str, **values: object) -> str:
    with reader.app():
        user = db.session.get(User, reader.id)
        assert user
        return f"/wordcounts/{insert_result(user, status, **values)}"


@pytest.fixture
def path(site: Site, reader: Reader) -> str:
    return insert(site, reader, DONE, **COUNTED)


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


# Where the colour is, and of which property.
MARKS = {
    "the current tab": (".tabs [aria-current]", None, "backgroundColor"),
    "the chosen words": (".segments [aria-current]", None, "backgroundColor"),
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
