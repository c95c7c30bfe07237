"""A result: what it unfolds, what it copies, and that one stays where one is."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.accounts.models import User
from app.extensions import db
from app.wordcounts.models import DONE, QUEUED
from tests.browser.axe import EVERYTHING, axe_violations
from tests.browser.readers import Reader
from tests.browser.seed import insert_result
from tests.browser.site import Site
from tests.browser.window import SCHEMES, SIZES, Window

MANY = {f"word{number:03}": 400 - number for number in range(150)}
WORDS = {"달": 450, "달은": 90, "달에서는": 60, **MANY}
COUNTED = {
    "result_no_stop_words": WORDS,
    "result_all": WORDS,
    "total_words": sum(WORDS.values()),
    "content_words": 9000,
}


def insert(site: Site, reader: Reader, status: str, **values: object) -> str:
    with site.app.app_context():
        user = db.session.get(User, reader.id)
        assert user
        return f"/wordcounts/{insert_result(user, status, **values)}"


@pytest.fixture
def path(site: Site, reader: Reader) -> str:
    return insert(site, reader, DONE, **COUNTED)


@pytest.fixture
def tab(any_window: Window, path: str) -> Tab:
    """Open the result on a phone, with scripts and without."""
    any_window.emulate("light", "phone")
    any_window.tab.goto(any_window.url + path)
    return any_window.tab


def details(tab: Tab) -> Locator:
    return tab.locator("details", has_text="달")


def top_of(place: Locator) -> float:
    """Return where it is in the window."""
    box = place.bounding_box()
    assert box
    return box["y"]


def test_a_stem_unfolds_by_keyboard(tab: Tab) -> None:
    forms = details(tab).get_by_role("listitem")
    expect(forms.first).to_be_hidden()
    details(tab).locator("summary").focus()
    tab.keyboard.press("Enter")
    expect(forms).to_have_text(["달 450", "달은 90", "달에서는 60"])
    expect(forms.first).to_be_visible()
    tab.keyboard.press("Enter")
    expect(forms.first).to_be_hidden()


@pytest.mark.parametrize("name", ["All words", "Content words", "Word", "Times"])
def test_choosing_words_and_sorting_stay_at_the_table(tab: Tab, name: str) -> None:
    tab.locator("#words").get_by_role("link", name=name, exact=True).click()
    expect(tab).to_have_url(re.compile("#words$"))
    expect(tab.locator("#words h2")).to_be_in_viewport()
    assert top_of(tab.locator("#words")) < SIZES["phone"][1] / 4


def test_sharing_stays_at_the_link_and_keeps_the_view(tab: Tab) -> None:
    tab.goto(f"{tab.url}?sort=word")
    for name in ("Stop sharing", "Share"):
        tab.get_by_role("button", name=name, exact=True).click()
        expect(tab).to_have_url(re.compile(r"\?sort=word#sharing$"))
        expect(tab.locator("#sharing")).to_be_in_viewport()
        expect(tab.locator("[aria-sort=ascending]")).to_have_text("Word")


def test_the_link_is_copied(window: Window, path: str) -> None:
    window.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.tab.goto(window.url + path)
    window.tab.get_by_role("button", name="Copy", exact=True).click()
    expect(window.tab.locator("#sharing [role=status]")).to_have_text("Copied")
    expect(window.tab.get_by_role("button", name="Copied")).to_be_visible()
    assert window.tab.evaluate("navigator.clipboard.readText()") == window.url + path


def test_where_the_clipboard_is_refused_the_link_is_selected(window: Window, path: str) -> None:
    window.tab.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    window.tab.goto(window.url + path)
    window.tab.get_by_role("button", name="Copy", exact=True).click()
    assert window.tab.evaluate("document.getSelection().toString()") == window.url + path
    expect(window.tab.get_by_role("button", name="Copy", exact=True)).to_be_visible()


def test_without_a_clipboard_there_is_the_link_alone(window_without_scripts: Window, path: str) -> None:
    tab = window_without_scripts.tab
    tab.goto(window_without_scripts.url + path)
    expect(tab.get_by_label("Anyone with this link can read it.")).to_have_value(window_without_scripts.url + path)
    expect(tab.get_by_role("button", name="Copy")).to_have_count(0)


def test_an_unfinished_count_is_cancelled(any_window: Window, site: Site, reader: Reader) -> None:
    path = insert(site, reader, QUEUED)
    any_window.tab.goto(any_window.url + path)
    any_window.tab.get_by_role("button", name="Cancel", exact=True).click()
    expect(any_window.tab.get_by_text("Word count cancelled.")).to_be_visible()
    expect(any_window.tab.get_by_role("button", name="Count again")).to_be_visible()


def test_the_caption_explains_no_column_that_the_phone_hides(tab: Tab) -> None:
    expect(tab.get_by_role("columnheader", name="Density")).to_be_hidden()
    expect(tab.locator("caption")).to_be_visible()
    assert "Density" not in tab.locator("caption").inner_text()
    tab.set_viewport_size({"width": SIZES["desk"][0], "height": SIZES["desk"][1]})
    assert "Density" in tab.locator("caption").inner_text()


# Where the colour is, and of which property.
MARKS = {
    "the current tab": (".tabs [aria-current]", None, "backgroundColor"),
    "the chosen words": (".segments [aria-current]", None, "backgroundColor"),
    "the gauge": (".gauge path + path", None, "stroke"),
    "the rest of the gauge": (".gauge path", None, "stroke"),
    "a bar": (".bar rect + rect", None, "fill"),
    "the rest of a bar": (".bar rect", None, "stroke"),
}
COLOUR = "([place, pseudo, name]) => getComputedStyle(document.querySelector(place), pseudo)[name]"


@pytest.mark.parametrize("name", MARKS)
def test_forced_colours_keep(window: Window, path: str, name: str) -> None:
    window.tab.emulate_media(forced_colors="active")
    window.tab.goto(window.url + path)
    canvas = window.tab.evaluate(COLOUR, ("body", None, "backgroundColor"))
    colour = window.tab.evaluate(COLOUR, MARKS[name])
    assert colour not in (canvas, "none", "rgba(0, 0, 0, 0)")
    window.tab.emulate_media(forced_colors="none")
    assert window.tab.evaluate(COLOUR, MARKS[name]) != colour  # which was none of ours


def test_forced_colours_keep_the_mark_of_the_sorted_column(window: Window, path: str) -> None:
    """It is text, whose colour is that of the link."""
    window.tab.emulate_media(forced_colors="active")
    window.tab.goto(window.url + path)
    assert "▼" in window.tab.evaluate(COLOUR, ("[aria-sort] a", "::after", "content"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_in_an_open_stem(window: Window, path: str, scheme: str) -> None:
    window.emulate(scheme, "phone")
    window.tab.goto(window.url + path)
    details(window.tab).locator("summary").click()
    assert axe_violations(window.tab, EVERYTHING) == []
