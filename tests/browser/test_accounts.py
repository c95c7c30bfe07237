"""Passkeys by keyboard only, the strength meter below a new password, and sessions that end while somebody types.

Chromium's virtual authenticator is a device that is there and knows its owner. When a session has ended, with scripts
the outbox keeps a note or a todo, and sends it after the sign-in; tests/web/test_form_tokens.py has the other forms.
Ten minutes after the sign-in the password is asked for before what matters, and what was asked for is done.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.accounts.test_password_policy import ACCEPTED, EMAIL, NICKNAME, REFUSED
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard, button, link, posts_of
from tests.browser.pages import PASSWORD
from tests.browser.site import Reader, Site
from tests.browser.window import Window, Windows
from tests.waiting import wait_until

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PAGE = "/mypage/passkeys"
# Types each password, and reads what the meter says. All in one go: there are many.
READ = """
([field, passwords]) => passwords.map((password) => {
  field.value = password;
  field.dispatchEvent(new Event("input"));
  return document.querySelector("[data-strength] [role=status]").textContent;
})
"""


@pytest.fixture
def device(windows: Windows, reader: Reader) -> Iterator[Window]:
    """Yield a window on a phone that can make passkeys."""
    window = windows.fresh("en", cookies=reader.cookies)
    window.emulate("light", "phone")
    session = window.tab.context.new_cdp_session(window.tab)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield window
    window.tab.context.close()


@pytest.fixture
def keys(device: Window) -> Keyboard:
    return Keyboard(device.tab)


def add_passkey(device: Window, keys: Keyboard) -> None:
    device.open(PAGE)
    keys.write(Control("textbox", "name"), "my phone")
    keys.press(Control("button", "add a passkey"))
    keys.sees(Control("link", "my phone: edit"))


def sign_out(keys: Keyboard) -> None:
    keys.press(link("My page"))
    keys.press(Control("button", "sign out"))
    keys.is_at("/sign-in")


def sign_in(tab: Tab, reader: Reader) -> None:
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    button(tab, "Sign in").click()


@pytest.mark.smoke
def test_a_passkey_signs_in_alone_and_its_device_makes_no_second_one(device: Window, keys: Keyboard) -> None:
    add_passkey(device, keys)
    sign_out(keys)
    keys.press(Control("button", "sign in with a passkey"))
    keys.is_at("/notes")
    device.open(PAGE)
    keys.press(Control("button", "add a passkey"))
    said = device.tab.get_by_role("status").filter(has_text="This device already has one of your passkeys.")
    expect(said).to_be_visible()
    assert not axe_violations(device.tab)
    assert not device.console_errors()


def test_a_page_left_open_asks_for_the_password_and_then_adds(device: Window, keys: Keyboard, reader: Reader) -> None:
    device.open(PAGE)
    reader.let_ten_minutes_go_by()
    keys.write(Control("textbox", "name"), "my phone")
    keys.press(Control("button", "add a passkey"))
    expect(device.tab.get_by_role("main")).to_contain_text(": my phone")
    keys.write(Control("textbox", "password", is_password=True), PASSWORD)
    device.tab.keyboard.press("Enter")
    keys.sees(Control("link", "my phone: edit"))
    reader.let_ten_minutes_go_by()
    keys.press(Control("link", "my phone: edit"))
    keys.is_at("/sign-in/confirm.*")
    keys.press(Control("button", "use a passkey"))
    keys.is_at(f"{PAGE}/[0-9]+")
    reader.let_ten_minutes_go_by()
    keys.press(Control("button", "remove passkey"))
    keys.press(Control("button", "use a passkey"))
    expect(device.tab.get_by_text("You don't have a passkey yet.")).to_be_visible()
    assert all("403" in error for error in device.console_errors())  # of the question that was refused


def test_the_second_step_by_passkey_and_by_recovery_code(device: Window, keys: Keyboard, reader: Reader) -> None:
    add_passkey(device, keys)
    keys.press(Control("button", "turn on two-step sign-in"))
    keys.sees(Control("link", "i've written them down"))
    codes = device.tab.locator("code").all_text_contents()
    device.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys.press(Control("button", "copy"))
    expect(device.tab.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert device.tab.evaluate("navigator.clipboard.readText()").split() == codes
    with device.tab.expect_download() as download:
        keys.press(link("Download"))
    assert download.value.suggested_filename == "semicircle-recovery-codes.txt"
    assert download.value.path().read_text().split() == codes
    keys.press(Control("link", "i've written them down"))
    sign_out(keys)

    sign_in(device.tab, reader)
    keys.is_at("/sign-in/second-step")
    keys.press(Control("button", "use a passkey"))
    keys.is_at("/notes")
    sign_out(keys)

    sign_in(device.tab, reader)
    keys.is_at("/sign-in/second-step")
    assert not axe_violations(device.tab)  # not earlier: it ends the virtual authenticator
    keys.write(Control("textbox", "recovery code"), codes[0])
    keys.press(Control("button", "sign in with the code"))
    keys.is_at("/notes")
    assert not device.console_errors()


def test_without_scripts_the_password_signs_in(window_without_scripts: Window, reader: Reader) -> None:
    tab = window_without_scripts.open(PAGE)
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    expect(tab.get_by_text("This needs JavaScript")).to_be_visible()
    window_without_scripts.use_cookies({})
    window_without_scripts.open("/sign-in")
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    sign_in(tab, reader)
    tab.wait_for_url("**/notes")


def test_the_meter_calls_weak_what_the_server_refuses_and_sentences_strong(window: Window, site: Site) -> None:
    """But for a long one of the list, which only the server has: 안녕하세요, typed on a Latin keyboard."""
    tab = window.open(f"/sign-up/{site.ids['sign_up_token']}")
    tab.locator("[name=nickname]").fill(NICKNAME)
    tab.locator("[name=username]").evaluate("(field, email) => { field.value = email; }", EMAIL)
    passwords = [*(password for password, _ in REFUSED), *ACCEPTED]
    field = tab.locator("[name=password]").element_handle()
    said = dict(zip(passwords, tab.evaluate(READ, [field, passwords]), strict=True))
    weak = {password for password, words in said.items() if words == said["aaaaaaaaaa"]}
    assert said["aaaaaaaaaa"].endswith("weak")
    assert {password for password, _ in REFUSED} - weak <= {"dkssudgktpdy"}
    assert len(weak & set(ACCEPTED)) < len(ACCEPTED) / 6, weak & set(ACCEPTED)
    for sentence in ("correct horse battery staple", "아침마다 커피를 두 잔 마셔요"):
        assert said[sentence].endswith("strong")


def test_a_password_that_is_too_short_is_told_before_it_is_sent_and_stays(window: Window, site: Site) -> None:
    for path, name in ((f"/sign-up/{site.ids['sign_up_token']}", "Password"), ("/mypage/edit", "New password")):
        tab = window.open(path)
        posts, field = posts_of(tab), tab.get_by_label(name, exact=True)
        field.press_sequentially("short")
        field.press("Enter")
        assert field.evaluate("field => field.validity.tooShort")
        expect(field).to_be_focused()
        expect(field).to_have_value("short")
        assert posts == [], path


def test_an_access_token_is_copied(window: Window) -> None:
    tab = window.open("/mypage/tokens")
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.get_by_label("Name", exact=True).fill("backup")
    tab.get_by_label("Read notes").check()
    button(tab, "Create the token").click()
    button(tab, "Copy").click()
    expect(button(tab, "Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.locator("code").text_content()


def test_the_error_of_a_refused_password_goes_when_the_next_one_is_good(window: Window) -> None:
    tab = window.open("/mypage/edit")
    tab.get_by_label("Current password").fill(PASSWORD)
    field = tab.get_by_label("New password")
    field.fill("aaaaaaaaaa")
    field.press("Enter")
    error = tab.locator("#new_password-error")
    expect(error).to_be_visible()
    field.fill("aaaaaaaaab")
    expect(error).to_be_visible()
    field.fill("correct horse battery staple")
    expect(error).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")
    window.console_errors()  # of the status 422


IN_OUTBOX = "1 change waiting to be saved"


def test_a_note_and_a_todo_that_were_typed_are_stored_after_signing_in(window: Window, reader: Reader) -> None:
    reader.add("as it was")
    note, todo = (f"/notes/{reader.write('as it was')}/edit", "Text", "Save"), ("/todos", "New todo", "Add")
    for stored, (path, field, name) in ((reader.notes, note), (reader.todos, todo)):
        tab = window.open(path)
        box = tab.get_by_role("textbox", name=field, exact=True)
        box.fill("반달")
        tab.context.clear_cookies()
        box.locator("xpath=ancestor::form").get_by_role("button", name=name, exact=True).click()
        expect(tab.get_by_text(IN_OUTBOX)).to_be_visible()
        assert stored() == ["as it was"], "it was not sent yet"
        tab.get_by_role("status").get_by_role("link", name="Sign in again").click()
        sign_in(tab, reader)
        expect(tab.get_by_text("반달").locator("visible=true").first).to_be_visible()
        expect(tab.get_by_text(IN_OUTBOX)).to_be_hidden()
        wait_until(lambda stored=stored: "반달" in stored(), "it is stored")  # type: ignore[misc]
    assert (reader.notes(), reader.todos()) == (["반달"], ["반달", "as it was"])


def test_an_export_begins(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    reader.let_ten_minutes_go_by()
    tab = window.open("/mypage")
    keyboard.press(link("Export"))
    keyboard.is_at("/sign-in/confirm.*")
    keyboard.write(Control("textbox", "password", is_password=True), PASSWORD)
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".zip")
    expect(tab.get_by_role("heading", name="Your download is starting")).to_be_visible()
    assert not axe_violations(tab)
    keyboard.press(link("Back to my page"))
    keyboard.is_at("/mypage")
