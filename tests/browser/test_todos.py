"""Todos: with scripts the list changes in its place. Without them it does page by page, as tests/todos has it."""

import re
from datetime import date

import pytest
from playwright.sync_api import FloatRect, Locator, Route, expect
from playwright.sync_api import Page as Tab

from app.todos import service
from tests.browser.controls import button, row
from tests.browser.site import Reader
from tests.browser.window import NARROWEST, Window, Windows
from tests.waiting import wait_until

SIZE = (("#todos li", "offsetHeight"), ("#todos .what", "offsetWidth"))


def box(element: Locator) -> FloatRect:
    found = element.bounding_box()
    assert found
    return found


@pytest.fixture
def tab(window: Window, reader: Reader) -> Tab:
    """Open the page with three todos, of which the last is done, and leave a mark that a new page would not have."""
    with reader.app():
        service.change_todo(reader.id, service.create_todo(reader.id, "three"), completed=True)
    reader.add("two", "one")
    tab = window.open("/todos")
    tab.evaluate("window.isStillHere = true")
    return tab


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
def test_one_is_ticked_off_and_opened_again(tab: Tab, reader: Reader) -> None:
    tick = button(tab, "Complete: two")
    tick.click()
    expect(tab.get_by_role("link", name="All 1")).to_be_visible()
    expect(tick).to_be_hidden()
    assert "✓ two" in reader.todos()
    tab.get_by_text("Done 2").click()
    expect(tick).to_have_attribute("aria-pressed", "true")
    tick.click()
    expect(tick).to_have_attribute("aria-pressed", "false")
    expect(tab.get_by_role("link", name="All 2")).to_be_visible()
    assert reader.todos() == ["one", "two", "✓ three"]
    assert tab.evaluate("window.isStillHere")


def test_one_is_edited_in_its_place_or_the_edit_given_up_and_an_icon_that_is_pointed_at_says_its_name(
    tab: Tab, reader: Reader
) -> None:
    for name in ("Move down: one", "Delete: one"):
        icon = button(tab, name)
        expect(icon).not_to_have_attribute("title", re.compile("one"))
        icon.hover()
        expect(icon).to_have_attribute("title", name)
    edit(tab, "two").click()
    editor(tab).fill("not this")
    tab.keyboard.press("Escape")
    expect(edit(tab, "two")).to_be_focused()
    expect_todos(tab, "one", "two", "three")
    assert reader.todos() == ["one", "two", "✓ three"]

    edit(tab, "two").click()
    expect(editor(tab)).to_be_focused()
    expect(editor(tab)).to_have_value("two")
    tab.keyboard.type("!")  # goes on behind the text
    expect(editor(tab)).to_have_value("two!")
    editor(tab).fill("둘")
    tab.keyboard.press("Enter")
    expect_todos(tab, "one", "둘", "three")
    expect(edit(tab, "둘")).to_be_focused()
    assert reader.todos() == ["one", "둘", "✓ three"]
    assert tab.evaluate("window.isStillHere")


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


def test_each_has_the_room_for_its_text_with_the_day_below_it(window: Window, reader: Reader) -> None:
    reader.add("책", "우유 두 병을 사고 도서관에 들러 책을 반납하기", due_on=date(2025, 11, 21))
    reader.add("산책")
    tab = window.open("/todos")
    for width, least, highest in ((320, 180, (52, 140, 70)), (390, 250, (52, 140, 70)), (1280, 600, (52, 70, 70))):
        window.set_width(width)
        heights, texts = (
            tab.evaluate(f"[...document.querySelectorAll('{each}')].map(e => e.{size})") for each, size in SIZE
        )
        assert min(texts) >= least, (width, texts)
        assert all(height <= most for height, most in zip(heights, highest, strict=True)), (width, heights)
        day, what = (box(row(tab, "우유").locator(part)) for part in ("time", "bdi"))
        assert (day["x"], day["y"] >= what["y"] + what["height"] - 2) == (what["x"], True), (width, day, what)


