"""Act once when a key is held or pressed again, and give what acts no focus that was elsewhere.

The keys are Chromium's own events. One that is held repeats itself, with autoRepeat, until what it does is seen and on.
"""

import re
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from app.notes.service import archive_note, delete_note
from app.todos import service
from tests.browser.controls import acts_once, button, hold, is_settled, posts_of, row, text, title
from tests.browser.site import Reader
from tests.browser.window import Switch, Window
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
def test_held_or_pressed_twice_on_a_tick_it_completes_one(tab: Tab, reader: Reader) -> None:
    """The second time comes after the list has changed, or at once."""
    button(tab, COMPLETE.format(2)).focus()
    hold(tab, "Enter", shows(tab, 7))
    settle(tab, 7)
    expect(tab.locator("#live")).to_have_text(re.compile("todo 2.* completed"))
    for number, key, is_late, left in ((4, "Enter", True, 6), (6, "Space", False, 5)):
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
    stops = (button(tab, "Undo"), tab.get_by_role("link", name="Close message"), button(tab, COMPLETE.format(3)))
    for key, way in (("Tab", stops), ("Shift+Tab", stops[1::-1]), ("Shift+Tab", (row(tab, "todo 3"),)), ("Tab", stops)):
        for stop in way:
            tab.keyboard.press(key)
            expect(stop).to_be_focused()
    button(tab, COMPLETE.format(8)).press("Enter")
    expect(row(tab, "todo 7")).to_be_focused()  # it was the last one


def test_of_the_last_one_the_focus_is_on_the_list(window: Window, reader: Reader) -> None:
    reader.add("todo 1")
    tab = window.open("/todos")
    button(tab, COMPLETE.format(1)).press("Enter")
    expect(tab.get_by_role("region", name="Your todos")).to_be_focused()


def test_what_acts_gets_no_focus_and_what_was_done_is_said(window: Window, reader: Reader, tab: Tab) -> None:
    for size, name, said in (
        ("desk", "Complete: todo 1", "todo 1.* completed"),
        ("desk", "Move down: todo 7", "Moved down: todo 7"),  # to the end
        ("phone", "Delete: todo 3", "todo 3.* deleted"),  # in a menu
        ("phone", "Move up: todo 4", "Moved up: todo 4"),  # to the top
    ):
        window.emulate("light", size)
        window.open("/todos")
        if size == "phone":
            button(tab, f"More: {name.partition(': ')[2]}").press("Enter")
        were = reader.todos()
        button(tab, name).press("Enter")
        expect(tab.locator("#live")).to_have_text(re.compile(said))
        wait_until(lambda were=were: reader.todos() != were, "it is stored")  # type: ignore[misc]
        before = reader.todos()
        assert tab.evaluate(ACTING) is None, name
        assert tab.evaluate("document.activeElement !== document.body"), "the place is lost"
        tab.keyboard.press("Enter")
        tab.keyboard.press("Space")
        wait_until(lambda: is_settled(tab), "nothing waits")
        assert reader.todos() == before, name


def test_the_menu_that_moves_a_row_stays_open_with_its_focus(window: Window, reader: Reader, tab: Tab) -> None:
    def above(moved: str) -> str:
        return reader.todos()[reader.todos().index(moved) - 1]

    for width, moved, others in ((320, "todo 5", ("todo 6", "todo 7")), (390, "todo 2", ("todo 3", "todo 4"))):
        window.set_width(width)
        window.open("/todos")
        button(tab, f"More: {moved}").press("Enter")
        down = button(tab, f"Move down: {moved}")
        down.focus()
        for other in others:
            tab.keyboard.press("Enter")
            wait_until(lambda moved=moved, other=other: above(moved) == other, "it moves")  # type: ignore[misc]
            expect(tab.locator("#live")).to_have_text(f"Moved down: {moved}")
            settle(tab, 8)
            expect(down).to_be_visible()
            expect(down).to_be_focused()
            tab.evaluate("document.getElementById('live').textContent = ''")


def test_offline_a_second_tick_takes_the_first_back(tab: Tab, reader: Reader, offline: Switch) -> None:
    before = reader.todos()
    offline(True)
    for is_done in ("true", "false"):
        button(tab, COMPLETE.format(3)).click()
        expect(button(tab, COMPLETE.format(3))).to_have_attribute("aria-pressed", is_done)
    offline(False)
    wait_until(lambda: is_settled(tab), "both are sent")
    assert reader.todos() == before


