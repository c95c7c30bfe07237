"""Todos: with scripts the list changes in its place, without them page by page. The result is the same."""

import re
from datetime import date

import pytest
from playwright.sync_api import Locator, Route, expect
from playwright.sync_api import Page as Tab

from app.todos import service
from tests.browser.controls import button, row
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.waiting import wait_until


@pytest.fixture
def three(reader: Reader) -> None:
    """Store three todos, newest first. The last one is done."""
    with reader.app():
        service.change_todo(reader.id, service.create_todo(reader.id, "three"), completed=True)
    reader.add("two", "one")


@pytest.fixture
def tab(any_window: Window, three: None) -> Tab:
    """Open the page with the three todos."""
    return opened(any_window)


def opened(window: Window) -> Tab:
    tab = window.open("/todos")
    tab.evaluate("window.isStillHere = true")
    return tab


def is_still_here(tab: Tab) -> bool:
    """Tell whether the page was not reloaded."""
    found: bool = tab.evaluate("window.isStillHere ?? false")
    return found


def expect_todos(tab: Tab, *names: str) -> None:
    """Wait until the list is this one."""
    expect(tab.locator("#todos li bdi")).to_have_text(list(names))


def edit(tab: Tab, what: str) -> Locator:
    return tab.get_by_role("link", name=f"Edit: {what}")


def editor(tab: Tab) -> Locator:
    return tab.get_by_role("listitem").get_by_role("textbox", name="Todo")


def field(tab: Tab) -> Locator:
    return tab.get_by_role("textbox", name="New todo")


def add(tab: Tab, what: str) -> None:
    field(tab).fill(what)
    field(tab).press("Enter")


@pytest.mark.smoke
def test_three_are_added_by_enter_one_after_the_other(any_window: Window, reader: Reader, has_scripts: bool) -> None:
    tab = opened(any_window)
    tab.get_by_role("link", name="Write a todo").click()  # the empty list leads to the field
    expect(field(tab)).to_be_focused()
    for what in ("우유", "책 반납", "<b>산책</b>"):
        tab.keyboard.type(what)
        tab.keyboard.press("Enter")
        expect(button(tab, f"Complete: {what}")).to_be_visible()
        expect(field(tab)).to_be_focused()
        expect(field(tab)).to_have_value("")
    expect_todos(tab, "<b>산책</b>", "책 반납", "우유")
    expect(tab.get_by_text("3 left")).to_be_visible()
    assert reader.todos() == ["<b>산책</b>", "책 반납", "우유"]
    assert is_still_here(tab) is has_scripts


@pytest.mark.smoke
def test_one_is_ticked_off_and_opened_again(tab: Tab, reader: Reader, has_scripts: bool) -> None:
    tick = button(tab, "Complete: two")
    tick.click()
    expect(tab.get_by_text("1 left")).to_be_visible()
    expect(tick).to_be_hidden()
    assert "✓ two" in reader.todos()
    if has_scripts:
        expect(row(tab, "one")).to_be_focused()
        expect(tab.get_by_text("Done: two")).to_have_count(1)
    tab.get_by_text("Done 2").click()
    expect(tick).to_have_attribute("aria-pressed", "true")
    tick.click()
    expect(tick).to_have_attribute("aria-pressed", "false")
    expect(tab.get_by_text("2 left")).to_be_visible()
    assert reader.todos() == ["one", "two", "✓ three"]
    assert is_still_here(tab) is has_scripts


def test_one_is_edited_in_its_place_or_the_edit_given_up(tab: Tab, reader: Reader, has_scripts: bool) -> None:
    edit(tab, "two").click()
    editor(tab).fill("not this")
    if has_scripts:
        tab.keyboard.press("Escape")
        expect(edit(tab, "two")).to_be_focused()
    else:
        tab.get_by_role("link", name="Cancel").click()
    expect_todos(tab, "one", "two", "three")
    assert reader.todos() == ["one", "two", "✓ three"]

    edit(tab, "two").click()
    expect(editor(tab)).to_be_focused()
    expect(editor(tab)).to_have_value("two")
    if has_scripts:  # which go on behind the text
        tab.keyboard.type("!")
        expect(editor(tab)).to_have_value("two!")
    editor(tab).fill("둘")
    tab.keyboard.press("Enter")
    expect_todos(tab, "one", "둘", "three")
    if has_scripts:
        expect(edit(tab, "둘")).to_be_focused()
    assert reader.todos() == ["one", "둘", "✓ three"]
    assert is_still_here(tab) is has_scripts


@pytest.mark.usefixtures("three")
def test_deleted_ones_come_back_to_their_place(window: Window, reader: Reader) -> None:
    tab = opened(window)
    button(tab, "Delete: two").click()
    expect_todos(tab, "one", "three")
    expect(tab.locator(".message", has_text=re.compile("two.* deleted"))).to_be_visible()
    assert reader.todos() == ["one", "✓ three"]
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    expect(button(tab, "Undo")).to_have_count(0)
    assert reader.todos() == ["one", "two", "✓ three"]

    tab.get_by_text("Done 1").click()
    button(tab, "Delete all completed todos").click()
    expect_todos(tab, "one", "two")
    expect(button(tab, "Delete all completed todos")).to_have_count(0)
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    assert reader.todos() == ["one", "two", "✓ three"]
    assert is_still_here(tab)


