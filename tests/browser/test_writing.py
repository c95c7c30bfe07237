"""Writing a note: where Enter leads, lists that go on, a composer that stays small, a counter, and a preview."""

import re
import unicodedata

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.web.fields import normalize
from tests.browser.controls import button, text, title
from tests.browser.site import Reader
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
    return window.open("/notes")


def counter(tab: Tab) -> Locator:
    return tab.locator("#content-count")


def test_enter_in_the_title_leads_to_the_text_and_saves_nothing(tab: Tab, reader: Reader) -> None:
    title(tab).press_sequentially("반달")
    title(tab).press("Enter")
    expect(text(tab)).to_be_focused()
    assert reader.notes() == []


def test_without_scripts_enter_saves_and_the_limit_is_said(window_without_scripts: Window, reader: Reader) -> None:
    tab = window_without_scripts.open("/notes")
    expect(counter(tab)).to_have_text("Up to 2,000 characters")
    title(tab).fill("반달")
    title(tab).press("Enter")
    expect(tab.get_by_role("article")).to_contain_text("반달")
    assert len(reader.notes()) == 1


def test_a_list_goes_on_with_the_next_line(tab: Tab) -> None:
    for typed, begins in (
        ("- milk", "- "),
        ("  * milk", "  * "),
        ("9. milk", "10. "),
        ("- [x] milk", "- [ ] "),
        ("> - milk", "> - "),
        ("milk", ""),
        ("-milk", ""),
        ("a - b", ""),
    ):
        text(tab).fill(typed)
        text(tab).press("End")
        text(tab).press("Enter")
        text(tab).press_sequentially("x")
        expect(text(tab)).to_have_value(f"{typed}\n{begins}x")
    text(tab).fill("- milk\n- ")  # an empty item ends the list
    text(tab).press("Control+End")
    text(tab).press("Enter")
    text(tab).press_sequentially("x")
    expect(text(tab)).to_have_value("- milk\nx")
    text(tab).fill("- milkbread")  # within a line, Enter takes the rest along
    text(tab).evaluate("field => field.setSelectionRange(6, 6)")
    text(tab).press("Enter")
    expect(text(tab)).to_have_value("- milk\n- bread")
    text(tab).fill("- 우")  # while a syllable is composed, it is the input method's
    text(tab).dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    expect(text(tab)).to_have_value("- 우")


def test_a_long_text_leaves_save_in_sight(window: Window, tab: Tab) -> None:
    for size in ("desk", "phone"):
        window.emulate("light", size)
        text(tab).fill("반달\n" * 300)
        expect(button(tab, "Save")).to_be_in_viewport()


def test_on_a_phone_the_first_note_stands_near_the_top(window: Window, reader: Reader) -> None:
    reader.write("#달 #책", "반달")
    window.emulate("light", "phone")
    tab = window.open("/notes")
    top = tab.get_by_role("article").first.evaluate("note => note.getBoundingClientRect().top")
    assert top < 844 * 0.4, top
    expect(button(tab, "Save")).to_be_hidden()
    text(tab).focus()
    expect(button(tab, "Save")).to_be_visible()
    tags = tab.locator("#beside").get_by_role("link", name="#달")
    assert tags.evaluate("tag => tag.getBoundingClientRect().top") < top


def test_a_tags_view_has_the_composer_with_the_tag_in_it(window: Window, reader: Reader) -> None:
    reader.write("#달", "반달")
    reader.write("of no tag")
    tab = window.open("/notes?tag=달")
    expect(text(tab)).to_have_value("#달 ")
    text(tab).press("Control+End")
    text(tab).press_sequentially("half")
    button(tab, "Save").click()
    expect(tab.get_by_role("article")).to_have_count(2)
    expect(tab).to_have_url(re.compile(r"/notes\?tag="))
    assert "#달 half" in reader.notes()


def test_the_preview_opens_beside_the_editor_and_stores_nothing(window: Window, reader: Reader) -> None:
    note_id = reader.write("as it was", "반달")
    for path in (f"/notes/{note_id}/edit", "/notes"):
        tab = window.open(path)
        text(tab).fill("- [ ] **half**")
        if path == "/notes":
            tab.get_by_text("Markdown", exact=True).click()
            expect(tab.get_by_text("- [ ] Task")).to_be_visible()
        with tab.context.expect_page() as opened:
            button(tab, "Preview").click()
        expect(opened.value.locator("strong")).to_have_text("half")
        expect(opened.value).to_have_title(re.compile("Preview"))
        opened.value.close()
        expect(text(tab)).to_have_value("- [ ] **half**")
        expect(tab.locator("[aria-busy=true]")).to_have_count(0)
    assert reader.notes() == ["as it was"]


def test_the_counter_says_what_the_server_counts(tab: Tab) -> None:
    for name, words in TEXTS.items():
        text(tab).fill(words)
        expect(counter(tab), name).to_have_text(f"{len(normalize(words))} / 2,000")
    of_title = tab.locator("#new-note-count")  # it comes when it matters
    title(tab).fill("반" * 20)
    expect(of_title).to_be_hidden()
    title(tab).fill(DECOMPOSED * (TITLE_LENGTH // 2))
    expect(of_title).to_have_text("Title 50 / 50")
    title(tab).fill("반" * (TITLE_LENGTH + 1))
    expect(of_title).to_have_text("Title 51 / 50 · 1 over the limit")


def test_one_too_many_is_refused_in_words_and_the_limit_taken(window: Window, tab: Tab, reader: Reader) -> None:
    text(tab).fill(EXACT)
    expect(counter(tab)).to_have_text("2,000 / 2,000")
    expect(text(tab)).not_to_have_attribute("aria-invalid", "true")
    text(tab).fill(f"{EXACT}x")
    expect(counter(tab)).to_have_text("2,001 / 2,000 · 1 over the limit")
    expect(tab.locator("[aria-live=polite]", has_text="1 over the limit")).to_have_count(1)
    expect(text(tab)).to_have_attribute("aria-invalid", "true")
    expect(text(tab)).to_have_accessible_description("2,001 / 2,000 · 1 over the limit")
    button(tab, "Save").click()
    expect(tab.locator("#content-error")).to_be_visible()
    expect(counter(tab)).to_have_text("2,001 / 2,000 · 1 over the limit")
    assert normalize(text(tab).input_value()) == normalize(f"{EXACT}x"), "nothing was cut"
    assert reader.notes() == []
    text(tab).fill(EXACT)
    button(tab, "Save").click()
    expect(tab.get_by_role("article")).to_have_count(1)
    assert len(reader.notes()) == 1
    errors = window.console_errors()  # Chromium writes a line for each status of 422
    assert errors
    assert [error for error in errors if "422" not in error] == []
