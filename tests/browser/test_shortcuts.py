"""Keyboard shortcuts: single letters outside of fields only, and nothing during IME composition."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes import listing
from app.todos import listing as todos
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window

KEYDOWN = """(element, key) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...key }))"""
COMPOSING = [
    pytest.param({"isComposing": True}, id="isComposing"),
    pytest.param({"keyCode": 229}, id="keyCode"),  # Safari, for the key that ends the composition
]


@pytest.fixture
def tab(window: Window) -> Tab:
    window.tab.goto(f"{window.url}/notes")
    return window.tab


def title(tab: Tab) -> Locator:
    return tab.get_by_label("Title", exact=True)


def text(tab: Tab) -> Locator:
    return tab.get_by_label("Text", exact=True)


def search(tab: Tab) -> Locator:
    return tab.get_by_role("searchbox")


def shortcuts(tab: Tab) -> Locator:
    return tab.get_by_role("dialog", name="Keyboard shortcuts")


def nothing_has_focus(tab: Tab) -> bool:
    return bool(tab.evaluate("document.activeElement === document.body"))


def stored(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in listing.list_notes(reader.id).notes]


def test_n_leads_to_the_new_note_and_the_slash_to_the_search(tab: Tab) -> None:
    tab.keyboard.press("n")
    expect(title(tab)).to_be_focused()
    expect(title(tab)).to_have_value("")
    title(tab).blur()
    tab.keyboard.press("/")
    expect(search(tab)).to_be_focused()
    expect(search(tab)).to_have_value("")


def test_a_korean_keyboard_has_the_same_key(tab: Tab) -> None:
    tab.locator("body").evaluate(KEYDOWN, {"key": "ㅜ", "code": "KeyN"})
    expect(title(tab)).to_be_focused()


@pytest.mark.parametrize(("key", "leads_to"), [("/", search), ("n", title)], ids=["slash", "n"])
def test_from_a_page_without_the_field_they_lead_to_it(window: Window, key: str, leads_to: object) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage")
    tab.keyboard.press(key)
    expect(tab).to_have_url(re.compile("/notes#"))
    assert callable(leads_to)
    expect(leads_to(tab)).to_be_focused()


@pytest.mark.parametrize("way", ["Escape", "Close"])
def test_the_list_opens_and_closes_and_gives_the_focus_back(tab: Tab, way: str) -> None:
    link = tab.get_by_role("link", name="Todos")
    link.focus()
    tab.keyboard.press("?")
    expect(shortcuts(tab)).to_be_visible()
    assert tab.evaluate("document.activeElement.closest('dialog') !== null"), "the focus is inside"
    if way == "Escape":
        tab.keyboard.press("Escape")
    else:
        shortcuts(tab).get_by_role("button", name="Close").click()
    expect(shortcuts(tab)).to_be_hidden()
    expect(link).to_be_focused()


def test_control_and_enter_save_from_the_text(tab: Tab, site: Site, reader: Reader) -> None:
    text(tab).fill("saved by keys")
    text(tab).press("Control+Enter")
    expect(tab.get_by_role("article")).to_have_count(1)
    assert stored(site, reader) == ["saved by keys"]


def test_held_down_they_save_once(tab: Tab, site: Site, reader: Reader) -> None:
    posts: list[str] = []
    tab.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    text(tab).fill("once")
    text(tab).evaluate(KEYDOWN, {"key": "Enter", "ctrlKey": True, "repeat": True})
    text(tab).press("Control+Enter")
    expect(tab.get_by_role("article")).to_have_count(1)
    assert len(posts) == 1
    assert stored(site, reader) == ["once"]


def test_in_a_field_the_letters_are_letters(tab: Tab) -> None:
    for field in (title(tab), text(tab), search(tab)):
        field.press_sequentially("n/?ㅜ")
        expect(field).to_be_focused()
        expect(field).to_have_value("n/?ㅜ")
    expect(shortcuts(tab)).to_be_hidden()


@pytest.mark.parametrize("composing", COMPOSING)
def test_ime_composition_is_no_shortcut(tab: Tab, composing: dict[str, object]) -> None:
    posts: list[str] = []
    tab.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    for key in ({"key": "n", "code": "KeyN"}, {"key": "/"}, {"key": "?"}):
        tab.locator("body").evaluate(KEYDOWN, {**key, **composing})
    assert nothing_has_focus(tab)
    expect(shortcuts(tab)).to_be_hidden()
    text(tab).fill("아직")
    text(tab).evaluate(KEYDOWN, {"key": "Enter", "ctrlKey": True, **composing})
    expect(tab.get_by_text("Draft saved")).to_be_visible()  # long enough for a form to have left
    assert not posts


def test_with_a_real_composition_a_todo_is_added_once(window: Window, site: Site, reader: Reader) -> None:
    tab = window.tab
    posts: list[str] = []
    tab.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    tab.goto(f"{window.url}/todos")
    field = tab.get_by_role("textbox", name="New todo")
    field.focus()
    compose(tab, "ㄷ", "다", "달")
    expect(field).to_have_value("달")
    end = {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    session = tab.context.new_cdp_session(tab)
    session.send("Input.dispatchKeyEvent", end)
    session.send("Input.insertText", {"text": "달"})
    expect(field).to_have_value("달")
    assert not posts, "the Enter that ended the syllable has sent it"
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Complete: 달")).to_be_visible()
    expect(field).to_have_value("")
    assert len(posts) == 1
    with site.app.app_context():
        assert [todo.description for todo in todos.list_todos(reader.id).todos] == ["달"]


def test_with_a_real_composition_a_note_is_saved_whole(tab: Tab, site: Site, reader: Reader) -> None:
    text(tab).focus()
    compose(tab, "ㅂ", "바", "반")
    tab.keyboard.press("Control+Enter")
    tab.context.new_cdp_session(tab).send("Input.insertText", {"text": "반달"})
    expect(text(tab)).to_have_value("반달")
    expect(tab.get_by_text("Draft saved")).to_be_visible()
    assert stored(site, reader) == []
    text(tab).press("Control+Enter")
    expect(tab.get_by_role("article")).to_have_count(1)
    assert stored(site, reader) == ["반달"]


def compose(tab: Tab, *steps: str) -> None:
    """Compose a syllable as a Korean IME does, without ending the composition."""
    session = tab.context.new_cdp_session(tab)
    for step in steps:
        session.send("Input.imeSetComposition", {"text": step, "selectionStart": 1, "selectionEnd": 1})


def test_switched_off_the_letters_do_nothing_until_they_are_switched_on(tab: Tab) -> None:
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