def test_one_is_dragged_to_the_place_of_another(window: Window, reader: Reader) -> None:
    reader.add("four", "three", "two", "one")
    tab = window.open("/todos")
    row(tab, "four").hover()
    tab.evaluate("for (const row of document.querySelectorAll('#todos li')) row.dataset.dragged = ''")
    drag(tab, "four", "two")
    expect_todos(tab, "one", "four", "two", "three")
    expect(tab.locator("[data-dragged]")).to_have_count(0)  # the server's list has taken the place of this one
    expect(tab.locator(".grip")).to_have_count(4)
    drag(tab, "one", "three")
    expect_todos(tab, "four", "two", "three", "one")
    wait_until(lambda: reader.todos() == ["four", "two", "three", "one"], "the server has it too")


def drag(tab: Tab, what: str, onto: str) -> None:
    start, end = row(tab, what).locator(".grip").bounding_box(), row(tab, onto).bounding_box()
    assert start
    assert end
    tab.mouse.move(start["x"] + 5, start["y"] + 15)
    tab.mouse.down()
    for y in (start["y"] + 20, end["y"] + end["height"] / 2):
        tab.mouse.move(start["x"] + 5, y)
    tab.mouse.up()


def test_on_a_phone_each_is_one_line_and_the_rest_is_behind_a_button(window: Window, reader: Reader) -> None:
    reader.add("책 반납", "우유 두 병", "저녁 산책", due_on=date(2026, 11, 21))
    window.emulate("light", "phone")
    tab = window.open("/todos")
    heights = tab.evaluate("[...document.querySelectorAll('#todos li')].map(row => row.offsetHeight)")
    assert max(heights) <= 56, heights
    delete = button(tab, "Delete: 책 반납")
    expect(delete).to_be_hidden()
    row(tab, "책 반납").locator("summary").click()
    delete.click()
    expect_todos(tab, "저녁 산책", "우유 두 병")


def test_a_new_one_is_due_on_the_day_that_was_chosen_last(window: Window) -> None:
    tab = window.open("/todos")
    field(tab).fill("우유")
    day = tab.get_by_label("Due date").locator("visible=true")
    tab.get_by_text("Pick a date", exact=True).click()
    day.fill("2027-05-05")
    expect(tab.get_by_role("radio", name="No date")).not_to_be_checked()
    tab.get_by_text("Tomorrow", exact=True).click()
    expect(day).to_have_value("")
    button(tab, "Add").click()
    expect(tab.get_by_role("listitem").get_by_text("Due tomorrow")).to_be_visible()
    expect(tab.get_by_role("radio", name="No date")).to_be_checked()


@pytest.mark.usefixtures("three")
def test_an_icon_that_is_pointed_at_says_its_name(window: Window) -> None:
    tab = window.open("/todos")
    for name in ("Move down: one", "Delete: one"):
        icon = button(tab, name)
        expect(icon).not_to_have_attribute("title", re.compile("one"))
        icon.hover()
        expect(icon).to_have_attribute("title", name)


@pytest.fixture
def editing(window: Window, reader: Reader) -> Tab:
    """Open the list of two todos, with the editor of "one" open and something typed there."""
    reader.add("two", "one")
    tab = window.open("/todos")
    edit(tab, "one").click()
    editor(tab).fill("one, in other words")
    return tab


def test_an_editor_stays_while_others_are_sent(editing: Tab, reader: Reader) -> None:
    tab = editing
    button(tab, "Complete: two").click()
    wait_until(lambda: reader.todos() == ["one", "✓ two"], "it is sent")
    expect(editor(tab)).to_have_value("one, in other words")
    add(tab, "three")
    wait_until(lambda: "three" in reader.todos(), "it is sent")
    expect(tab.locator(".waiting li bdi")).to_have_text(["three"])
    expect(editor(tab)).to_have_value("one, in other words")
    editor(tab).press("Enter")
    expect_todos(tab, "three", "one, in other words", "two")
    expect(tab.locator(".waiting li")).to_have_count(0)


def test_an_editor_is_saved_when_another_is_opened(editing: Tab, reader: Reader) -> None:
    edit(editing, "two").click()
    expect(editor(editing)).to_have_value("two")
    expect_todos(editing, "one, in other words")
    assert reader.todos() == ["one, in other words", "two"]


def test_an_editor_that_is_given_up_by_the_link_stores_nothing(editing: Tab, reader: Reader) -> None:
    editing.get_by_role("link", name="Cancel").click()
    expect_todos(editing, "one", "two")
    assert reader.todos() == ["one", "two"]


def test_an_editor_that_is_opened_while_another_is_sent_stays(window: Window, reader: Reader) -> None:
    reader.add("one")
    tab = window.open("/todos")
    held: list[Route] = []
    tab.route("**/todos", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    add(tab, "two")
    edit(tab, "one").click()
    expect(editor(tab)).to_have_value("one")
    held.pop().continue_()
    expect_todos(tab, "two")
    expect(editor(tab)).to_have_value("one")
