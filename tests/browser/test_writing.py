"""Writing a note: where Enter leads, lists that go on, a composer that stays small, a counter, a preview, and drafts.

A draft is text that is not saved. It stays in this browser, is offered again, and is never filled in by itself.
"""

import re
import unicodedata

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.web.fields import normalize
from tests.browser.controls import button, text, title
from tests.browser.site import Reader
from tests.browser.window import NARROWEST, SIZES, Window
from tests.waiting import wait_until

FAMILY = "👨‍👩‍👧‍👦"
DECOMPOSED = unicodedata.normalize("NFD", "반달")  # as a Mac hands over a file name
TEXTS = {
    "a family": FAMILY,
    "a flag and a skin": "🇰🇷👩🏽‍💻",
    "decomposed Hangul": DECOMPOSED,
    "an accent of its own": "e\u0301",
    "line breaks": "a\r\nb\rc\nd",
}
UNIT = f"{FAMILY}{DECOMPOSED}\r\ne\u0301"
UNITS = UNIT * 200  # of more, Chromium takes a hundred times as long to write them
EXACT = UNITS + "x" * (CONTENT_LENGTH - len(normalize(UNITS)))

DRAFTS = "Object.keys(localStorage).filter(key => key.startsWith('draft:'))"
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
  get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
});"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("exceeded", "QuotaExceededError"); };"""
# True if the middle of a button is on the screen, and nothing lies over it.
IS_HIT = """button => {
  const { left, top, width, height } = button.getBoundingClientRect();
  return button === document.elementFromPoint(left + width / 2, top + height / 2);
}"""
CHANGED = "The note has changed since then."


@pytest.fixture
def tab(window: Window) -> Tab:
    return window.open("/notes")


def counter(tab: Tab) -> Locator:
    return tab.locator("#content-count")


def test_without_scripts_enter_saves_and_the_limit_is_said(window_without_scripts: Window, reader: Reader) -> None:
    tab = window_without_scripts.open("/notes")
    expect(counter(tab)).to_have_text("Up to 20,000 characters")
    title(tab).fill("반달")
    title(tab).press("Enter")
    expect(tab.get_by_role("article")).to_contain_text("반달")
    assert len(reader.notes()) == 1


def test_a_list_goes_on_with_the_next_line(tab: Tab) -> None:
    for typed, grown in (
        ("- milk", "- milk\n- x"),
        ("9. milk", "9. milk\n10. x"),
        ("- [x] milk", "- [x] milk\n- [ ] x"),
        ("> - milk", "> - milk\n> - x"),
        ("-milk", "-milk\nx"),
        ("a - b", "a - b\nx"),
        ("- milk\n- ", "- milk\n\nx"),  # an empty item ends the list: what is written next is no part of it
        ("- [ ] 우유\n- [ ] 계란\n- [ ] ", "- [ ] 우유\n- [ ] 계란\n\nx"),
        ("- a\n  - b\n  - ", "- a\n  - b\n\nx"),
        ("> 1. 牛乳\n> 2. ", "> 1. 牛乳\n\nx"),
        ("- milk\n\n- ", "- milk\n\nx"),
        ("- ", "x"),
        ("- a\n\t- [x] b", "- a\n\t- [x] b\n\t- [ ] x"),
        ("-\ta", "-\ta\n- x"),
        ("1. a\n2026. b", "1. a\n2026. b\nx"),
        ("1986. A great year", "1986. A great year\nx"),
        ("2025. a\n2026. b", "2025. a\n2026. b\nx"),
        ("2026. 11. 25. 회의", "2026. 11. 25. 회의\nx"),
        ("11. 25. 회의", "11. 25. 회의\nx"),
        ("11. 25(수) 회의", "11. 25(수) 회의\nx"),
        ("3. 2.5 kg", "3. 2.5 kg\n4. x"),
    ):
        text(tab).fill(typed)
        text(tab).press("Control+End")
        text(tab).press("Enter")
        text(tab).press_sequentially("x")
        expect(text(tab)).to_have_value(grown)
    text(tab).fill("- milkbread")  # within a line, Enter takes the rest along
    text(tab).evaluate("field => field.setSelectionRange(6, 6)")
    text(tab).press("Enter")
    expect(text(tab)).to_have_value("- milk\n- bread")
    text(tab).fill("- 우")  # while a syllable is composed, it is the input method's
    text(tab).dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    expect(text(tab)).to_have_value("- 우")