@pytest.mark.parametrize(("width", "has_scripts"), [(320, True), (390, False)])
def test_on_a_phone_one_menu_is_open_until_something_else_is_tapped(
    windows: Windows, reader: Reader, width: int, has_scripts: bool
) -> None:
    """The button opens its menu, Escape, a tap beside it or another menu closes it."""
    reader.add("three", "two", "one")
    with windows.lent(reader.cookies, scripts=has_scripts) as window:
        window.set_width(width)
        tab = window.open("/todos")
        delete = [button(tab, f"Delete: {what}") for what in ("one", "two")]
        for close in ("Escape", "h1", "More: two"):
            button(tab, "More: one").click()
            expect(delete[0]).to_be_visible()
            assert box(delete[0])["x"] >= 0
            assert box(delete[0])["y"] - box(button(tab, "More: one"))["y"] < 24, "beside its button"
            if close == "Escape":
                tab.keyboard.press("Escape")
            elif close == "h1":
                tab.locator("h1").click()
            else:
                button(tab, close).click()
            expect(delete[0]).to_be_hidden()
        expect(delete[1]).to_be_visible()
        delete[1].click()
        expect_todos(tab, "one", "three")


def test_a_new_one_is_due_on_the_day_that_was_chosen_last(window: Window) -> None:
    tab = window.open("/todos")
    field(tab).fill("우유")
    day = tab.get_by_label("Due date").locator("visible=true")
    tab.get_by_text("Pick a date", exact=True).click()
    day.fill("2027-05-05")
    today, tomorrow = (tab.get_by_role("checkbox", name=name) for name in ("Today", "Tomorrow"))
    for name in ("Today", "Tomorrow"):
        tab.get_by_text(name, exact=True).locator("visible=true").last.click()
    expect(day).to_have_value("")
    expect(today).not_to_be_checked()
    expect(tomorrow).to_be_checked()
    button(tab, "Add").click()
    expect(tab.get_by_role("listitem").get_by_text("Tomorrow")).to_be_visible()
    expect(tomorrow).not_to_be_checked()


def test_one_that_is_added_where_today_was_chosen_in_its_place_is_due_today(window: Window) -> None:
    tab = window.open("/todos")
    tab.get_by_role("link", name="Today").click()
    expect(tab.get_by_text("Nothing due today.")).to_be_visible()
    add(tab, "at once")
    expect_todos(tab, "at once")
    expect(tab).to_have_url(re.compile("show=today$"))


def test_an_address_is_opened_and_the_text_around_it_edits(tab: Tab, reader: Reader) -> None:
    add(tab, "see them soon")
    another = tab.evaluate("location.origin").replace("localhost", "127.0.0.1")
    address = f"{another}/notes?{'a' * 150}"
    edit(tab, "see them soon").click()
    editor(tab).fill(f"see {address} soon")
    editor(tab).press("Enter")
    expect(edit(tab, f"see {address} soon")).to_be_focused()
    tab.set_viewport_size({"width": NARROWEST, "height": 640})
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROWEST
    edit(tab, f"see {address} soon").click(position={"x": 5, "y": 20})  # on the first word
    expect(editor(tab)).to_have_value(f"see {address} soon")
    tab.keyboard.press("Escape")
    tab.get_by_role("link", name=address, exact=True).click()
    tab.wait_for_url(f"{another}/**")
    assert reader.todos() == [f"see {address} soon", "one", "two", "✓ three"]


def test_typing_searches_and_what_is_found_is_ticked_within_the_search(tab: Tab, reader: Reader) -> None:
    search = tab.get_by_role("searchbox")
    tab.keyboard.press("/")
    expect(search).to_be_focused()
    tab.keyboard.type("o")
    expect_todos(tab, "one", "two")
    expect(search).to_be_focused()
    expect(tab.get_by_role("status").get_by_text("2 found")).to_be_visible()
    expect(field(tab)).to_be_hidden()
    button(tab, "Complete: one").click()
    expect_todos(tab, "two", "one")
    wait_until(lambda: "✓ one" in reader.todos(), "it is sent")
    button(tab, "Undo").click()
    expect_todos(tab, "one", "two")
    expect(search).to_have_value("o")
    search.fill("nowhere")
    expect(tab.get_by_text("No todos match “nowhere”.")).to_be_visible()
    assert tab.evaluate("window.isStillHere")
    tab.get_by_role("link", name="Clear search").click()
    expect(search).to_have_value("")
    expect(field(tab)).to_be_visible()
    expect_todos(tab, "one", "two", "three")


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


def test_an_editor_is_saved_when_another_is_opened_and_given_up_by_its_link(editing: Tab, reader: Reader) -> None:
    edit(editing, "two").click()
    expect(editor(editing)).to_have_value("two")
    expect_todos(editing, "one, in other words")
    editor(editing).fill("not this")
    editing.get_by_role("link", name="Cancel").click()
    expect_todos(editing, "one, in other words", "two")
    assert reader.todos() == ["one, in other words", "two"]


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
