"""Lose nothing that was typed and store nothing twice, however the network is (the outbox)."""

from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Locator, Route, expect
from playwright.sync_api import Page as Tab

from app.extensions import db
from app.notes import listing as notes
from app.notes import service
from app.notes.models import Note
from app.todos import listing as todos
from app.todos.service import create_todo
from tests.browser.readers import Reader, sign_in
from tests.browser.site import Site
from tests.browser.window import Window, Windows
from tests.waiting import WITHIN, wait_until

LATENCY = 300  # ms
VERY_SLOW = 2000  # ms
EACH = 50  # notes, and as many todos, on each of two devices
ENTRIES = "Object.keys(localStorage).filter(key => key.startsWith('outbox:')).length"
IS_KEPT = "async path => !!(await caches.match(path, { ignoreVary: true }))"
AWAY = "Not saved yet, kept on this device: {}."


def stored_todos(site: Site, reader: Reader) -> list[str]:
    """Return them from the first that was entered."""
    with site.app.app_context():
        return [todo.description for todo in todos.list_todos(reader.id).todos][::-1]


def stored_notes(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in notes.list_notes(reader.id).notes][::-1]


def stored_note(site: Site, reader: Reader, text: str = "as it was") -> int:
    with site.app.app_context():
        return service.create_note(reader.id, "title", text)


def opened(window: Window, path: str) -> Tab:
    window.tab.goto(f"{window.url}{path}")
    return window.tab


def add(tab: Tab, *descriptions: str) -> None:
    field = tab.get_by_role("textbox", name="New todo")
    for description in descriptions:
        field.press_sequentially(description)
        field.press("Enter")


def text(tab: Tab) -> Locator:
    return tab.get_by_label("Text", exact=True)


def write(tab: Tab, words: str) -> None:
    text(tab).fill(words)
    tab.keyboard.press("Control+Enter")


def waiting(tab: Tab) -> Locator:
    return tab.locator(".waiting li bdi")


def is_empty(tab: Tab) -> bool:
    return bool(tab.evaluate(ENTRIES) == 0)


def slow_down(window: Window, latency: int = LATENCY) -> None:
    """Let every request of the window take `latency` ms longer from now on."""
    session = window.tab.context.new_cdp_session(window.tab)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1},
    )


def lose(route: Route) -> None:
    """Let the server store it, and the answer be lost."""
    route.fetch()
    route.abort("connectionreset")


@pytest.mark.parametrize("latency", [pytest.param(LATENCY, marks=pytest.mark.smoke), VERY_SLOW])
def test_ten_todos_typed_at_full_speed_on_a_slow_network_are_ten_in_order(
    window: Window, site: Site, reader: Reader, latency: int
) -> None:
    typed = [f"할 일 {number}" for number in range(10)]
    tab = opened(window, "/todos")
    slow_down(window, latency)
    add(tab, *typed)
    expect(tab.get_by_role("textbox", name="New todo")).to_have_value("")
    expect(waiting(tab).first).to_have_text(typed[-1])
    expect(tab.locator("#todos li bdi")).to_have_text(typed[::-1], timeout=20 * latency + WITHIN * 1000)
    expect(waiting(tab)).to_have_count(0)
    assert stored_todos(site, reader) == typed
    assert is_empty(tab)