def test_a_press_that_takes_the_focus_from_the_new_one_hits_what_it_is_on(tab: Tab, reader: Reader) -> None:
    """The days to choose from go, and the list moves up, after it."""
    tab.get_by_role("textbox", name="New todo").click()
    today = tab.get_by_text("Today", exact=True).locator("visible=true").last
    expect(today).to_be_visible()
    button(tab, COMPLETE.format(1)).click()
    settle(tab, 7)
    assert done(reader) == {"todo 1", "done"}
    expect(tab.get_by_role("group", name="Due date")).to_be_hidden()


def test_a_filter_keeps_the_focus_and_says_what_is_shown(tab: Tab) -> None:
    for name, count, url in (("Today", 1, "show=today$"), ("Done", 1, "show=done$"), ("All", 8, "/todos$")):
        link = tab.get_by_role("navigation").get_by_role("link", name=re.compile(name))
        link.press("Enter")
        expect(link).to_have_attribute("aria-current", "page")
        expect(link).to_be_focused()
        expect(tab).to_have_url(re.compile(url))
        expect(tab.locator("#live")).to_have_text(f"{count} found")
    order = tab.get_by_role("combobox", name="Order")
    for key, url in (("ArrowDown", "sort=due$"), ("ArrowUp", "/todos$")):
        order.press(key)
        expect(tab).to_have_url(re.compile(url))
        expect(order).to_be_focused()
        expect(tab.locator("#live")).to_have_text("8 found")


def test_what_was_done_is_taken_back_only_when_asked_for_and_undo_leads_there(tab: Tab, reader: Reader) -> None:
    before = reader.todos()
    place = before.index("todo 3")
    for act, said, left in (("Delete", "deleted", []), ("Complete", "completed", ["✓ todo 3"])):
        button(tab, f"{act}: todo 3").press("Enter")
        expect(tab.locator(".message", has_text=re.compile(f"todo 3.* {said}"))).to_be_visible()
        expect(row(tab, "todo 4")).to_be_focused()
        assert reader.todos() == [*before[:place], *left, *before[place + 1 :]]
        button(tab, "Undo").focus()
        hold(tab, "Enter", shows(tab, 8))
        expect(row(tab, "todo 3")).to_be_focused()
        tab.keyboard.press("Enter")
        settle(tab, 8)
        expect(button(tab, "Undo")).to_have_count(0)
        assert reader.todos() == before, "it is in its place"


def test_of_several_that_are_ticked_the_last_one_can_be_undone_until_it_is_ticked_again(tab: Tab) -> None:
    for number, left in ((2, 7), (3, 6)):
        button(tab, COMPLETE.format(number)).click()
        settle(tab, left)
        expect(tab.locator("#messages .message")).to_have_text([re.compile(f"todo {number}.* completed")])
    tab.get_by_text("Done 3").click()
    button(tab, COMPLETE.format(3)).click()
    settle(tab, 7)
    expect(tab.locator("#messages .message")).to_have_count(0)


def test_what_was_cleared_comes_back_only_when_asked_for(tab: Tab, reader: Reader) -> None:
    before = reader.todos()
    tab.get_by_text("Done 1").click()
    button(tab, "Delete all completed todos").focus()
    hold(tab, "Enter", lambda: button(tab, "Undo").count())
    assert tab.evaluate(ACTING) is None
    tab.keyboard.press("Enter")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert done(reader) == set()
    expect(button(tab, "Delete all completed todos")).to_have_count(0)
    button(tab, "Undo").click()
    wait_until(lambda: reader.todos() == before, "they are in their places")


def test_a_double_click_or_tap_completes_one(tab: Tab, reader: Reader) -> None:
    """The second comes before the list has changed, or after: to another one that stands there by then."""
    for kind, number, is_late, left in (("mouse", 2, False, 7), ("mouse", 7, True, 6), ("touch", 3, False, 5),
                                        ("touch", 5, True, 4)):  # fmt: skip
        box, now = button(tab, COMPLETE.format(number)).bounding_box(), time.time()
        click(tab, box, 1, kind, now)
        if is_late:
            wait_until(shows(tab, left), "the list has changed")
        click(tab, box, 2, kind, now + 0.2)
        settle(tab, left)
    assert done(reader) == {"todo 2", "todo 7", "todo 3", "todo 5", "done"}


def click(tab: Tab, box: Any, count: int, kind: str, moment: float) -> None:
    """Click or tap the middle of a box. A touch tells when it was, in seconds since 1970."""
    assert box
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    if kind == "touch":
        session = tab.context.new_cdp_session(tab)
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [place], "timestamp": moment})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": [], "timestamp": moment + 0.01})
        return
    tab.mouse.move(place["x"], place["y"])
    tab.mouse.down(click_count=count)
    tab.mouse.up(click_count=count)


