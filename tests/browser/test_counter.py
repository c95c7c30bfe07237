"""Count the characters below a text as the server does."""

import unicodedata

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes import listing
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.web.fields import normalize
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window

FAMILY = "👨‍👩‍👧‍👦"
DECOMPOSED = unicodedata.normalize("NFD", "반달")  # as a Mac hands over a file name
TEXTS = {
    "nothing": "",
    "Korean": "반만 적어 두세요.",
    "a family": FAMILY,
    "a flag and a skin": "🇰🇷👩🏽‍💻",
    "decomposed Hangul": DECOMPOSED,
    "an accent of its own": "e\u0301",
    "line breaks": "a\r\nb\rc\nd",
}
UNIT = f"{FAMILY}{DECOMPOSED}\r\ne\u0301"
EXACT = UNIT * (CONTENT_LENGTH // len(normalize(UNIT))) + "x" * (CONTENT_LENGTH % len(normalize(UNIT)))


@pytest.fixture
def tab(window: Window) -> Tab:
    window.tab.goto(f"{window.url}/notes")
    return window.tab


def text(tab: Tab) -> Locator:
    return tab.get_by_label("Text", exact=True)


def counter(tab: Tab) -> Locator:
    return tab.locator("#content-count")


def save(tab: Tab) -> None:
    tab.get_by_role("button", name="Save", exact=True).click()


def test_it_says_what_the_server_counts(tab: Tab) -> None:
    for name, words in TEXTS.items():
        text(tab).fill(words)
        expect(counter(tab), name).to_have_text(f"{len(normalize(words))} / 2,000")


def test_as_many_as_may_be_are_taken(tab: Tab, site: Site, reader: Reader) -> None:
    text(tab).fill(EXACT)
    expect(counter(tab)).to_have_text("2,000 / 2,000")
    expect(text(tab)).not_to_have_attribute("aria-invalid", "true")
    save(tab)
    expect(tab.get_by_role("article")).to_have_count(1)
    with site.app.app_context():
        assert len(listing.list_notes(reader.id).notes) == 1


def test_one_too_many_is_said_in_words_and_refused_in_words(window: Window, site: Site, reader: Reader) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/notes")
    text(tab).fill(f"{EXACT}x")
    expect(counter(tab)).to_have_text("2,001 / 2,000 · 1 over the limit")
    expect(tab.locator("[aria-live=polite]", has_text="1 over the limit")).to_have_count(1)
    expect(text(tab)).to_have_attribute("aria-invalid", "true")
    expect(text(tab)).to_have_accessible_description("2,001 / 2,000 · 1 over the limit")
    save(tab)
    expect(tab.locator("#content-error")).to_be_visible()
    expect(counter(tab)).to_have_text("2,001 / 2,000 · 1 over the limit")
    assert normalize(text(tab).input_value()) == normalize(f"{EXACT}x"), "nothing was cut"
    text(tab).fill(EXACT)
    save(tab)
    expect(tab.get_by_role("article")).to_have_count(1)
    assert_only_refused(window)
    with site.app.app_context():
        assert len(listing.list_notes(reader.id).notes) == 1


def test_that_of_the_title_comes_when_it_matters(tab: Tab) -> None:
    title = tab.get_by_label("Title", exact=True)
    of_title = tab.locator("#new-note-count")
    title.fill("반" * 20)
    expect(of_title).to_be_hidden()
    title.fill(DECOMPOSED * (TITLE_LENGTH // 2))
    expect(of_title).to_have_text("Title 50 / 50")
    title.fill("반" * (TITLE_LENGTH + 1))
    expect(of_title).to_have_text("Title 51 / 50 · 1 over the limit")


def test_without_scripts_the_limit_is_said(window_without_scripts: Window) -> None:
    window_without_scripts.tab.goto(f"{window_without_scripts.url}/notes")
    expect(counter(window_without_scripts.tab)).to_have_text("Up to 2,000 characters")


def assert_only_refused(window: Window) -> None:
    """Allow the line that Chromium writes for each status of 422, and nothing else."""
    errors = window.console_errors()
    assert [error for error in errors if "422" not in error] == []
    assert errors
