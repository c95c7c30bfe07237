"""Lose nothing that was typed and store nothing twice, whatever the network and the sessions do (the outbox)."""

import re
from functools import partial

import pytest
from playwright.sync_api import Dialog, Locator, Route, expect
from playwright.sync_api import Page as Tab

from app.extensions import db
from app.notes.models import Note
from tests.browser.controls import button, is_settled, text
from tests.browser.site import Reader
from tests.browser.window import NARROWEST, Switch, Window, Windows
from tests.waiting import WITHIN, wait_until

LATENCY = 300  # ms
EACH = 15  # notes, and as many todos, on each of two devices
IS_KEPT = "async path => !!(await caches.match(path, { ignoreVary: true }))"
AWAY = {1: "1 change waiting to be saved", 2: "2 changes waiting to be saved"}


def add(tab: Tab, *descriptions: str) -> None:
    field = tab.get_by_role("textbox", name="New todo")
    for description in descriptions:
        field.press_sequentially(description)
        field.press("Enter")


def write(tab: Tab, words: str) -> None:
    text(tab).fill(words)
    tab.keyboard.press("Control+Enter")


def waiting(tab: Tab) -> Locator:
    return tab.locator(".waiting li bdi")


def lose(route: Route) -> None:
    """Let the server store it, and the answer be lost."""
    route.fetch()
    route.abort("connectionreset")


@pytest.mark.smoke
def test_five_todos_typed_at_full_speed_on_a_slow_network_are_five_in_order(window: Window, reader: Reader) -> None:
    typed = ["우유", "책 반납", "<b>산책</b>", "milk", "bread"]
    tab = window.open("/todos")
    tab.evaluate("window.isStillHere = true")
    tab.get_by_role("link", name="Write a todo").click()  # the empty list leads to the field
    expect(tab.get_by_role("textbox", name="New todo")).to_be_focused()
    window.set_network(latency=LATENCY)
    add(tab, *typed)
    expect(tab.get_by_role("textbox", name="New todo")).to_have_value("")
    expect(waiting(tab).first).to_have_text(typed[-1])
    expect(tab.locator("#todos li bdi")).to_have_text(typed[::-1], timeout=20 * LATENCY + WITHIN * 1000)
    expect(waiting(tab)).to_have_count(0)
    expect(tab.get_by_role("textbox", name="New todo")).to_be_focused()
    expect(tab.get_by_role("link", name="All 5")).to_be_visible()
    assert reader.todos() == typed[::-1]
    assert is_settled(tab)
    assert tab.evaluate("window.isStillHere")