def test_the_composer_is_a_line_until_it_is_used_and_its_button_in_sight(window: Window, reader: Reader) -> None:
    reader.write("#달 #책", "반달")
    for size in ("phone", "desk"):
        window.emulate("light", size)
        tab = window.open("/notes")
        composer = tab.get_by_role("form", name="New note")
        assert composer.evaluate("form => form.offsetHeight") <= 56
        expect(button(tab, "Save")).to_be_hidden()
        text(tab).focus()
        expect(button(tab, "Save")).to_be_visible()
        expect(title(tab)).to_be_visible()
        expect(composer).to_have_css("outline-style", "solid")  # around all of it, and not within
        expect(text(tab)).to_have_css("outline-style", "none")
        text(tab).fill("반달\n" * 300)  # a long text leaves the button in sight, also above the tabs of a small phone
        for width, height in (SIZES[size], (NARROWEST, 560)):
            window.set_width(width, height)
            tab.evaluate("scrollTo(0, 0)")
            assert button(tab, "Save").evaluate(IS_HIT), height
        text(tab).fill("")


def test_the_preview_opens_beside_the_editor_and_stores_nothing(window: Window, reader: Reader) -> None:
    note_id = reader.write("as it was", "반달")
    for path in (f"/notes/{note_id}/edit", "/notes"):
        tab = window.open(path)
        text(tab).fill("- [ ] **half**")
        if path == "/notes":
            button(tab, "Formatting").click()
            expect(tab.get_by_text("- [ ] Task")).to_be_visible()
            tab.keyboard.press("Escape")
            expect(tab.get_by_text("- [ ] Task")).to_be_hidden()
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
        expect(counter(tab), name).to_have_text(f"{len(normalize(words))} / 20,000")
    of_title = tab.locator("#new-note-count")  # it comes when it matters
    title(tab).fill("반" * 90)
    expect(of_title).to_be_hidden()
    title(tab).fill(DECOMPOSED * (TITLE_LENGTH // 2))
    expect(of_title).to_have_text("Title 120 / 120")
    title(tab).fill("반" * (TITLE_LENGTH + 1))
    expect(of_title).to_have_text("Title 121 / 120 · 1 over the limit")


def test_one_too_many_is_refused_in_words_and_the_limit_taken(window: Window, tab: Tab, reader: Reader) -> None:
    text(tab).fill(EXACT)
    expect(counter(tab)).to_have_text("20,000 / 20,000")
    expect(text(tab)).not_to_have_attribute("aria-invalid", "true")
    text(tab).fill(f"{EXACT}x")
    expect(counter(tab)).to_have_text("20,001 / 20,000 · 1 over the limit")
    expect(tab.locator("[aria-live=polite]", has_text="1 over the limit")).to_have_count(1)
    expect(text(tab)).to_have_attribute("aria-invalid", "true")
    expect(text(tab)).to_have_accessible_description("20,001 / 20,000 · 1 over the limit")
    button(tab, "Save").click()
    expect(tab.locator("#content-error")).to_be_visible()
    expect(counter(tab)).to_have_text("20,001 / 20,000 · 1 over the limit")
    assert normalize(text(tab).input_value()) == normalize(f"{EXACT}x"), "nothing was cut"
    window.open("/todos")
    window.open("/notes")
    bring_back(tab)
    assert normalize(text(tab).input_value()) == normalize(f"{EXACT}x"), "it is offered again"
    assert reader.notes() == []
    text(tab).fill(EXACT)
    button(tab, "Save").click()
    expect(tab.get_by_role("article")).to_have_count(1)
    assert len(reader.notes()) == 1
    errors = window.console_errors()  # Chromium writes a line for each status of 422
    assert errors
    assert [error for error in errors if "422" not in error] == []


def offer(tab: Tab) -> Locator:
    return tab.locator("[data-offer]")


def write(tab: Tab, words: str) -> None:
    """Type, and wait until the draft is kept."""
    text(tab).fill(words)
    expect(tab.get_by_text("Draft saved · just now")).to_be_visible()
    wait_until(lambda: words in tab.evaluate("JSON.stringify({...localStorage})"), "it is kept")


def bring_back(tab: Tab) -> None:
    offer(tab).get_by_role("button", name="Restore draft").click()


@pytest.mark.smoke
def test_it_is_offered_again_and_changes_places_with_what_was_typed_since(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    expect(offer(tab)).to_be_hidden()
    write(tab, "반만 적은 메모")
    window.open("/notes")
    expect(offer(tab)).to_contain_text("You have unsaved text.")
    expect(text(tab)).to_have_value("")
    bring_back(tab)
    expect(text(tab)).to_have_value("반만 적은 메모")
    expect(text(tab)).to_be_focused()
    expect(offer(tab)).to_be_hidden()

    window.open("/notes")
    write(tab, "the second")
    bring_back(tab)
    expect(text(tab)).to_have_value("반만 적은 메모")
    bring_back(tab)
    expect(text(tab)).to_have_value("the second")
    assert reader.notes() == []


def test_saved_or_discarded_it_does_not_come_back(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    write(tab, "saved in the end")
    button(tab, "Save").click()
    expect(tab.get_by_role("article").get_by_text("saved in the end").first).to_be_visible()
    expect(offer(tab)).to_be_hidden()
    wait_until(lambda: not tab.evaluate(DRAFTS), "the draft is dropped")

    write(tab, "not worth it")
    window.open("/notes")
    offer(tab).get_by_role("button", name="Discard").click()
    expect(offer(tab)).to_be_hidden()
    assert not tab.evaluate(DRAFTS)
    window.open("/notes")
    expect(text(tab)).to_have_value("")
    assert reader.notes() == ["saved in the end"]


def test_another_account_in_this_browser_never_sees_it(window: Window, reader: Reader, other: Reader) -> None:
    tab = window.open("/notes")
    write(tab, "for my eyes only")
    window.use_cookies(other.cookies)
    window.open("/notes")
    expect(offer(tab)).to_be_hidden()
    expect(text(tab)).to_have_value("")
    window.use_cookies(reader.cookies)
    window.open("/notes")
    expect(offer(tab)).to_be_visible()


def test_signing_another_device_out_keeps_them(window: Window, reader: Reader) -> None:
    reader.sign_in()
    tab = window.open("/notes")
    write(tab, "on my own computer")
    window.open("/mypage/devices")
    devices = tab.get_by_role("main").get_by_role("listitem")
    expect(devices).to_have_count(2)
    devices.filter(has_not_text="This device").get_by_role("button", name="Sign out").click()
    expect(devices).to_have_count(1)
    assert tab.evaluate(DRAFTS)


def test_the_draft_of_a_note_that_was_changed_says_so(window: Window, reader: Reader) -> None:
    note_id = reader.write("of the moon", "half")
    tab = window.open(f"/notes/{note_id}/edit")
    write(tab, "mine, not saved")
    window.open(f"/notes/{note_id}/edit")
    expect(offer(tab)).to_be_visible()
    expect(offer(tab)).not_to_contain_text(CHANGED, use_inner_text=True)
    reader.rewrite(note_id, "half", "newer, from another device")
    window.open(f"/notes/{note_id}/edit")
    expect(offer(tab)).to_contain_text(CHANGED, use_inner_text=True)
    expect(text(tab)).to_have_value("newer, from another device")
    bring_back(tab)
    expect(text(tab)).to_have_value("mine, not saved")
    assert reader.notes() == ["newer, from another device"]


@pytest.mark.parametrize("state", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_a_note_is_written_as_ever(window: Window, reader: Reader, state: str) -> None:
    window.tab.add_init_script(state)
    window.tab.clock.install()
    tab = window.open("/notes")
    text(tab).press_sequentially("kept by nobody")
    tab.clock.run_for(2000)  # longer than the pause after which a draft is kept
    expect(tab.get_by_text("Draft saved")).to_have_count(0)
    button(tab, "Save").click()
    expect(tab.get_by_role("article")).to_have_count(1)
    expect(offer(tab)).to_be_hidden()
    assert reader.notes() == ["kept by nobody"]
