"""Act once when a key is held or pressed again, and give what acts no focus that was elsewhere.

The keys are Chromium's own events. One that is held repeats itself, with autoRepeat, until what it does is seen and on.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from app.notes.service import archive_note, delete_note
from app.todos import service
from tests.browser.controls import button, hold, is_settled, posts_of, row, text, title
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.photos.photo_files import oriented_photo
from tests.waiting import wait_until

# What the next Enter or Space would act on. A link leads to a page, and changes nothing.
ACTING = "document.activeElement.matches('button, input, select, textarea, summary') ? document.activeElement.id : null"
COMPLETE = "Complete: todo {}"


@pytest.fixture
def tab(window: Window, reader: Reader) -> Tab:
    """Open eight todos, "todo 1" on top; one more is done, and "todo 1" is due."""
    reader.add(*(f"todo {number}" for number in range(8, 1, -1)))
    reader.add("todo 1", due_on=date(2026, 11, 21))
    with reader.app():
        service.change_todo(reader.id, service.create_todo(reader.id, "done"), completed=True)
    return window.open("/todos")


def done(reader: Reader) -> set[str]:
    return {todo.removeprefix("✓ ") for todo in reader.todos() if todo.startswith("✓ ")}


def shows(tab: Tab, count: int) -> Callable[[], bool]:
    return lambda: tab.locator("#todos > .list li").count() == count


def settle(tab: Tab, count: int) -> None:
    wait_until(lambda: shows(tab, count)() and is_settled(tab), "the list has changed")


@pytest.mark.smoke
def test_held_on_a_tick_it_completes_one(tab: Tab, reader: Reader) -> None:
    button(tab, COMPLETE.format(2)).focus()
    hold(tab, "Enter", shows(tab, 7))
    settle(tab, 7)
    assert done(reader) == {"todo 2", "done"}
    expect(tab.locator("#live")).to_have_text("Done: todo 2")


def test_pressed_twice_on_a_tick_it_completes_one(tab: Tab, reader: Reader) -> None:
    """The second time after the list has changed, or at once."""
    for number, key, is_late, left in ((2, "Enter", True, 7), (4, "Space", False, 6), (6, "Enter", False, 5)):
        button(tab, COMPLETE.format(number)).focus()
        tab.keyboard.press(key)
        if is_late:
            wait_until(shows(tab, left), "the list changes")
        tab.keyboard.press(key)
        settle(tab, left)
    assert done(reader) == {"todo 2", "todo 4", "todo 6", "done"}


def test_the_place_in_the_list_is_kept(tab: Tab) -> None:
    button(tab, COMPLETE.format(2)).press("Enter")
    expect(row(tab, "todo 3")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(button(tab, COMPLETE.format(3))).to_be_focused()
    button(tab, COMPLETE.format(8)).press("Enter")
    expect(row(tab, "todo 7")).to_be_focused()  # it was the last one


def test_of_the_last_one_the_focus_is_on_the_list(window: Window, reader: Reader) -> None:
    reader.add("todo 1")
    tab = window.open("/todos")
    button(tab, COMPLETE.format(1)).press("Enter")
    expect(tab.get_by_role("region", name="Your todos")).to_be_focused()


# Each with what says that the list has changed.
CONTROLS = {
    "Complete: todo 1": "Done: todo 1",
    "Delete: todo 3": "todo 3.* deleted",
    "Move up: todo 2": "Moved up: todo 2",  # to the top
    "Move down: todo 7": "Moved down: todo 7",  # to the end
}
IN_A_MENU = ("Delete: todo 3", "Move up: todo 2")  # on a phone


@pytest.mark.parametrize(
    ("size", "name"), [*(("desk", name) for name in CONTROLS), *(("phone", name) for name in IN_A_MENU)]
)
def test_what_acts_gets_no_focus_and_what_was_done_is_said(
    window: Window, tab: Tab, reader: Reader, size: str, name: str
) -> None:
    window.emulate("light", size)
    if size == "phone":
        tab.evaluate("for (const menu of document.querySelectorAll('details.menu')) menu.open = true")
    were = reader.todos()
    button(tab, name).press("Enter")
    expect(tab.locator("#live")).to_have_text(re.compile(CONTROLS[name]))
    wait_until(lambda: reader.todos() != were, "it is stored")
    before = reader.todos()
    assert tab.evaluate(ACTING) is None
    assert tab.evaluate("document.activeElement !== document.body"), "the place is lost"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Space")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert reader.todos() == before


def test_a_filter_keeps_the_focus_and_says_what_is_shown(tab: Tab) -> None:
    for name, count in (("Today", 1), ("Done", 1), ("All", 8), ("By due date", 8), ("My order", 8)):
        link = tab.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        link.press("Enter")
        expect(link).to_have_attribute("aria-current", "page" if name in ("Today", "Done", "All") else "true")
        expect(link).to_be_focused()
        expect(tab).to_have_url(re.compile({"Today": "show=today", "Done": "show=done"}.get(name, "/todos")))
        expect(tab.locator("#live")).to_have_text(re.compile(f"Todos shown: {count}"))


def test_what_was_deleted_comes_back_only_when_asked_for_and_undo_leads_there(tab: Tab, reader: Reader) -> None:
    button(tab, "Delete: todo 3").press("Enter")
    expect(row(tab, "todo 4")).to_be_focused()
    button(tab, "Undo").focus()
    hold(tab, "Enter", shows(tab, 8))
    expect(row(tab, "todo 3")).to_be_focused()
    tab.keyboard.press("Enter")
    settle(tab, 8)
    assert len(reader.todos()) == 9
    assert done(reader) == {"done"}

    tab.get_by_text("Done 1").click()
    button(tab, "Delete all completed todos").focus()
    hold(tab, "Enter", lambda: button(tab, "Undo").count())
    assert tab.evaluate(ACTING) is None
    tab.keyboard.press("Enter")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert done(reader) == set()


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_double_click_or_tap_completes_one(tab: Tab, reader: Reader, kind: str) -> None:
    """The second comes before the list has changed, or after: to another one that stands there by then."""
    for number, left in ((2, 7), (7, 6)):
        box = button(tab, COMPLETE.format(number)).bounding_box()
        click(tab, box, 1, kind)
        if number == 7 and kind == "mouse":  # of a touch, the time tells
            wait_until(shows(tab, left), "the list has changed")
        click(tab, box, 2, kind)
        settle(tab, left)
    assert done(reader) == {"todo 2", "todo 7", "done"}


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


def test_of_the_notes_one_is_put_away_or_comes_back(window: Window, reader: Reader) -> None:
    ids = [reader.write(f"note {number}", f"note {number}") for number in range(1, 8)]
    with reader.app():
        delete_note(reader.id, ids[3])
        for note_id in ids[5:]:
            archive_note(reader.id, note_id, archived=True)
    tab = window.tab
    posts = posts_of(tab)
    left_for: list[Any] = []
    tab.on("framenavigated", lambda frame: left_for.append(frame))
    for way, path, name, left in (
        ("held", "/notes", "Move to trash: note 2", {1, 3, 5}),
        ("twice", "/notes", "Move to trash: note 3", {1, 5}),
        ("double click", "/notes", "Move to archive: note 1", {5}),
        ("held", "/notes/trash", "Restore: note 4", {4, 5}),
        ("twice", "/notes/archive", "Unarchive: note 6", {4, 5, 6}),
    ):
        window.open(path)
        posts.clear()
        left_for.clear()
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
        assert len(posts) == 1, name
        assert set(reader.notes()) == {f"note {number}" for number in left}, name


def test_held_on_a_task_of_a_note_it_is_done_once(window: Window, reader: Reader) -> None:
    note_id = reader.write("- [ ] milk\n- [ ] bread")
    tab = window.open(f"/notes/{note_id}")
    button(tab, "milk").focus()
    hold(tab, "Enter", lambda: button(tab, "milk").get_attribute("aria-pressed") == "true")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert reader.notes() == ["- [x] milk\n- [ ] bread"]


@pytest.mark.parametrize("way", ["held", "twice"])
def test_a_form_is_sent_once(window: Window, way: str) -> None:
    tab = window.open("/mypage/tokens")
    name = tab.get_by_role("textbox", name="Name")
    name.fill("backup")
    tab.get_by_role("checkbox", name="Read notes").check()
    posts = posts_of(tab)
    name.focus()
    if way == "held":
        hold(tab, "Enter", tab.get_by_text("sc_").count)
    else:
        tab.keyboard.press("Enter")
        tab.keyboard.press("Enter")
    expect(tab.get_by_text("sc_")).to_be_visible()
    assert len(posts) == 1


@pytest.mark.parametrize(("path", "key", "role"), [("/notes", "n", "textbox"), ("/mypage", "/", "searchbox")])
def test_a_letter_that_leads_to_a_field_is_not_written_there(window: Window, path: str, key: str, role: Any) -> None:
    tab = window.open(path)
    field = tab.get_by_role(role, name="Title" if key == "n" else None).first
    hold(tab, key, lambda: tab.locator("input:focus").count())
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    tab.keyboard.down("a")
    tab.keyboard.down("a")
    tab.keyboard.up("a")
    expect(field).to_have_value("aa")  # what is held in a field is written on


def test_enter_held_in_the_title_writes_no_lines_into_the_text(window: Window) -> None:
    tab = window.open("/notes")
    title(tab).focus()
    hold(tab, "Enter", lambda: tab.evaluate("document.activeElement.matches('textarea')"))
    expect(text(tab)).to_have_value("")
    hold(tab, "Enter", lambda: len(text(tab).input_value()) > 3, more=0)


def test_enter_on_the_upload_of_a_photo_does_not_cancel_it(window: Window) -> None:
    tab = window.open("/mypage/edit")
    held: list[Any] = []
    tab.route("**/mypage/photo", lambda route: held.append(route))
    photo: Any = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": oriented_photo(1)}
    tab.locator("#photo-form [type=file]").set_input_files(photo)
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