def test_of_the_notes_one_is_put_away_or_comes_back(window: Window, reader: Reader) -> None:
    ids = [reader.write(f"note {number}", f"note {number}") for number in range(1, 6)]
    with reader.app():
        delete_note(reader.id, ids[3])
    tab = window.tab
    posts = posts_of(tab)
    left_for: list[Any] = []
    tab.on("framenavigated", lambda frame: left_for.append(frame))
    for path, name, is_held, left in (
        ("/notes", "Move to trash: note 2", True, {1, 3, 5}),
        ("/notes", "Move to archive: note 1", False, {3, 5}),
        ("/notes/trash", "Restore: note 4", True, {3, 4, 5}),
    ):
        window.open(path)
        posts.clear()
        left_for.clear()
        if is_held:
            button(tab, name).focus()
            hold(tab, "Enter", lambda: left_for)
        else:
            button(tab, name).dblclick()
        expect(tab.locator(".message").filter(has_text="note ")).to_be_visible()
        assert len(posts) == 1, name
        assert set(reader.notes()) == {f"note {number}" for number in left}, name


@pytest.fixture
def places(reader: Reader) -> dict[str, int]:
    """Make what the journeys below begin with, and return what their paths are filled in with."""
    reader.add("todo 2", "todo 1")
    ids = {name: reader.write("- [ ] milk", name) for name in ("note", "trashed", "archived")}
    with reader.app():
        service.change_todo(reader.id, service.create_todo(reader.id, "done"), completed=True)
        delete_note(reader.id, ids["trashed"])
        archive_note(reader.id, ids["archived"], archived=True)
    reader.sign_in()
    return ids


JOURNEYS = [
    *(("/todos", name) for name in ("Complete: todo 1", "Move down: todo 1", "Delete: todo 1")),
    *(("/todos?q=todo", name) for name in ("Complete: todo 2", "Delete: todo 2")),
    ("/todos?show=done", "Delete all completed todos"),
    *(("/notes", name) for name in ("Pin: note", "Move to archive: note", "Move to trash: note")),
    *(("/notes?all=1", f"{name}$") for name in ("Pin", "Unpin", "Move to archive", "Move to trash")),
    ("/notes/{note}", "milk"),
    ("/notes/{note}", "Move to trash"),
    ("/notes/trash", "Restore: trashed"),
    ("/notes/archive", "Unarchive: archived"),
    ("/mypage/edit", "Save"),
    ("/mypage/devices", "Sign out"),
    ("/mypage", "Dark"),
]


@pytest.mark.parametrize(("path", "name"), JOURNEYS)
def test_entered_twice_at_once_and_again_later_each_control_acts_once(
    window: Window, places: dict[str, int], path: str, name: str
) -> None:
    acts_once(window.open(path.format_map(places)), name)


def test_entered_again_while_the_answer_is_under_way_it_is_sent_once(window: Window) -> None:
    tab = window.open("/mypage/edit")
    tab.route("**/mypage/nickname", lambda route: None)  # the answer never comes
    save = tab.get_by_label("Nickname").locator("xpath=ancestor::form").get_by_role("button", name="Save")
    # Counted in the page itself, since Playwright waits for the next page as soon as one is under way.
    sent = save.evaluate("""button => new Promise(told => {
      let sent = 0;
      document.addEventListener("submit", () => (sent += 1));
      button.click();
      setTimeout(() => { button.click(); told(sent); }, 500);  // later than a double click
    })""")
    assert sent == 1


def test_held_on_a_task_of_a_note_it_is_done_once(window: Window, reader: Reader) -> None:
    note_id = reader.write("- [ ] milk\n- [ ] bread")
    tab = window.open(f"/notes/{note_id}")
    button(tab, "milk").focus()
    hold(tab, "Enter", lambda: button(tab, "milk").get_attribute("aria-pressed") == "true")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert reader.notes() == ["- [x] milk\n- [ ] bread"]


def test_a_form_is_sent_once(window: Window) -> None:
    tab = window.open("/mypage/tokens")
    name = tab.get_by_role("textbox", name="Name")
    name.fill("backup")
    tab.get_by_role("checkbox", name="Read notes").check()
    posts = posts_of(tab)
    name.focus()
    tab.keyboard.press("Enter")
    hold(tab, "Enter", tab.get_by_text("sc_").count)
    expect(tab.get_by_text("sc_")).to_be_visible()
    assert len(posts) == 1


def test_enter_held_in_the_title_leads_to_the_text_and_writes_and_saves_nothing(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    title(tab).focus()
    hold(tab, "Enter", lambda: tab.evaluate("document.activeElement.matches('textarea')"))
    expect(text(tab)).to_have_value("")
    assert reader.notes() == []
    hold(tab, "Enter", lambda: len(text(tab).input_value()) > 3, more=0)
