"""Todos: with scripts the list changes in its place, without them page by page. The result is the same."""

import re
from datetime import date

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.todos import listing, service
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window
from tests.waiting import wait_until

Todos = list[tuple[str, bool]]  # what, and whether it is done, from the top


@pytest.fixture
def empty(any_window: Window) -> Tab:
    """Open the page of a reader without todos."""
    tab = any_window.tab
    tab.goto(f"{any_window.url}/todos")
    tab.evaluate("window.isStillHere = true")
    return tab


@pytest.fixture
def tab(site: Site, reader: Reader, empty: Tab) -> Tab:
    """Open the page with three todos, newest first. The last one is done."""
    with site.app.app_context():
        ids = [service.create_todo(reader.id, what) for what in ("three", "two", "one")]
        service.change_todo(reader.id, ids[0], completed=True)
    empty.reload()
    empty.evaluate("window.isStillHere = true")
    return empty


def stored(site: Site, reader: Reader) -> Todos:
    with site.app.app_context():
        return [(todo.description, todo.completed) for todo in listing.list_todos(reader.id).todos]


def is_still_here(tab: Tab) -> bool:
    """Tell whether the page was not reloaded."""
    found: bool = tab.evaluate("window.isStillHere ?? false")
    return found


def button(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("button", name=name, exact=True)


def row(tab: Tab, what: str) -> Locator:
    return tab.get_by_role("listitem").filter(has_text=what)


def expect_todos(tab: Tab, *names: str) -> None:
    """Wait until the list is this one."""
    expect(tab.locator("#todos li bdi")).to_have_text(list(names))


def editor(tab: Tab) -> Locator:
    return tab.get_by_role("listitem").get_by_role("textbox", name="Todo")


@pytest.mark.smoke
def test_three_are_added_by_enter_one_after_the_other(
    empty: Tab, site: Site, reader: Reader, has_scripts: bool
) -> None:
    field = empty.get_by_role("textbox", name="New todo")
    field.focus()
    for what in ("우유", "책 반납", "<b>산책</b>"):
        empty.keyboard.type(what)
        empty.keyboard.press("Enter")
        expect(button(empty, f"Complete: {what}")).to_be_visible()
        expect(field).to_be_focused()
        expect(field).to_have_value("")
    expect_todos(empty, "<b>산책</b>", "책 반납", "우유")
    expect(empty.get_by_text("3 left")).to_be_visible()
    assert [what for what, _ in stored(site, reader)] == ["<b>산책</b>", "책 반납", "우유"]
    assert is_still_here(empty) is has_scripts


@pytest.mark.smoke
def test_one_is_ticked_off_and_opened_again(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    tick = button(tab, "Complete: two")
    tick.click()
    expect(tab.get_by_text("1 left")).to_be_visible()
    expect(tick).to_be_hidden()
    assert ("two", True) in stored(site, reader)
    if has_scripts:
        expect(row(tab, "one")).to_be_focused()
        expect(tab.get_by_text("Done: two")).to_have_count(1)
    tab.get_by_text("Done 2").click()
    expect(tick).to_have_attribute("aria-pressed", "true")
    tick.click()
    expect(tick).to_have_attribute("aria-pressed", "false")
    expect(tab.get_by_text("2 left")).to_be_visible()
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]
    assert is_still_here(tab) is has_scripts


def test_one_is_edited_in_its_place(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    tab.get_by_role("link", name="Edit: two").click()
    expect(editor(tab)).to_be_focused()
    expect(editor(tab)).to_have_value("two")
    if has_scripts:  # which go on behind the text
        tab.keyboard.type("!")
        expect(editor(tab)).to_have_value("two!")
    editor(tab).fill("둘")
    tab.keyboard.press("Enter")
    expect_todos(tab, "one", "둘", "three")
    if has_scripts:
        expect(tab.get_by_role("link", name="Edit: 둘")).to_be_focused()
    assert stored(site, reader) == [("one", False), ("둘", False), ("three", True)]
    assert is_still_here(tab) is has_scripts


def test_an_edit_is_given_up(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    tab.get_by_role("link", name="Edit: two").click()
    editor(tab).fill("not this")
    if has_scripts:
        tab.keyboard.press("Escape")
        expect_todos(tab, "one", "two", "three")
        expect(tab.get_by_role("link", name="Edit: two")).to_be_focused()
    else:
        tab.get_by_role("link", name="Cancel").click()
        expect_todos(tab, "one", "two", "three")
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]
    assert is_still_here(tab) is has_scripts


def test_one_is_moved_by_buttons_that_keep_the_focus(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    down = button(tab, "Move down: one")
    down.focus()
    tab.keyboard.press("Enter")
    expect_todos(tab, "two", "one", "three")
    expect(down).to_be_hidden()  # there is no farther among the open ones
    up = button(tab, "Move up: one")
    if has_scripts:
        expect(row(tab, "one")).to_be_focused()  # the other one would take it back
    up.press("Enter")
    expect_todos(tab, "one", "two", "three")
    assert [what for what, _ in stored(site, reader)] == ["one", "two", "three"]
    assert is_still_here(tab) is has_scripts


def test_one_is_dragged_to_the_place_of_another(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        for what in ("four", "three", "two", "one"):
            service.create_todo(reader.id, what)
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    tab.get_by_role("listitem").filter(has_text="four").hover()
    tab.evaluate("for (const row of document.querySelectorAll('#todos li')) row.dataset.dragged = ''")
    drag(tab, "four", "two")
    expect_todos(tab, "one", "four", "two", "three")
    expect(tab.locator("[data-dragged]")).to_have_count(0)  # the server's list has taken the place of this one
    expect(tab.locator(".grip")).to_have_count(4)
    drag(tab, "one", "three")
    expect_todos(tab, "four", "two", "three", "one")
    wait_until(
        lambda: [what for what, _ in stored(site, reader)] == ["four", "two", "three", "one"], "the server has it too"
    )


def drag(tab: Tab, what: str, onto: str) -> None:
    rows = tab.get_by_role("listitem")
    start = rows.filter(has_text=what).locator(".grip").bounding_box()
    end = rows.filter(has_text=onto).bounding_box()
    assert start
    assert end
    tab.mouse.move(start["x"] + 5, start["y"] + 15)
    tab.mouse.down()
    for y in (start["y"] + 20, end["y"] + end["height"] / 2):
        tab.mouse.move(start["x"] + 5, y)
    tab.mouse.up()


def test_on_a_phone_each_is_one_line_and_the_rest_is_behind_a_button(
    window: Window, site: Site, reader: Reader
) -> None:
    with site.app.app_context():
        for what in ("책 반납", "우유 두 병", "저녁 산책"):
            service.create_todo(reader.id, what, date(2026, 11, 21))
    window.emulate("light", "phone")
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    heights = tab.evaluate("[...document.querySelectorAll('#todos li')].map(row => row.offsetHeight)")
    assert max(heights) <= 56, heights
    delete = button(tab, "Delete: 책 반납")
    expect(delete).to_be_hidden()
    tab.get_by_role("listitem").filter(has_text="책 반납").locator("summary").click()
    delete.click()
    expect_todos(tab, "저녁 산책", "우유 두 병")


def test_a_new_one_is_due_on_the_day_that_is_chosen_by_name(any_window: Window, site: Site, reader: Reader) -> None:
    tab = any_window.tab
    tab.goto(f"{any_window.url}/todos")
    tab.get_by_role("textbox", name="New todo").fill("우유")
    tab.get_by_text("Tomorrow", exact=True).click()
    button(tab, "Add").click()
    expect(tab.get_by_role("listitem").get_by_text("Due tomorrow")).to_be_visible()
    expect(tab.get_by_role("radio", name="No date")).to_be_checked()


def test_of_a_day_by_name_and_one_of_the_calendar_the_last_choice_counts(window: Window, reader: Reader) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    day = tab.get_by_label("Due date").locator("visible=true")
    tab.get_by_role("textbox", name="New todo").fill("우유")
    tab.get_by_text("Pick a date", exact=True).click()
    day.fill("2027-05-05")
    expect(tab.get_by_role("radio", name="No date")).not_to_be_checked()
    tab.get_by_text("Tomorrow", exact=True).click()
    expect(day).to_have_value("")
    button(tab, "Add").click()
    expect(tab.get_by_role("listitem").get_by_text("Due tomorrow")).to_be_visible()


def test_undo_takes_its_message_away(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_todo(reader.id, "one")
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    tab.get_by_role("listitem").filter(has_text="one").hover()
    button(tab, "Delete: one").click()
    button(tab, "Undo").click()
    expect(tab.get_by_role("listitem").filter(has_text="one")).to_be_visible()
    expect(button(tab, "Undo")).to_have_count(0)


def test_a_deleted_one_comes_back_to_its_place(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    button(tab, "Delete: two").click()
    expect_todos(tab, "one", "three")
    expect(tab.locator(".message", has_text=re.compile("two.* deleted"))).to_be_visible()
    assert [what for what, _ in stored(site, reader)] == ["one", "three"]
    assert is_still_here(tab) is has_scripts
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]


def test_the_done_ones_are_cleared_and_come_back(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    tab.get_by_text("Done 1").click()
    button(tab, "Delete all completed todos").click()
    expect_todos(tab, "one", "two")
    expect(button(tab, "Delete all completed todos")).to_have_count(0)
    assert is_still_here(tab) is has_scripts
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]


def test_the_filter_is_an_address(any_window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        done = service.create_todo(reader.id, "done")
        service.change_todo(reader.id, done, completed=True)
        service.create_todo(reader.id, "open")
        service.create_todo(reader.id, "late", date(2026, 11, 21))
    tab = any_window.tab
    tab.goto(f"{any_window.url}/todos")
    expect_todos(tab, "late", "open", "done")
    which = tab.get_by_role("navigation", name="Which todos to show")
    for name, address, names in (("Today", r"\?show=today", ["late"]), ("Done", r"\?show=done", ["done"])):
        which.get_by_role("link", name=name).click()
        expect(tab).to_have_url(re.compile(f"/todos{address}$"))
        expect_todos(tab, *names)
        expect(which.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
    which.get_by_role("link", name="All").click()
    expect_todos(tab, "late", "open", "done")


def test_an_icon_that_is_pointed_at_says_its_name(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        for what in ("one", "zero"):
            service.create_todo(reader.id, what)
    window.tab.goto(f"{window.url}/todos")
    for icon in (
        window.tab.get_by_role("button", name="Move up: one", exact=True),
        window.tab.get_by_role("button", name="Delete: one", exact=True),
    ):
        expect(icon).not_to_have_attribute("title", re.compile("one"))
        icon.hover()
        expect(icon).to_have_attribute("title", re.compile("^(Move up|Delete): one$"))


def test_the_empty_list_leads_to_the_field(empty: Tab) -> None:
    empty.get_by_role("link", name="Write a todo").click()
    expect(empty.get_by_role("textbox", name="New todo")).to_be_focused()
