"""Journeys by keyboard alone, with a focus that is visible at every stop; and shortcuts.

A shortcut is a single letter outside of fields, and nothing during IME composition.
"""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes.listing import list_notes
from app.notes.service import list_archive
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard, hold, link, posts_of, text, title
from tests.browser.site import Reader
from tests.browser.window import FORCED, Window
from tests.samples import samples

STOPS = (
    *("/notes", "/notes?q=moon", "/notes/tags", "/notes/archive", "/notes/trash", "/todos"),
    *(each.path for each in samples()),
    *("/mypage", "/mypage/edit", "/mypage/devices", "/mypage/events", "/mypage/tokens", "/mypage/import"),
)
KEYDOWN = """(element, key) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...key }))"""
COMPOSING = ({"isComposing": True}, {"keyCode": 229})  # the second of Safari, for the key that ends the composition
OUTLINE = "box => getComputedStyle(box.closest('.note')).outlineStyle"


def test_the_focus_is_seen_at_every_stop_of_a_page(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    note = f"/notes/{reader.write('as it was', 'moon')}"
    reader.add("look at the moon")
    for path in (*STOPS, note, f"{note}/edit"):
        window.open(path)
        keyboard.walk()
    window.use_cookies({})
    for path in ("/", "/sign-up", "/sign-in"):
        window.open(path)
        keyboard.walk()


@pytest.fixture
def twelve(reader: Reader) -> None:
    """Write more notes than a screen shows."""
    for number in range(12):
        reader.write("text", f"note {number:02}")


@pytest.mark.usefixtures("twelve")
def test_several_are_archived_and_brought_back(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    window.emulate("light", "phone")
    tab = window.open("/notes")
    tab.locator("#views summary").click()
    keyboard.press(link("Select notes"))
    for name in ("note 10", "note 00"):  # no stop on the way is covered by the bar
        keyboard.press(Control("checkbox", f"Select: {name}"), "Space")
    keyboard.press(Control("button", "Move to archive$"))
    expect(tab.locator(".message", has_text="2 notes archived.")).to_be_visible()
    assert not axe_violations(tab), "beside the message with the button to undo it"
    with reader.app():
        assert {note.title for note in list_archive(reader.id)[0]} == {"note 10", "note 00"}
    keyboard.press(Control("button", "Undo"))
    expect(tab.locator(".message", has_text="2 notes restored.")).to_be_visible()
    assert len(reader.notes()) == 12


@pytest.mark.usefixtures("twelve")
def test_a_row_is_ticked_wherever_it_is_clicked_and_enter_in_the_field_adds_the_tag(
    window: Window, keyboard: Keyboard, reader: Reader
) -> None:
    tab = window.open("/notes#results")
    for name in ("note 11", "note 10"):
        row = tab.get_by_role("article", name=name)
        size = row.bounding_box()
        assert size
        row.click(position={"x": size["width"] - 5, "y": size["height"] / 2})
        expect(row.get_by_role("checkbox", name=f"Select: {name}")).to_be_checked()
    window.emulate(FORCED, "desk")
    tab.mouse.move(0, 0)
    outlines = [box.evaluate(OUTLINE) for box in tab.get_by_role("checkbox").all()[:3]]
    assert outlines == ["solid", "solid", "none"]

    window.open("/notes#results")
    keyboard.press(Control("checkbox", "Select: note 10"), "Space")
    keyboard.write(Control("textbox", "Tag"), "#book")
    tab.keyboard.press("Enter")
    expect(tab.locator(".message", has_text="1 note tagged #book.")).to_be_visible()
    with reader.app():
        assert list_notes(reader.id).tags == [("book", 1)]


@pytest.fixture
def tab(window: Window) -> Tab:
    return window.open("/notes")


def search(tab: Tab) -> Locator:
    return tab.get_by_role("searchbox")


def shortcuts(tab: Tab) -> Locator:
    return tab.get_by_role("dialog", name="Keyboard shortcuts")


def nothing_has_focus(tab: Tab) -> bool:
    return bool(tab.evaluate("document.activeElement === document.body"))


def test_n_leads_to_the_new_note_and_the_slash_to_the_search_from_any_page(window: Window, tab: Tab) -> None:
    for key, field in (("n", title), ("/", search)):
        tab.keyboard.press(key)
        expect(field(tab)).to_be_focused()
        expect(field(tab)).to_have_value("")
        field(tab).blur()
    tab.locator("body").evaluate(KEYDOWN, {"key": "ㅜ", "code": "KeyN"})  # a Korean keyboard has the same key
    expect(title(tab)).to_be_focused()
    for key, field in (("n", title), ("/", search)):
        window.open("/mypage")
        hold(tab, key, lambda: tab.locator("input:focus").count())
        expect(tab).to_have_url(re.compile("/notes#"))
        expect(field(tab)).to_be_focused()
        expect(field(tab)).to_have_value("")  # a letter that is held is not written there


def test_the_list_gives_the_focus_back_and_switched_off_there_the_letters_do_nothing_until_on(tab: Tab) -> None:
    link = tab.get_by_role("link", name="Todos")
    link.focus()
    for way in ("Escape", "Close"):
        tab.keyboard.press("?")
        expect(shortcuts(tab)).to_be_visible()
        assert tab.evaluate("document.activeElement.closest('dialog') !== null"), "the focus is inside"
        if way == "Escape":
            tab.keyboard.press("Escape")
        else:
            shortcuts(tab).get_by_role("button", name="Close").click()
        expect(shortcuts(tab)).to_be_hidden()
        expect(link).to_be_focused()
    link.blur()
    tab.keyboard.press("?")
    shortcuts(tab).get_by_role("button", name="Turn off single-key shortcuts").click()
    expect(tab.locator("#open-shortcuts")).to_have_attribute("data-letters", "off")
    for key in ("n", "/", "?"):
        tab.keyboard.press(key)
    assert nothing_has_focus(tab)
    expect(shortcuts(tab)).to_be_hidden()
    tab.get_by_role("button", name="Keyboard shortcuts").click()
    shortcuts(tab).get_by_role("button", name="Turn on single-key shortcuts").click()
    expect(tab.locator("#open-shortcuts")).to_have_attribute("data-letters", "on")
    tab.keyboard.press("n")
    expect(title(tab)).to_be_focused()


def test_held_down_they_save_once(tab: Tab, reader: Reader) -> None:
    posts = posts_of(tab)
    text(tab).fill("once")
    text(tab).evaluate(KEYDOWN, {"key": "Enter", "ctrlKey": True, "repeat": True})
    text(tab).press("Control+Enter")
    expect(tab.get_by_role("article")).to_have_count(1)
    assert len(posts) == 1
    assert reader.notes() == ["once"]


def test_in_a_field_the_letters_are_letters_and_ime_composition_is_no_shortcut(tab: Tab) -> None:
    posts = posts_of(tab)
    for field in (title(tab), text(tab), search(tab)):
        field.press_sequentially("n/?ㅜ")
        expect(field).to_be_focused()
        expect(field).to_have_value("n/?ㅜ")
        field.fill("")
        field.blur()
    expect(shortcuts(tab)).to_be_hidden()
    for composing in COMPOSING:
        for key in ({"key": "n", "code": "KeyN"}, {"key": "/"}, {"key": "?"}):
            tab.locator("body").evaluate(KEYDOWN, {**key, **composing})
        assert nothing_has_focus(tab)
        expect(shortcuts(tab)).to_be_hidden()
    for composing in COMPOSING:
        text(tab).fill("아직")
        text(tab).evaluate(KEYDOWN, {"key": "Enter", "ctrlKey": True, **composing})
    expect(tab.get_by_text("Draft saved")).to_be_visible()  # long enough for a form to have left
    assert not posts


def test_with_a_real_composition_a_todo_is_added_once(window: Window, reader: Reader) -> None:
    tab = window.tab
    posts = posts_of(tab)
    window.open("/todos")
    field = tab.get_by_role("textbox", name="New todo")
    field.focus()
    session = tab.context.new_cdp_session(tab)
    for syllable in ("ㄷ", "다", "달"):
        session.send("Input.imeSetComposition", {"text": syllable, "selectionStart": 1, "selectionEnd": 1})
    expect(field).to_have_value("달")
    end = {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", end)
    session.send("Input.insertText", {"text": "달"})
    expect(field).to_have_value("달")
    assert not posts, "the Enter that ended the syllable has sent it"
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Complete: 달")).to_be_visible()
    expect(field).to_have_value("")
    assert len(posts) == 1
    assert reader.todos() == ["달"]
