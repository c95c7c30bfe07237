"""Act once when a key is held or pressed again, and give what acts no focus that was elsewhere.

The keys are Chromium's own events. One that is held repeats itself, with autoRepeat, until what it does is seen and on.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes import listing as notes
from app.notes.archive import archive_note
from app.notes.service import create_note, delete_note, get_note
from app.todos import listing, service
from tests.browser.keyboard import hold
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window
from tests.photos.photo_files import oriented_photo
from tests.waiting import wait_until

ENTRIES = "Object.keys(localStorage).filter(key => key.startsWith('outbox:')).length"
# What the next Enter or Space would act on. A link leads to a page, and changes nothing.
ACTING = "document.activeElement.matches('button, input, select, textarea, summary') ? document.activeElement.id : null"
COMPLETE = "Complete: todo {}"


def stored(site: Site, reader: Reader) -> list[tuple[str, bool]]:
    with site.app.app_context():
        return [(todo.description, todo.completed) for todo in listing.list_todos(reader.id).todos]


def stored_notes(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in notes.list_notes(reader.id).notes]


def done(site: Site, reader: Reader) -> list[str]:
    return [what for what, is_done in stored(site, reader) if is_done]


@pytest.fixture
def tab(window: Window, site: Site, reader: Reader) -> Tab:
    """Open eight todos, "todo 1" on top; one more is done, and "todo 1" is due."""
    with site.app.app_context():
        for number in range(8, 1, -1):
            service.create_todo(reader.id, f"todo {number}")
        service.create_todo(reader.id, "todo 1", date(2026, 11, 21))
        service.change_todo(reader.id, service.create_todo(reader.id, "done"), completed=True)
    window.tab.goto(f"{window.url}/todos")
    return window.tab


def button(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("button", name=name, exact=True)


def row(tab: Tab, what: str) -> Locator:
    return tab.get_by_role("listitem").filter(has_text=what)


def is_settled(tab: Tab) -> bool:
    """Tell whether everything was sent."""
    return bool(tab.evaluate(ENTRIES) == 0)


def shows(tab: Tab, count: int) -> Callable[[], bool]:
    return lambda: tab.locator("#todos > .list li").count() == count


def posts_of(tab: Tab) -> list[str]:
    posts: list[str] = []
    tab.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    return posts


@pytest.mark.smoke
def test_held_on_a_tick_it_completes_one(tab: Tab, site: Site, reader: Reader) -> None:
    button(tab, COMPLETE.format(2)).focus()
    hold(tab, "Enter", shows(tab, 7))
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert set(done(site, reader)) == {"todo 2", "done"}
    expect(tab.locator("#live")).to_have_text("Done: todo 2")


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_pressed_twice_on_a_tick_it_completes_one(tab: Tab, site: Site, reader: Reader, key: str) -> None:
    """The second time after the list has changed, or at once."""
    for number, left in ((2, 7), (4, 6)):
        button(tab, COMPLETE.format(number)).focus()
        tab.keyboard.press(key)
        if number == 2:
            wait_until(shows(tab, left), "the list changes")
        tab.keyboard.press(key)
        wait_until(lambda left=left: shows(tab, left)() and is_settled(tab), "the list has changed")  # type: ignore[misc]
    assert set(done(site, reader)) == {"todo 2", "todo 4", "done"}


def test_the_place_in_the_list_is_kept(tab: Tab) -> None:
    button(tab, COMPLETE.format(2)).focus()
    tab.keyboard.press("Enter")
    expect(row(tab, "todo 3")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(button(tab, COMPLETE.format(3))).to_be_focused()
    button(tab, COMPLETE.format(8)).focus()
    tab.keyboard.press("Enter")
    expect(row(tab, "todo 7")).to_be_focused()  # it was the last one


def test_of_the_last_one_the_focus_is_on_the_list(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_todo(reader.id, "todo 1")
    window.tab.goto(f"{window.url}/todos")
    button(window.tab, COMPLETE.format(1)).press("Enter")
    expect(window.tab.get_by_role("region", name="Your todos")).to_be_focused()


def go(name: str) -> Callable[[Tab], Locator]:
    return lambda tab: tab.get_by_role("link", name=name, exact=True).first


def press(name: str) -> Callable[[Tab], Locator]:
    return lambda tab: button(tab, name)


# Each with what says that the list has changed.
CONTROLS: dict[str, tuple[Callable[[Tab], Locator], str]] = {
    "tick": (press("Complete: todo 1"), "Done: todo 1"),
    "delete": (press("Delete: todo 3"), "todo 3.* deleted"),
    "up to the top": (press("Move up: todo 2"), "Moved up: todo 2"),
    "down to the end": (press("Move down: todo 7"), "Moved down: todo 7"),
    "filter": (go("Today"), "Todos shown: 1"),
    "empty filter": (go("Done"), "Todos shown: 1"),
    "order": (go("By due date"), "Todos shown: 8"),
}


IN_A_MENU = ("delete", "up to the top", "down to the end")  # on a phone


@pytest.mark.parametrize(
    ("size", "name"), [*(("desk", name) for name in CONTROLS), *(("phone", name) for name in IN_A_MENU)]
)
def test_what_acts_gets_no_focus_and_what_was_done_is_said(
    window: Window, tab: Tab, site: Site, reader: Reader, size: str, name: str
) -> None:
    window.emulate("light", size)
    find, said = CONTROLS[name]
    if size == "phone":
        tab.evaluate("for (const menu of document.querySelectorAll('details.menu')) menu.open = true")
    control = find(tab)
    control.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#live")).to_have_text(re.compile(said))
    before = stored(site, reader)
    assert tab.evaluate(ACTING) is None
    assert tab.evaluate("document.activeElement !== document.body"), "the place is lost"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Space")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert stored(site, reader) == before


def test_a_filter_keeps_the_focus(tab: Tab) -> None:
    for name in ("Today", "Done", "All", "By due date", "My order"):
        link = tab.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        link.focus()
        tab.keyboard.press("Enter")
        expect(link).to_have_attribute("aria-current", "page" if name in ("Today", "Done", "All") else "true")
        expect(link).to_be_focused()


def test_undo_leads_to_what_came_back(tab: Tab, site: Site, reader: Reader) -> None:
    button(tab, "Delete: todo 3").focus()
    tab.keyboard.press("Enter")
    expect(row(tab, "todo 4")).to_be_focused()
    button(tab, "Undo").focus()
    hold(tab, "Enter", shows(tab, 8))
    expect(row(tab, "todo 3")).to_be_focused()
    tab.keyboard.press("Enter")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert len(stored(site, reader)) == 9
    assert done(site, reader) == ["done"]


def test_all_completed_ones_are_deleted_and_come_back_only_when_asked_for(tab: Tab, site: Site, reader: Reader) -> None:
    tab.get_by_text("Done 1").click()
    button(tab, "Delete all completed todos").focus()
    hold(tab, "Enter", lambda: button(tab, "Undo").count())
    assert tab.evaluate(ACTING) is None
    tab.keyboard.press("Enter")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert done(site, reader) == []


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_double_click_or_tap_completes_one(tab: Tab, site: Site, reader: Reader, kind: str) -> None:
    """The second comes before the list has changed, or after: to another one that stands there by then."""
    for number, left in ((2, 7), (7, 6)):
        box = button(tab, COMPLETE.format(number)).bounding_box()
        click(tab, box, 1, kind)
        if number == 7 and kind == "mouse":  # of a touch, the time tells
            wait_until(shows(tab, left), "the list has changed")
        click(tab, box, 2, kind)
        wait_until(lambda left=left: shows(tab, left)() and is_settled(tab), "the list has changed")  # type: ignore[misc]
    assert set(done(site, reader)) == {"todo 2", "todo 7", "done"}


def click(tab: Tab, box: Any, count: int, kind: str) -> None:
    assert box
    session = tab.context.new_cdp_session(tab)
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    if kind == "touch":
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    for event in ("mousePressed", "mouseReleased"):
        session.send("Input.dispatchMouseEvent", {"type": event, "button": "left", "clickCount": count, **place})


@pytest.mark.parametrize(
    ("way", "path", "name", "left"),
    [
        ("held", "/notes", "Move to trash: note 2", {"note 1", "note 3"}),
        ("twice", "/notes", "Move to trash: note 2", {"note 1", "note 3"}),
        ("double click", "/notes", "Move to archive: note 2", {"note 1", "note 3"}),
        ("held", "/notes/trash", "Restore: note 4", {"note 1", "note 2", "note 3", "note 4"}),
        ("twice", "/notes/archive", "Unarchive: note 6", {"note 1", "note 2", "note 3", "note 6"}),
    ],
)
def test_of_the_notes_one_is_put_away_or_comes_back(
    window: Window, site: Site, reader: Reader, way: str, path: str, name: str, left: set[str]
) -> None:
    with site.app.app_context():
        ids = [create_note(reader.id, f"note {number}", f"note {number}") for number in range(1, 8)]
        for note_id in ids[3:5]:
            delete_note(reader.id, note_id)
        for note_id in ids[5:7]:
            archive_note(reader.id, note_id, archived=True)
    tab = window.tab
    posts = posts_of(tab)
    tab.goto(window.url + path)
    left_for: list[Any] = []
    tab.on("framenavigated", lambda frame: left_for.append(frame))
    if way == "double click":
        button(tab, name).dblclick()
    else:
        button(tab, name).focus()
    if way == "held":
        hold(tab, "Enter", lambda: left_for)
    if way == "twice":
        tab.keyboard.press("Enter")
        tab.keyboard.press("Enter")
    expect(tab.locator(".message").filter(has_text="note ")).to_be_visible()
    assert len(posts) == 1
    assert set(stored_notes(site, reader)) == left


def test_held_on_a_task_of_a_note_it_is_done_once(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        note_id = create_note(reader.id, "", "- [ ] milk\n- [ ] bread")
    tab = window.tab
    tab.goto(f"{window.url}/notes/{note_id}")
    button(tab, "milk").focus()
    hold(tab, "Enter", lambda: button(tab, "milk").get_attribute("aria-pressed") == "true")
    wait_until(lambda: is_settled(tab), "nothing waits")
    with site.app.app_context():
        assert get_note(reader.id, note_id).content == "- [x] milk\n- [ ] bread"


@pytest.mark.parametrize("way", ["held", "twice"])
def test_a_form_is_sent_once(window: Window, way: str) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage/tokens")
    tab.get_by_role("textbox", name="Name").fill("backup")
    tab.get_by_role("checkbox", name="Read notes").check()
    posts = posts_of(tab)
    tab.get_by_role("textbox", name="Name").focus()
    if way == "held":
        hold(tab, "Enter", tab.get_by_text("sc_").count)
    else:
        tab.keyboard.press("Enter")
        tab.keyboard.press("Enter")
    expect(tab.get_by_text("sc_")).to_be_visible()
    assert len(posts) == 1


@pytest.mark.parametrize(("path", "key", "role"), [("/notes", "n", "textbox"), ("/mypage", "/", "searchbox")])
def test_a_letter_that_leads_to_a_field_is_not_written_there(window: Window, path: str, key: str, role: Any) -> None:
    tab = window.tab
    tab.goto(window.url + path)
    field = tab.get_by_role(role, name="Title" if key == "n" else None).first
    hold(tab, key, lambda: tab.locator("input:focus").count())
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    tab.keyboard.down("a")
    tab.keyboard.down("a")
    tab.keyboard.up("a")
    expect(field).to_have_value("aa")  # what is held in a field is written on


def test_enter_held_in_the_title_writes_no_lines_into_the_text(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/notes")
    text = tab.get_by_label("Text", exact=True)
    tab.get_by_label("Title", exact=True).focus()
    hold(tab, "Enter", lambda: tab.evaluate("document.activeElement.matches('textarea')"))
    expect(text).to_have_value("")
    hold(tab, "Enter", lambda: len(text.input_value()) > 3, more=0)


def test_another_theme_button_does_not_get_the_focus(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    button(tab, "Dark").focus()
    hold(tab, "Enter", lambda: tab.locator("html").get_attribute("data-theme") == "dark")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    assert tab.evaluate("document.activeElement.matches('form')")
    tab.keyboard.press("Enter")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")


def test_enter_on_the_upload_of_a_photo_does_not_cancel_it(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage/edit")
    held: list[Any] = []
    tab.route("**/mypage/photo", lambda route: held.append(route))
    tab.locator("#photo-form [type=file]").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": oriented_photo(1)}
    )
    button(tab, "Use this photo").focus()
    hold(tab, "Enter", lambda: held)
    tab.keyboard.press("Enter")
    cancel = button(tab, "Cancel")
    expect(cancel).to_be_visible()
    expect(cancel).not_to_be_focused()
    tab.keyboard.press("Tab")
    expect(cancel).to_be_focused()
    tab.keyboard.press("Enter")
    expect(cancel).to_be_hidden()
    assert tab.evaluate(ACTING) is None
    assert len(held) == 1
