"""Drafts: text that is not saved stays in this browser. It is offered again, and never filled in by itself."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes import listing
from app.notes import service as notes
from tests.browser.readers import Reader, new_reader, sign_in
from tests.browser.site import Site
from tests.browser.window import Window
from tests.waiting import wait_until

DRAFTS = "Object.keys(localStorage).filter(key => key.startsWith('draft:'))"
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
  get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
});"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("exceeded", "QuotaExceededError"); };"""


def text(tab: Tab) -> Locator:
    return tab.get_by_label("Text", exact=True)


def offer(tab: Tab) -> Locator:
    return tab.locator("[data-offer]")


def write(tab: Tab, words: str) -> None:
    """Type, and wait until the draft is kept."""
    text(tab).fill(words)
    expect(tab.get_by_text("Draft saved · just now")).to_be_visible()
    wait_until(lambda: words in tab.evaluate("JSON.stringify({...localStorage})"), "it is kept")


def bring_back(tab: Tab) -> None:
    offer(tab).get_by_role("button", name="Restore draft").click()


def open_notes(window: Window) -> Tab:
    window.tab.goto(f"{window.url}/notes")
    return window.tab


def stored(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in listing.list_notes(reader.id).notes]


@pytest.mark.smoke
def test_it_is_offered_again_and_brought_back(window: Window, site: Site, reader: Reader) -> None:
    tab = open_notes(window)
    expect(offer(tab)).to_be_hidden()
    write(tab, "반만 적은 메모")
    open_notes(window)
    expect(offer(tab)).to_contain_text("You have unsaved text.")
    expect(text(tab)).to_have_value("")
    bring_back(tab)
    expect(text(tab)).to_have_value("반만 적은 메모")
    expect(text(tab)).to_be_focused()
    expect(offer(tab)).to_be_hidden()
    assert stored(site, reader) == []


def test_what_was_refused_is_offered_again(window: Window) -> None:
    tab = open_notes(window)
    text(tab).fill("x" * 2001)
    tab.get_by_role("button", name="Save").click()
    expect(tab.locator(".wrong")).to_be_visible()
    tab.goto(f"{window.url}/todos")
    open_notes(window)
    bring_back(tab)
    expect(text(tab)).to_have_value("x" * 2001)
    window.console_errors()


def test_a_reload_loses_nothing(window: Window) -> None:
    tab = open_notes(window)
    write(tab, "before the reload")
    tab.reload()
    if offer(tab).is_visible():  # or the browser itself has put it in again
        bring_back(tab)
    expect(text(tab)).to_have_value("before the reload")


def test_what_was_typed_since_changes_places_with_it(window: Window) -> None:
    tab = open_notes(window)
    write(tab, "the first")
    open_notes(window)
    write(tab, "the second")
    expect(text(tab)).to_have_value("the second")
    bring_back(tab)
    expect(text(tab)).to_have_value("the first")
    bring_back(tab)
    expect(text(tab)).to_have_value("the second")


def test_it_is_gone_once_it_is_saved(window: Window, site: Site, reader: Reader) -> None:
    tab = open_notes(window)
    write(tab, "saved in the end")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("article").get_by_text("saved in the end").first).to_be_visible()
    expect(offer(tab)).to_be_hidden()
    wait_until(lambda: not tab.evaluate(DRAFTS), "the draft is dropped")
    assert stored(site, reader) == ["saved in the end"]


def test_discarded_it_does_not_come_back(window: Window) -> None:
    tab = open_notes(window)
    write(tab, "not worth it")
    open_notes(window)
    offer(tab).get_by_role("button", name="Discard").click()
    expect(offer(tab)).to_be_hidden()
    assert not tab.evaluate(DRAFTS)
    open_notes(window)
    expect(offer(tab)).to_be_hidden()
    expect(text(tab)).to_have_value("")


def test_another_account_in_this_browser_never_sees_it(window: Window, site: Site, reader: Reader) -> None:
    tab = open_notes(window)
    write(tab, "for my eyes only")
    window.use_cookies(new_reader(site).cookies)
    open_notes(window)
    expect(offer(tab)).to_be_hidden()
    expect(text(tab)).to_have_value("")
    window.use_cookies(reader.cookies)
    open_notes(window)
    expect(offer(tab)).to_be_visible()


def test_signing_out_leaves_none_behind(window: Window) -> None:
    tab = open_notes(window)
    write(tab, "on a shared computer")
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(re.compile("/sign-in$"))
    assert not tab.evaluate(DRAFTS)


def test_signing_another_device_out_keeps_them(window: Window, site: Site, reader: Reader) -> None:
    sign_in(site, reader.email)
    tab = open_notes(window)
    write(tab, "on my own computer")
    tab.goto(f"{window.url}/mypage/devices")
    devices = tab.get_by_role("main").get_by_role("listitem")
    others = devices.filter(has_not_text="This device")
    before = devices.count()
    others.first.get_by_role("button", name="Sign out").click()
    expect(devices).to_have_count(before - 1)
    assert tab.evaluate(DRAFTS)


def test_the_draft_of_a_note_that_was_changed_says_so(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        note_id = notes.create_note(reader.id, "half", "of the moon")
    tab = window.tab
    tab.goto(f"{window.url}/notes/{note_id}/edit")
    write(tab, "mine, not saved")
    tab.goto(f"{window.url}/notes/{note_id}/edit")
    expect(offer(tab)).to_be_visible()
    expect(offer(tab)).not_to_contain_text("The note has changed since then.", use_inner_text=True)
    with site.app.app_context():
        notes.update_note(reader.id, note_id, "half", "newer, from another device", version=1)
    tab.goto(f"{window.url}/notes/{note_id}/edit")
    expect(offer(tab)).to_contain_text("The note has changed since then.", use_inner_text=True)
    expect(text(tab)).to_have_value("newer, from another device")
    bring_back(tab)
    expect(text(tab)).to_have_value("mine, not saved")
    assert stored(site, reader) == ["newer, from another device"]


@pytest.mark.parametrize("state", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_a_note_is_written_as_ever(window: Window, site: Site, reader: Reader, state: str) -> None:
    window.tab.add_init_script(state)
    window.tab.clock.install()
    tab = open_notes(window)
    text(tab).press_sequentially("kept by nobody")
    tab.clock.run_for(2000)  # longer than the pause after which a draft is kept
    expect(tab.get_by_text("Draft saved")).to_have_count(0)
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("article")).to_have_count(1)
    expect(offer(tab)).to_be_hidden()
    assert stored(site, reader) == ["kept by nobody"]
