"""Drafts: text that is not saved stays in this browser. It is offered again, and never filled in by itself."""

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from tests.browser.controls import button, text
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.waiting import wait_until

DRAFTS = "Object.keys(localStorage).filter(key => key.startsWith('draft:'))"
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
  get() { throw new DOMException("Access is denied for this document.", "SecurityError"); },
});"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("exceeded", "QuotaExceededError"); };"""
CHANGED = "The note has changed since then."


def offer(tab: Tab) -> Locator:
    return tab.locator("[data-offer]")


def write(tab: Tab, words: str) -> None:
    """Type, and wait until the draft is kept."""
    text(tab).fill(words)
    expect(tab.get_by_text("Draft saved · just now")).to_be_visible()
    wait_until(lambda: words in tab.evaluate("JSON.stringify({...localStorage})"), "it is kept")


def bring_back(tab: Tab) -> None:
    offer(tab).get_by_role("button", name="Restore draft").click()


@pytest.mark.smoke
def test_it_is_offered_again_and_changes_places_with_what_was_typed_since(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    expect(offer(tab)).to_be_hidden()
    write(tab, "반만 적은 메모")
    window.open("/notes")
    expect(offer(tab)).to_contain_text("You have unsaved text.")
    expect(text(tab)).to_have_value("")
    bring_back(tab)
    expect(text(tab)).to_have_value("반만 적은 메모")
    expect(text(tab)).to_be_focused()
    expect(offer(tab)).to_be_hidden()

    window.open("/notes")
    write(tab, "the second")
    bring_back(tab)
    expect(text(tab)).to_have_value("반만 적은 메모")
    bring_back(tab)
    expect(text(tab)).to_have_value("the second")
    assert reader.notes() == []


def test_what_was_refused_is_offered_again(window: Window) -> None:
    tab = window.open("/notes")
    text(tab).fill("x" * 2001)
    button(tab, "Save").click()
    expect(tab.locator(".wrong")).to_be_visible()
    window.open("/todos")
    window.open("/notes")
    bring_back(tab)
    expect(text(tab)).to_have_value("x" * 2001)
    window.console_errors()


def test_saved_or_discarded_it_does_not_come_back(window: Window, reader: Reader) -> None:
    tab = window.open("/notes")
    write(tab, "saved in the end")
    button(tab, "Save").click()
    expect(tab.get_by_role("article").get_by_text("saved in the end").first).to_be_visible()
    expect(offer(tab)).to_be_hidden()
    wait_until(lambda: not tab.evaluate(DRAFTS), "the draft is dropped")

    write(tab, "not worth it")
    window.open("/notes")
    offer(tab).get_by_role("button", name="Discard").click()
    expect(offer(tab)).to_be_hidden()
    assert not tab.evaluate(DRAFTS)
    window.open("/notes")
    expect(offer(tab)).to_be_hidden()
    expect(text(tab)).to_have_value("")
    assert reader.notes() == ["saved in the end"]


def test_another_account_in_this_browser_never_sees_it(window: Window, reader: Reader, other: Reader) -> None:
    tab = window.open("/notes")
    write(tab, "for my eyes only")
    window.use_cookies(other.cookies)
    window.open("/notes")
    expect(offer(tab)).to_be_hidden()
    expect(text(tab)).to_have_value("")
    window.use_cookies(reader.cookies)
    window.open("/notes")
    expect(offer(tab)).to_be_visible()


def test_signing_another_device_out_keeps_them(window: Window, reader: Reader) -> None:
    reader.sign_in()
    tab = window.open("/notes")
    write(tab, "on my own computer")
    window.open("/mypage/devices")
    devices = tab.get_by_role("main").get_by_role("listitem")
    expect(devices).to_have_count(2)
    devices.filter(has_not_text="This device").get_by_role("button", name="Sign out").click()
    expect(devices).to_have_count(1)
    assert tab.evaluate(DRAFTS)


def test_the_draft_of_a_note_that_was_changed_says_so(window: Window, reader: Reader) -> None:
    note_id = reader.write("of the moon", "half")
    tab = window.open(f"/notes/{note_id}/edit")
    write(tab, "mine, not saved")
    window.open(f"/notes/{note_id}/edit")
    expect(offer(tab)).to_be_visible()
    expect(offer(tab)).not_to_contain_text(CHANGED, use_inner_text=True)
    reader.rewrite(note_id, "half", "newer, from another device")
    window.open(f"/notes/{note_id}/edit")
    expect(offer(tab)).to_contain_text(CHANGED, use_inner_text=True)
    expect(text(tab)).to_have_value("newer, from another device")
    bring_back(tab)
    expect(text(tab)).to_have_value("mine, not saved")
    assert reader.notes() == ["newer, from another device"]


@pytest.mark.parametrize("state", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_a_note_is_written_as_ever(window: Window, reader: Reader, state: str) -> None:
    window.tab.add_init_script(state)
    window.tab.clock.install()
    tab = window.open("/notes")
    text(tab).press_sequentially("kept by nobody")
    tab.clock.run_for(2000)  # longer than the pause after which a draft is kept
    expect(tab.get_by_text("Draft saved")).to_have_count(0)
    button(tab, "Save").click()
    expect(tab.get_by_role("article")).to_have_count(1)
    expect(offer(tab)).to_be_hidden()
    assert reader.notes() == ["kept by nobody"]
