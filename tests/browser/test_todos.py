"""Todos: with scripts the list changes in its place, without them page by page. The result is the same."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.todos import listing, service
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window

Todos = list[tuple[str, bool]]  # what, and whether it is done, from the top


@pytest.fixture
def empty(any_window: Window) -> Tab:
    """The page of a reader without todos."""
    tab = any_window.tab
    tab.goto(f"{any_window.url}/todos")
    tab.evaluate("window.isStillHere = true")
    return tab


@pytest.fixture
def tab(site: Site, reader: Reader, empty: Tab) -> Tab:
    """The page with three todos, newest first. The last one is done."""
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
    """Whether the page was not reloaded."""
    found: bool = tab.evaluate("window.isStillHere ?? false")
    return found


def button(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("button", name=name, exact=True)


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
    expect(tick).to_have_attribute("aria-pressed", "true")
    expect(tab.get_by_text("1 left")).to_be_visible()
    assert ("two", True) in stored(site, reader)
    if has_scripts:
        expect(tick).to_be_focused()
        expect(tab.get_by_text("Done: two")).to_have_count(1)
    tick.click()
    expect(tick).to_have_attribute("aria-pressed", "false")
    expect(tab.get_by_text("2 left")).to_be_visible()
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]
    assert is_still_here(tab) is has_scripts


def test_one_is_edited_in_its_place(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    tab.get_by_role("link", name="Edit: two").click()
    expect(editor(tab)).to_be_focused()
    expect(editor(tab)).to_have_value("two")
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
    if has_scripts:
        expect(down).to_be_focused()
    down.press("Enter")
    expect_todos(tab, "two", "three", "one")
    expect(down).to_be_hidden()  # there is no farther
    up = button(tab, "Move up: one")
    if has_scripts:
        expect(up).to_be_focused()  # the nearest that there is to press
    up.press("Enter")
    expect_todos(tab, "two", "one", "three")
    assert [what for what, _ in stored(site, reader)] == ["two", "one", "three"]
    assert is_still_here(tab) is has_scripts


def test_a_deleted_one_comes_back_to_its_place(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    button(tab, "Delete: two").click()
    expect_todos(tab, "one", "three")
    expect(tab.locator(".message", has_text=re.compile("two.* is deleted"))).to_be_visible()
    assert [what for what, _ in stored(site, reader)] == ["one", "three"]
    assert is_still_here(tab) is has_scripts
    if has_scripts:
        expect(button(tab, "Undo")).to_be_focused()
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]


def test_the_done_ones_are_cleared_and_come_back(tab: Tab, site: Site, reader: Reader, has_scripts: bool) -> None:
    button(tab, "Delete all done todos").click()
    expect_todos(tab, "one", "two")
    expect(button(tab, "Delete all done todos")).to_have_count(0)
    assert is_still_here(tab) is has_scripts
    if has_scripts:
        expect(button(tab, "Undo")).to_be_focused()
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two", "three")
    assert stored(site, reader) == [("one", False), ("two", False), ("three", True)]


def test_the_filter_is_an_address(any_window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        done = service.create_todo(reader.id, "done")
        service.change_todo(reader.id, done, completed=True)
        service.create_todo(reader.id, "open")
    tab = any_window.tab
    tab.goto(f"{any_window.url}/todos")
    expect_todos(tab, "open", "done")
    which = tab.get_by_role("navigation", name="Which todos to show")
    for name, address, names in (("Open", r"\?show=open", ["open"]), ("Done", r"\?show=done", ["done"])):
        which.get_by_role("link", name=name).click()
        expect(tab).to_have_url(re.compile(f"/todos{address}$"))
        expect_todos(tab, *names)
        expect(which.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
    which.get_by_role("link", name="All").click()
    expect_todos(tab, "open", "done")


def test_an_icon_that_is_pointed_at_says_its_name(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_todo(reader.id, "one")
    window.tab.goto(f"{window.url}/todos")
    for icon in (
        window.tab.get_by_role("link", name="Edit: one", exact=True),
        window.tab.get_by_role("button", name="Delete: one", exact=True),
    ):
        expect(icon).not_to_have_attribute("title", re.compile("one"))
        icon.hover()
        expect(icon).to_have_attribute("title", re.compile("^(Edit|Delete): one$"))