def test_what_is_typed_while_a_note_is_saved_stays_in_the_form(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/notes")
    slow_down(window)
    write(tab, "the first")
    expect(text(tab)).to_have_value("")
    text(tab).fill("half of the second")
    expect(tab.get_by_role("article")).to_have_count(1)
    expect(text(tab)).to_have_value("half of the second")
    assert stored_notes(site, reader) == ["the first"]


def test_after_saving_the_composer_is_ready_and_leads_to_the_note(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/notes")
    write(tab, "반달")
    expect(tab.get_by_label("Title", exact=True)).to_be_focused()
    said = tab.get_by_role("status").filter(has_text="Saved.")
    expect(said).to_be_visible()
    said.get_by_role("link", name="View").click()
    expect(tab.get_by_role("article")).to_contain_text("반달")
    assert stored_notes(site, reader) == ["반달"]


@pytest.mark.parametrize("path", ["/notes", "/todos"])
def test_going_back_after_saving_stores_nothing_twice(
    any_window: Window, site: Site, reader: Reader, path: str
) -> None:
    tab = any_window.tab
    tab.goto(f"{any_window.url}/mypage")
    tab.goto(f"{any_window.url}{path}")
    label, button = ("Text", "Save") if path == "/notes" else ("New todo", "Add")
    field = tab.get_by_role("textbox", name=label, exact=True)
    field.fill("once")
    tab.get_by_role("button", name=button, exact=True).click()
    expect(tab.locator("#results, #todos").get_by_text("once").first).to_be_visible()
    tab.goto(f"{any_window.url}/mypage")
    tab.go_back()
    expect(field).to_have_value("")
    tab.go_back()
    tab.go_forward()
    expect(field).to_have_value("")
    assert (stored_notes if path == "/notes" else stored_todos)(site, reader) == ["once"]


@pytest.mark.smoke
def test_offline_the_page_stays_and_says_so_and_sends_when_the_network_is_back(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    tab = opened(window, "/todos")
    offline(True)
    add(tab, "우유", "책 반납")
    expect(waiting(tab)).to_have_text(["책 반납", "우유"])
    expect(tab.locator("#outbox")).to_contain_text(AWAY.format(2))
    assert stored_todos(site, reader) == []
    offline(False)
    expect(tab.locator("#todos li bdi")).to_have_text(["책 반납", "우유"])
    expect(tab.locator("#outbox")).to_be_hidden()
    expect(waiting(tab)).to_have_count(0)
    assert stored_todos(site, reader) == ["우유", "책 반납"]
    assert is_empty(tab)


def test_a_page_that_was_closed_offline_sends_at_the_next_visit_of_any_page(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    tab = opened(window, "/notes")
    offline(True)
    write(tab, "before the train's tunnel")
    expect(waiting(tab)).to_have_count(1)
    tab.goto("about:blank")
    offline(False)
    tab.goto(f"{window.url}/mypage")
    wait_until(lambda: stored_notes(site, reader), "it is sent")
    wait_until(lambda: is_empty(tab), "nothing waits")
    assert stored_notes(site, reader) == ["before the train's tunnel"]


def test_an_answer_that_was_lost_stores_nothing_twice(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/todos")
    tab.route("**/todos", lose, times=1)
    add(tab, "one")
    expect(tab.locator("#outbox")).to_contain_text(AWAY.format(1))
    assert stored_todos(site, reader) == ["one"]
    add(tab, "two")  # tries again at once, in order
    expect(tab.locator("#todos li bdi")).to_have_text(["two", "one"])
    assert stored_todos(site, reader) == ["one", "two"]
    assert window.console_errors()


@pytest.mark.parametrize("status", [None, 503])
def test_a_list_that_could_not_be_fetched_after_sending_is_fetched_again(
    window: Window, site: Site, reader: Reader, status: int | None
) -> None:
    """Args: status: of the answer; None: no answer comes."""
    tab = opened(window, "/notes")
    lost: list[str] = []

    def lose_two_lists(route: Route) -> None:
        if route.request.method == "POST" or len(lost) == 2:
            route.fallback()
        else:
            lost.append(route.request.method)
            route.fulfill(status=status) if status else route.abort("connectionreset")

    tab.route("**/notes", lose_two_lists)
    write(tab, "반달")
    expect(tab.get_by_role("article")).to_contain_text("반달")
    expect(waiting(tab)).to_have_count(0)
    assert lost == ["GET", "GET"]
    assert window.console_errors()
    assert stored_notes(site, reader) == ["반달"]


def test_edits_of_one_note_are_in_no_conflict_with_each_other(window: Window, site: Site, reader: Reader) -> None:
    """The first is stored, but its answer is lost. The second one starts from the version before both."""
    note_id = stored_note(site, reader)
    tab = opened(window, f"/notes/{note_id}/edit")
    tab.route(f"**/notes/{note_id}", lose, times=1)
    write(tab, "the first edit")
    expect(tab.locator("#outbox")).to_contain_text(AWAY.format(1))
    write(tab, "the second edit")
    expect(tab).to_have_url(f"{window.url}/notes")
    assert stored_notes(site, reader) == ["the second edit"]
    assert is_empty(tab)
    window.console_errors()


def test_an_edit_that_waits_is_replaced_by_a_later_one(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    with site.app.app_context():
        note_id = service.create_note(reader.id, "title", "as it was")
        before = db.session.get_one(Note, note_id).version
    tab = opened(window, f"/notes/{note_id}/edit")
    offline(True)
    for words in ("one", "two", "three"):
        write(tab, words)
    expect(text(tab)).to_have_value("three")
    offline(False)
    expect(tab).to_have_url(f"{window.url}/notes")
    assert stored_notes(site, reader) == ["three"]
    with site.app.app_context():
        assert db.session.get_one(Note, note_id).version <= before + 2


def test_an_editor_goes_on_from_an_edit_that_waits(window: Window, site: Site, reader: Reader) -> None:
    """Its page was made before that edit."""
    note_id = stored_note(site, reader)
    tab = opened(window, f"/notes/{note_id}/edit")
    tab.route(f"**/notes/{note_id}", lambda route: route.abort("connectionreset"))
    write(tab, "in the tunnel")
    expect(tab.locator("#outbox")).to_contain_text(AWAY.format(1))
    tab.goto(f"{window.url}/notes/{note_id}/edit")
    expect(text(tab)).to_have_value("in the tunnel")
    text(tab).press_sequentially(", and out of it")
    tab.unroute_all()
    tab.keyboard.press("Control+Enter")
    wait_until(lambda: stored_notes(site, reader) == ["in the tunnel, and out of it"], "both are stored")
    expect(tab).not_to_have_url(f"{window.url}/notes/{note_id}/edit")
    window.console_errors()


def test_a_second_click_after_saving_asks_for_nothing(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/notes")
    text(tab).fill("once")
    tab.get_by_role("button", name="Save").dblclick()
    wait_until(lambda: stored_notes(site, reader) == ["once"] and is_empty(tab), "it is stored")
    expect(tab.locator("[data-sent]")).to_be_visible()
    assert tab.url == f"{window.url}/notes"


def test_a_second_click_in_the_view_of_a_tag_stores_no_note_of_the_tag_alone(
    window: Window, site: Site, reader: Reader
) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/notes?tag=달")
    text(tab).fill("once #달")
    tab.get_by_role("button", name="Save").dblclick()
    expect(text(tab)).to_have_value("#달 ")
    wait_until(lambda: stored_notes(site, reader) == ["once #달"] and is_empty(tab), "it is stored")
    expect(tab.locator("[data-sent]")).to_be_visible()
    assert stored_notes(site, reader) == ["once #달"]


def test_an_edit_of_somebody_elses_device_is_still_a_conflict(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    note_id = stored_note(site, reader)
    tab = opened(window, f"/notes/{note_id}/edit")
    offline(True)
    write(tab, "mine")
    expect(tab.locator("#outbox")).to_contain_text(AWAY.format(1))
    with site.app.app_context():
        service.update_note(reader.id, note_id, "title", "theirs", 1)
    offline(False)
    expect(tab.get_by_role("heading", name="This note was changed in the meantime")).to_be_visible()
    expect(tab.get_by_role("region", name="Your text")).to_contain_text("mine")
    assert stored_notes(site, reader) == ["theirs"]
    assert is_empty(tab)


def test_what_the_server_refuses_waits_with_its_reason(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/notes")
    slow_down(window)
    write(tab, "x" * 2001)
    text(tab).fill("typed meanwhile")
    expect(tab.locator(".waiting li")).to_contain_text("Please use at most 2,000 characters.")
    expect(text(tab)).to_have_value("typed meanwhile")
    text(tab).fill("")
    tab.get_by_role("button", name="See why").click()
    expect(tab.locator("#content-error")).to_be_visible()
    expect(text(tab)).to_have_value("x" * 2001)
    assert stored_notes(site, reader) == []
    window.console_errors()


def test_without_a_network_a_todo_is_ticked_off_and_a_tick_that_is_taken_back_stays_so(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    with site.app.app_context():
        create_todo(reader.id, "우유")
        create_todo(reader.id, "책")
    tab = opened(window, "/todos")
    offline(True)
    for what, pressed in (("우유", "true"), ("책", "true"), ("우유", "false")):
        tab.get_by_role("button", name=f"Complete: {what}").click()
        expect(tab.get_by_role("button", name=f"Complete: {what}")).to_have_attribute("aria-pressed", pressed)
    offline(False)
    wait_until(lambda: is_empty(tab), "all are sent")
    with site.app.app_context():
        assert (todos.list_todos(reader.id).open, todos.list_todos(reader.id).done) == (1, 1)


def test_a_task_of_a_note_is_ticked_and_taken_back_where_it_is_read(
    any_window: Window, site: Site, reader: Reader, has_scripts: bool
) -> None:
    note_id = stored_note(site, reader, "- [ ] 우유\n- [ ] 빵")
    tab = opened(any_window, f"/notes/{note_id}")
    if has_scripts:
        slow_down(any_window)
    for name, pressed in (("우유", "true"), ("빵", "true"), ("우유", "false")):
        box = tab.get_by_role("button", name=name)
        box.click()
        expect(box).to_have_attribute("aria-pressed", pressed)
        if has_scripts:
            expect(box).to_be_focused()
    wait_until(lambda: stored_notes(site, reader) == ["- [ ] 우유\n- [x] 빵"], "all are stored")


def device_that_kept_its_pages(windows: Windows, cookies: dict[str, str]) -> Window:
    device = windows.fresh("en", cookies=cookies, worker=True)
    for path in ("/notes", "/todos"):
        device.tab.goto(device.url + path)
        wait_until(partial(device.tab.evaluate, IS_KEPT, path), f"{path} is kept")
    return device


@pytest.mark.minutes
@pytest.mark.timeout(300)
def test_on_two_devices_that_go_off_and_on_nothing_is_lost_or_doubled(
    windows: Windows, site: Site, reader: Reader
) -> None:
    """The pages are opened without a network too, from what the service worker keeps."""
    devices = {name: device_that_kept_its_pages(windows, sign_in(site, reader.email)) for name in "ab"}
    entered: dict[str, list[str]] = {"ano": [], "bno": [], "ato": [], "bto": []}
    for number in range(2 * EACH):
        for name, device in devices.items():
            is_note = number // 5 % 2 == 0
            entry = f"{name}{'no' if is_note else 'to'}{number}"
            device.tab.context.set_offline(number % 10 in (3, 4, 5, 8))
            if number % 5 == 0:
                opened(device, "/notes" if is_note else "/todos")
            (write if is_note else add)(device.tab, entry)
            entered[entry[:3]].append(entry)
    for device in devices.values():
        device.tab.context.set_offline(False)
    wait_until(lambda: all(is_empty(device.tab) for device in devices.values()), "all are sent")
    with site.app.app_context():
        of_both = (
            "SELECT content, id FROM notes WHERE user_id = :id"
            " UNION ALL SELECT description, id FROM todos WHERE user_id = :id ORDER BY id"
        )
        stored = list(db.session.scalars(db.text(of_both), {"id": reader.id}))
    assert len(stored) == 4 * EACH
    for kind, texts in entered.items():
        assert [what for what in stored if what.startswith(kind)] == texts
    for device in devices.values():
        device.tab.context.close()