def test_while_a_note_is_saved_the_composer_is_ready_and_keeps_what_is_typed(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    window.set_network(latency=LATENCY)
    write(tab, "the first")
    expect(text(tab)).to_have_value("")
    expect(tab.get_by_label("Title", exact=True)).to_be_focused()
    text(tab).fill("half of the second")
    expect(tab.get_by_role("article")).to_have_count(1)
    expect(text(tab)).to_have_value("half of the second")
    said = tab.get_by_role("status").filter(has_text="Saved.")
    expect(said).to_be_visible()
    said.get_by_role("link", name="View").click()
    expect(tab.get_by_role("article")).to_contain_text("the first")
    assert reader.notes() == ["the first"]


def test_going_back_stores_nothing_twice(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    write(tab, "once")
    expect(tab.get_by_role("article")).to_contain_text("once")
    window.open("/mypage")
    tab.go_back()
    expect(text(tab)).to_have_value("")
    assert reader.notes() == ["once"]


@pytest.mark.smoke
def test_offline_the_page_says_so_and_sends_later(window: Window, reader: Reader, offline: Switch) -> None:
    tab = window.open("/todos")
    offline(True)
    add(tab, "우유", "책 반납")
    expect(waiting(tab)).to_have_text(["책 반납", "우유"])
    expect(tab.locator("#outbox")).to_contain_text(AWAY[2])
    assert reader.todos() == []
    offline(False)
    expect(tab.locator("#todos li bdi")).to_have_text(["책 반납", "우유"])
    expect(tab.locator("#outbox")).to_be_hidden()
    expect(waiting(tab)).to_have_count(0)
    assert reader.todos() == ["책 반납", "우유"]
    assert is_settled(tab)


def test_a_page_closed_offline_sends_at_the_next_visit(window: Window, reader: Reader, offline: Switch) -> None:
    tab = window.open("/notes")
    offline(True)
    write(tab, "before the train's tunnel")
    write(tab, "and in it")
    expect(waiting(tab)).to_have_count(2)
    tab.goto("about:blank")
    offline(False)
    window.open("/mypage")
    wait_until(lambda: reader.notes(), "it is sent")
    wait_until(lambda: is_settled(tab), "nothing waits")
    assert reader.notes() == ["and in it", "before the train's tunnel"]


def test_an_answer_that_was_lost_stores_nothing_twice(window: Window, reader: Reader) -> None:
    tab = window.open("/todos")
    tab.route("**/todos", lose, times=1)
    add(tab, "one")
    expect(tab.locator("#outbox")).to_contain_text(AWAY[1])
    assert reader.todos() == ["one"]
    add(tab, "two")  # tries again at once, in order
    expect(tab.locator("#todos li bdi")).to_have_text(["two", "one"])
    assert reader.todos() == ["two", "one"]
    assert window.console_errors()


def test_a_list_that_could_not_be_fetched_is_fetched_again(window: Window, reader: Reader) -> None:
    """Neither the first time, when no answer comes, nor the second, when the server is not well."""
    tab = window.open("/notes")
    lost: list[str] = []

    def lose_two_lists(route: Route) -> None:
        if route.request.method == "POST" or len(lost) == 2:
            route.fallback()
        else:
            lost.append(route.request.method)
            route.abort("connectionreset") if len(lost) == 1 else route.fulfill(status=503)

    tab.route("**/notes", lose_two_lists)
    write(tab, "반달")
    expect(tab.get_by_role("article")).to_contain_text("반달")
    expect(waiting(tab)).to_have_count(0)
    assert lost == ["GET", "GET"]
    assert window.console_errors()
    assert reader.notes() == ["반달"]


def test_edits_of_one_note_are_in_no_conflict_with_each_other(window: Window, reader: Reader) -> None:
    """The first is stored, but its answer is lost. The second one starts from the version before both."""
    note_id = reader.write("as it was", "title")
    tab = window.open(f"/notes/{note_id}/edit")
    tab.route(f"**/notes/{note_id}", lose, times=1)
    write(tab, "the first edit")
    expect(tab.locator("#outbox")).to_contain_text(AWAY[1])
    write(tab, "the second edit")
    expect(tab).to_have_url(f"{window.url}/notes")
    assert reader.notes() == ["the second edit"]
    assert is_settled(tab)
    window.console_errors()


def test_an_edit_that_waits_is_replaced_by_a_later_one(window: Window, reader: Reader, offline: Switch) -> None:
    note_id = reader.write("as it was", "title")
    tab = window.open(f"/notes/{note_id}/edit")
    offline(True)
    for words in ("one", "two", "three"):
        write(tab, words)
    expect(text(tab)).to_have_value("three")
    offline(False)
    expect(tab).to_have_url(f"{window.url}/notes")
    assert reader.notes() == ["three"]
    with reader.app():
        assert db.session.get_one(Note, note_id).version <= 3, "the second one was sent too"


def test_an_editor_goes_on_from_an_edit_that_waits(window: Window, reader: Reader) -> None:
    """Its page was made before that edit."""
    note_id = reader.write("as it was", "title")
    tab = window.open(f"/notes/{note_id}/edit")
    tab.route(f"**/notes/{note_id}", lambda route: route.abort("connectionreset"))
    write(tab, "in the tunnel")
    expect(tab.locator("#outbox")).to_contain_text(AWAY[1])
    window.open(f"/notes/{note_id}/edit")
    expect(text(tab)).to_have_value("in the tunnel")
    text(tab).press_sequentially(", and out of it")
    tab.unroute_all()
    tab.keyboard.press("Control+Enter")
    wait_until(lambda: reader.notes() == ["in the tunnel, and out of it"], "both are stored")
    expect(tab).not_to_have_url(f"{window.url}/notes/{note_id}/edit")
    window.console_errors()


@pytest.mark.parametrize(("path", "typed", "left"), [("/notes", "once", ""), ("/notes?tag=달", "once #달", "#달 ")])
def test_a_second_click_stores_nothing_more(window: Window, reader: Reader, path: str, typed: str, left: str) -> None:
    """Neither does it ask for a text, nor is a note stored of the tag alone."""
    tab = window.open(path)
    text(tab).fill(typed)
    button(tab, "Save").dblclick()
    wait_until(lambda: reader.notes() == [typed] and is_settled(tab), "it is stored")
    expect(tab.locator("[data-sent]")).to_be_visible()
    expect(text(tab)).to_have_value(left)
    expect(tab).to_have_url(re.compile(r"/notes(\?tag=[^&]*)?$"))
    assert reader.notes() == [typed]


@pytest.mark.parametrize(("choice", "stored"), [("Save my text", ["mine"]), ("Keep both", ["mine", "theirs"])])
def test_an_edit_of_another_device_is_still_a_conflict(
    window: Window, reader: Reader, offline: Switch, choice: str, stored: list[str]
) -> None:
    note_id = reader.write("as it was", "title")
    tab = window.open(f"/notes/{note_id}/edit")
    offline(True)
    write(tab, "mine")
    expect(tab.locator("#outbox")).to_contain_text(AWAY[1])
    reader.rewrite(note_id, "title", "theirs")
    offline(False)
    expect(tab.get_by_role("alert")).to_be_focused()
    expect(tab.get_by_role("heading", name="This note was changed in the meantime")).to_be_visible()
    expect(tab.get_by_role("region", name="Saved text")).to_contain_text("theirs")
    expect(tab.get_by_role("region", name="Your text")).to_contain_text("mine")
    assert reader.notes() == ["theirs"], "nothing is replaced unasked"
    window.set_width(NARROWEST, 500)  # less than both texts
    tab.evaluate("scrollTo(0, 0)")
    for name in ("Save my text", "Keep both"):
        expect(button(tab, name)).to_be_in_viewport(ratio=1)
    expect(tab.locator(".primary")).to_have_count(1)
    button(tab, choice).click()
    expect(tab).to_have_url(f"{window.url}/notes")
    assert sorted(reader.notes()) == stored
    assert is_settled(tab)
    window.open(f"/notes/{note_id}/edit")
    expect(tab.locator("[data-offer]")).to_be_hidden()  # no draft is left of what is stored


def test_what_the_server_refuses_waits_with_its_reason(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    window.set_network(latency=LATENCY)
    write(tab, "x" * 20_001)
    text(tab).fill("typed meanwhile")
    expect(tab.locator(".waiting li")).to_contain_text("Please use at most 20,000 characters.")
    expect(text(tab)).to_have_value("typed meanwhile")
    text(tab).fill("")
    button(tab, "See why").click()
    expect(tab.locator("#content-error")).to_be_visible()
    expect(text(tab)).to_have_value("x" * 20_001)
    assert reader.notes() == []
    window.console_errors()


def test_offline_a_todo_is_ticked_off_and_a_tick_taken_back(window: Window, reader: Reader, offline: Switch) -> None:
    reader.add("우유", "책")
    tab = window.open("/todos")
    offline(True)
    for what, pressed in (("우유", "true"), ("책", "true"), ("우유", "false")):
        button(tab, f"Complete: {what}").click()
        expect(button(tab, f"Complete: {what}")).to_have_attribute("aria-pressed", pressed)
    offline(False)
    wait_until(lambda: is_settled(tab), "all are sent")
    assert set(reader.todos()) == {"우유", "✓ 책"}


def test_a_task_of_a_note_is_ticked_and_taken_back_where_it_is_read(window: Window, reader: Reader) -> None:
    note_id = reader.write("- [ ] 우유\n- [ ] 빵")
    tab = window.open(f"/notes/{note_id}")
    window.set_network(latency=LATENCY)
    for name, pressed in (("우유", "true"), ("빵", "true"), ("우유", "false")):
        box = tab.get_by_role("button", name=name)
        box.click()
        expect(box).to_have_attribute("aria-pressed", pressed)
        expect(box).to_be_focused()
    wait_until(lambda: reader.notes() == ["- [ ] 우유\n- [x] 빵"], "all are stored")


def test_nobody_elses_account_gets_what_waits(window: Window, reader: Reader, other: Reader, offline: Switch) -> None:
    tab = window.open("/todos")
    offline(True)
    add(tab, "mine alone")
    expect(waiting(tab)).to_have_count(1)
    window.use_cookies(other.cookies)
    offline(False)
    expect(tab.locator("#outbox")).to_contain_text("Sign in again")
    window.open("/todos")
    expect(waiting(tab)).to_have_count(0)
    assert (other.todos(), reader.todos()) == ([], [])
    window.use_cookies(reader.sign_in().cookies)
    window.open("/todos")
    expect(tab.locator("#todos li bdi")).to_have_text(["mine alone"])
    assert (other.todos(), reader.todos()) == ([], ["mine alone"])


def test_a_page_that_stayed_open_sends_once_its_reader_has_signed_in_elsewhere(window: Window, reader: Reader) -> None:
    tab = window.open("/todos")
    tab.context.clear_cookies()
    add(tab, "one")
    expect(tab.locator("#outbox")).to_contain_text("Sign in again")
    window.use_cookies(reader.sign_in().cookies)
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#todos li bdi")).to_have_text(["one"])
    expect(tab.locator("#outbox")).to_be_hidden()
    assert reader.todos() == ["one"]
    assert is_settled(tab)
    window.console_errors()


def test_signing_out_takes_nothing_without_a_network_and_asks_before_it_does(window: Window, offline: Switch) -> None:
    tab = window.open("/notes")
    text(tab).fill("not saved")
    expect(tab.get_by_text("Draft saved")).to_be_visible()
    window.open("/mypage")
    offline(True)
    with tab.expect_event("requestfailed"):
        button(tab, "Sign out").click(no_wait_after=True)
    offline(False)
    window.open("/notes")
    button(tab, "Restore draft").click()
    expect(text(tab)).to_have_value("not saved")
    window.open("/mypage")
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    tab.once("dialog", refuse)
    button(tab, "Sign out").click()
    assert asked == ["Signing out deletes unsaved text from this device. Sign out?"]
    expect(tab).to_have_url(re.compile("/mypage$"))
    tab.once("dialog", lambda dialog: dialog.accept())
    button(tab, "Sign out").click()
    expect(tab.get_by_label("Password", exact=True)).to_be_visible()
    assert tab.evaluate("localStorage.length") == 0


def device_that_kept_its_pages(windows: Windows, cookies: dict[str, str]) -> Window:
    device = windows.fresh("en", cookies=cookies, worker=True)
    for path in ("/notes", "/todos"):
        device.tab.goto(device.url + path)
        wait_until(partial(device.tab.evaluate, IS_KEPT, path), f"{path} is kept")
    return device


@pytest.mark.minutes
@pytest.mark.timeout(300)
def test_two_devices_that_go_off_and_on_lose_and_double_nothing(windows: Windows, reader: Reader) -> None:
    """The pages are opened without a network too, from what the service worker keeps."""
    devices = {name: device_that_kept_its_pages(windows, reader.sign_in().cookies) for name in "ab"}
    entered: dict[str, list[str]] = {"ano": [], "bno": [], "ato": [], "bto": []}
    for number in range(2 * EACH):
        for name, device in devices.items():
            is_note = number // 5 % 2 == 0
            entry = f"{name}{'no' if is_note else 'to'}{number}"
            device.tab.context.set_offline(number % 10 in (3, 4, 5, 8))
            if number % 5 == 0:
                device.open("/notes" if is_note else "/todos")
            (write if is_note else add)(device.tab, entry)
            entered[entry[:3]].append(entry)
    for device in devices.values():
        device.tab.context.set_offline(False)
    wait_until(lambda: all(is_settled(device.tab) for device in devices.values()), "all are sent")
    with reader.app():
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
