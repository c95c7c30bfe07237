"""The editor of a todo in the list: what is typed there stays, whatever else happens on the page meanwhile."""

import pytest
from playwright.sync_api import Locator, Route, expect
from playwright.sync_api import Page as Tab

from app.todos import listing, service
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window
from tests.waiting import wait_until


@pytest.fixture
def tab(window: Window, site: Site, reader: Reader) -> Tab:
    """Open the list of two todos, with the editor of "one" open and something typed there."""
    with site.app.app_context():
        for what in ("two", "one"):
            service.create_todo(reader.id, what)
    window.tab.goto(f"{window.url}/todos")
    window.tab.get_by_role("link", name="Edit: one").click()
    editor(window.tab).fill("one, in other words")
    return window.tab


def editor(tab: Tab) -> Locator:
    return tab.get_by_role("listitem").get_by_role("textbox", name="Todo")


def stored(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [todo.description for todo in listing.list_todos(reader.id).todos]


def test_it_stays_while_a_new_todo_is_sent(tab: Tab, site: Site, reader: Reader) -> None:
    tab.get_by_role("textbox", name="New todo").fill("three")
    tab.get_by_role("textbox", name="New todo").press("Enter")
    wait_until(lambda: "three" in stored(site, reader), "it is sent")
    expect(tab.locator(".waiting li bdi")).to_have_text(["three"])
    expect(editor(tab)).to_have_value("one, in other words")
    editor(tab).press("Enter")
    expect(tab.locator("#todos li bdi")).to_have_text(["three", "one, in other words", "two"])
    expect(tab.locator(".waiting li")).to_have_count(0)


def test_it_stays_while_another_is_ticked_off(tab: Tab, site: Site, reader: Reader) -> None:
    tab.get_by_role("button", name="Complete: two").click()
    wait_until(lambda: stored_done(site, reader) == 1, "it is sent")
    expect(editor(tab)).to_have_value("one, in other words")


def test_it_is_saved_when_another_is_edited(tab: Tab, site: Site, reader: Reader) -> None:
    tab.get_by_role("link", name="Edit: two").click()
    expect(editor(tab)).to_have_value("two")
    expect(tab.locator("#todos li bdi")).to_have_text(["one, in other words"])
    assert stored(site, reader) == ["one, in other words", "two"]


def test_given_up_it_stores_nothing(tab: Tab, site: Site, reader: Reader) -> None:
    tab.get_by_role("link", name="Cancel").click()
    expect(tab.locator("#todos li bdi")).to_have_text(["one", "two"])
    assert stored(site, reader) == ["one", "two"]


def test_one_that_is_opened_while_another_is_sent_opens(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_todo(reader.id, "one")
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    session = tab.context.new_cdp_session(tab)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", slow)
    tab.get_by_role("textbox", name="New todo").fill("two")
    tab.get_by_role("textbox", name="New todo").press("Enter")
    tab.get_by_role("link", name="Edit: one").click()
    expect(editor(tab)).to_have_value("one")
    expect(tab.locator("#todos li bdi")).to_have_text(["two"])
    expect(editor(tab)).to_have_value("one")


def test_one_that_is_opened_stays_when_another_was_sent(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_todo(reader.id, "one")
    tab = window.tab
    tab.goto(f"{window.url}/todos")
    held: list[Route] = []
    tab.route("**/todos", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    tab.get_by_role("textbox", name="New todo").fill("two")
    tab.get_by_role("textbox", name="New todo").press("Enter")
    tab.get_by_role("link", name="Edit: one").click()
    expect(editor(tab)).to_have_value("one")
    held.pop().continue_()
    expect(tab.locator("#todos li bdi")).to_have_text(["two"])
    expect(editor(tab)).to_have_value("one")


def stored_done(site: Site, reader: Reader) -> int:
    with site.app.app_context():
        return listing.list_todos(reader.id).done
