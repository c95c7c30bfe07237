"""Keep what waits in the outbox for the account that wrote it: signed out, signed in again, or somebody else."""

from collections.abc import Callable

from playwright.sync_api import Dialog, expect

from tests.browser.readers import Reader, new_reader, sign_in
from tests.browser.site import Site
from tests.browser.test_outbox import add, is_empty, opened, stored_todos, text, waiting
from tests.browser.window import Window


def test_signing_out_without_a_network_deletes_nothing(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    tab = opened(window, "/notes")
    text(tab).fill("not saved")
    expect(tab.get_by_text("Draft saved")).to_be_visible()
    offline(True)
    with tab.expect_event("requestfailed"):
        tab.get_by_role("button", name="Sign out").click(no_wait_after=True)
    offline(False)
    opened(window, "/notes")
    tab.get_by_role("button", name="Restore draft").click()
    expect(text(tab)).to_have_value("not saved")


def test_nobody_elses_account_gets_what_waits(
    window: Window, site: Site, reader: Reader, offline: Callable[[bool], None]
) -> None:
    tab = opened(window, "/todos")
    offline(True)
    add(tab, "mine alone")
    expect(waiting(tab)).to_have_count(1)
    other = new_reader(site)
    window.use_cookies(other.cookies)
    offline(False)
    expect(tab.locator("#outbox")).to_contain_text("Sign in again")
    opened(window, "/todos")
    expect(waiting(tab)).to_have_count(0)
    assert (stored_todos(site, other), stored_todos(site, reader)) == ([], [])
    window.use_cookies(sign_in(site, reader.email))
    opened(window, "/todos")
    expect(tab.locator("#todos li bdi")).to_have_text(["mine alone"])
    assert (stored_todos(site, other), stored_todos(site, reader)) == ([], ["mine alone"])


def test_signed_in_again_in_another_window_it_is_sent(window: Window, site: Site, reader: Reader) -> None:
    """The page has the CSRF token of a session that has ended."""
    tab = opened(window, "/todos")
    window.use_cookies(sign_in(site, reader.email))
    add(tab, "one", "two")
    expect(tab.locator("#todos li bdi")).to_have_text(["two", "one"])
    assert stored_todos(site, reader) == ["one", "two"]
    window.console_errors()


def test_a_page_that_stayed_open_sends_once_its_reader_has_signed_in_elsewhere(
    window: Window, site: Site, reader: Reader
) -> None:
    tab = opened(window, "/todos")
    tab.context.clear_cookies()
    add(tab, "one")
    expect(tab.locator("#outbox")).to_contain_text("Sign in again")
    window.use_cookies(sign_in(site, reader.email))
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#todos li bdi")).to_have_text(["one"])
    expect(tab.locator("#outbox")).to_be_hidden()
    assert stored_todos(site, reader) == ["one"]
    assert is_empty(tab)
    window.console_errors()


def test_signing_out_asks_before_it_takes_what_was_not_saved(window: Window, site: Site, reader: Reader) -> None:
    tab = opened(window, "/notes")
    text(tab).fill("not saved")
    expect(tab.get_by_text("Draft saved")).to_be_visible()
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    tab.once("dialog", refuse)
    tab.get_by_role("button", name="Sign out").click()
    assert asked == ["Signing out deletes unsaved text from this device. Sign out?"]
    expect(text(tab)).to_have_value("not saved")
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("Password", exact=True)).to_be_visible()
    assert tab.evaluate("localStorage.length") == 0
