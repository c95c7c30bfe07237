"""A page that says "today" says it of the day on which it is looked at, also when it was left open over midnight."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Route, expect
from sqlalchemy import update

from app.notes.models import Note
from app.todos.models import Todo
from tests.browser.controls import text
from tests.browser.site import Reader
from tests.browser.window import Switch, Window, Windows
from tests.database import commit

LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"
DAYS = count(1)  # each later than the last
# The elements that say the day, by page.
SAYS = {
    "/notes": "main .day h2",
    "/todos": "#todos time",
    "/todos?show=today": "#todos time",
    "/todos?sort=due": "#todos time",
}


@pytest.fixture
def window(windows: Windows, reader: Reader) -> Iterator[Window]:
    """Yield a window of a browser of its own, whose clock can be set."""
    window = windows.fresh("en", cookies=reader.cookies)
    yield window
    window.tab.context.close()


@pytest.fixture(autouse=True)
def _of_today(reader: Reader) -> None:
    reader.write("text")
    reader.add("milk", due_on=date.today())


def let_a_day_pass(tab: Tab, reader: Reader) -> None:
    """Let the rows be a day older, and the clock of the browser a day further."""
    with reader.app():
        commit(update(Note).where(Note.user_id == reader.id).values(created_at=Note.created_at - timedelta(days=1)))
        commit(update(Todo).where(Todo.user_id == reader.id).values(due_on=Todo.due_on - timedelta(days=1)))
    tab.clock.set_fixed_time(datetime.now() + timedelta(days=next(DAYS)))


@pytest.mark.parametrize("path", list(SAYS))
def test_it_is_another_day_and_nothing_typed_is_lost(window: Window, reader: Reader, path: str) -> None:
    tab = window.open(path)
    tab.evaluate("window.isStillHere = true")
    field = text(tab) if path == "/notes" else tab.get_by_role("textbox", name="New todo")
    field.fill("half of it")
    tab.evaluate(LOOK_AGAIN)  # on the same day nothing changes
    expect(tab.locator(SAYS[path])).to_contain_text("Today")
    let_a_day_pass(tab, reader)
    tab.evaluate(LOOK_AGAIN)
    expect(tab.locator(SAYS[path])).to_contain_text("Yesterday")
    expect(field).to_have_value("half of it")
    assert tab.evaluate("window.isStillHere")


def test_a_page_without_fields_is_loaded_anew_and_one_with_fields_stays(window: Window, reader: Reader) -> None:
    tab = window.open("/mypage/edit")
    tab.evaluate("window.isStillHere = true")
    let_a_day_pass(tab, reader)
    tab.evaluate(LOOK_AGAIN)
    tab.wait_for_load_state("networkidle")
    assert tab.evaluate("window.isStillHere")
    window.open("/mypage")
    let_a_day_pass(tab, reader)
    with tab.expect_navigation(url="**/mypage"):
        tab.evaluate(LOOK_AGAIN)


def test_an_editor_stays_until_it_is_saved(window: Window, reader: Reader) -> None:
    tab = window.open("/todos")
    tab.get_by_role("link", name="Edit: milk").click()
    editor = tab.get_by_role("listitem").get_by_role("textbox", name="Todo")
    editor.fill("oat milk")
    let_a_day_pass(tab, reader)
    tab.evaluate(LOOK_AGAIN)
    reader.add("from another device")
    expect(editor).to_have_value("oat milk")
    tab.get_by_role("listitem").get_by_label("Due date").fill("")
    editor.press("Enter")
    expect(tab.locator("#todos li bdi")).to_have_text(["from another device", "oat milk"])


def test_a_chosen_day_stays_that_day_under_its_new_name(window: Window) -> None:
    """The chip of tomorrow becomes that of today."""
    tab = window.open("/todos")
    tab.get_by_role("textbox", name="New todo").fill("bread")
    tomorrow = tab.get_by_role("checkbox", name="Tomorrow")
    tab.get_by_text("Tomorrow", exact=True).click()
    day = tomorrow.get_attribute("value")
    assert day

    def a_day_later(route: Route) -> None:
        def later(chip: re.Match[str]) -> str:
            return f'name="named_day" value="{date.fromisoformat(chip[1]) + timedelta(days=1)}"'

        html = re.sub(r'name="named_day" value="([\d-]+)"', later, (answer := route.fetch()).text())
        route.fulfill(response=answer, body=html)

    tab.route("**/todos", a_day_later)
    tab.clock.set_fixed_time(datetime.now() + timedelta(days=next(DAYS)))
    tab.evaluate(LOOK_AGAIN)
    expect(tab.get_by_role("checkbox", name="Today")).to_have_value(day)
    expect(tab.get_by_role("checkbox", name="Today")).to_be_checked()
    expect(tomorrow).not_to_be_checked()


def test_offline_it_waits(window: Window, reader: Reader, offline: Switch) -> None:
    tab = window.open("/todos")
    offline(True)
    let_a_day_pass(tab, reader)
    tab.evaluate(LOOK_AGAIN)
    expect(tab.locator("#offline")).to_be_hidden()
    offline(False)
    tab.evaluate(LOOK_AGAIN)
    expect(tab.locator("#todos time")).to_contain_text("Yesterday")


def test_what_answered_a_form_is_not_asked_for_again(window: Window, reader: Reader) -> None:
    """A new access token or recovery codes are shown once, and the browser would send the form again."""
    tab = window.open("/notes")
    text(tab).fill("half of it")
    with tab.expect_navigation():
        tab.evaluate("Object.assign(document.querySelector('.composer'), { action: '/notes/preview' }).submit()")
    assert tab.locator("main input:not([type=hidden])").count() == 0, "it has no field that would keep it"
    let_a_day_pass(tab, reader)
    tab.evaluate("() => { window.loads = 0; navigation.onnavigate = () => { window.loads += 1; }; }")
    tab.evaluate(LOOK_AGAIN)
    assert tab.evaluate("window.loads") == 0
