"""Passkeys by keyboard only, and the strength meter below a new password.

Chromium's virtual authenticator is a device that is there and knows its owner.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.accounts.passwords import ACCEPTED, EMAIL, NICKNAME, REFUSED
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard
from tests.browser.pages import PASSWORD
from tests.browser.site import Reader, Site
from tests.browser.window import Window, Windows

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
def keyboard(device: Window) -> Keyboard:
    return Keyboard(device.tab)


def button(name: str) -> Control:
    return Control("button", name)


def add_passkey(device: Window, keyboard: Keyboard) -> None:
    device.open(PAGE)
    keyboard.write(Control("textbox", "name"), "my phone")
    keyboard.press(button("add a passkey"))
    keyboard.sees(Control("link", "my phone: edit"))


def sign_out(keyboard: Keyboard) -> None:
    keyboard.press(button("sign out"))
    keyboard.is_at("/sign-in")


def type_password(keyboard: Keyboard, reader: Reader) -> None:
    keyboard.write(Control("textbox", "email"), reader.email)
    keyboard.write(Control("textbox", "password", is_password=True), PASSWORD)
    keyboard.press(button("sign in$"))


@pytest.mark.smoke
def test_a_passkey_signs_in_alone_and_its_device_makes_no_second_one(device: Window, keyboard: Keyboard) -> None:
    add_passkey(device, keyboard)
    sign_out(keyboard)
    keyboard.press(button("sign in with a passkey"))
    keyboard.is_at("/notes")
    device.open(PAGE)
    keyboard.press(button("add a passkey"))
    said = device.tab.get_by_role("status").filter(has_text="This device already has one of your passkeys.")
    expect(said).to_be_visible()
    assert not axe_violations(device.tab)
    assert not device.console_errors()


def test_a_page_left_open_asks_for_the_password_and_then_adds(
    device: Window, keyboard: Keyboard, reader: Reader
) -> None:
    device.open(PAGE)
    reader.let_ten_minutes_go_by()
    keyboard.write(Control("textbox", "name"), "my phone")
    keyboard.press(button("add a passkey"))
    expect(device.tab.get_by_role("main")).to_contain_text(": my phone")
    keyboard.write(Control("textbox", "password", is_password=True), PASSWORD)
    device.tab.keyboard.press("Enter")
    keyboard.sees(Control("link", "my phone: edit"))
    reader.let_ten_minutes_go_by()
    keyboard.press(Control("link", "my phone: edit"))
    keyboard.is_at("/sign-in/confirm.*")
    keyboard.press(button("use a passkey"))
    keyboard.is_at(f"{PAGE}/[0-9]+")
    reader.let_ten_minutes_go_by()
    keyboard.press(button("remove passkey"))
    keyboard.press(button("use a passkey"))
    expect(device.tab.get_by_text("You don't have a passkey yet.")).to_be_visible()
    assert all("403" in error for error in device.console_errors())  # of the question that was refused


def test_the_second_step_by_passkey_and_by_recovery_code(device: Window, keyboard: Keyboard, reader: Reader) -> None:
    add_passkey(device, keyboard)
    keyboard.press(button("turn on two-step sign-in"))
    keyboard.sees(Control("link", "i've written them down"))
    [code, *_] = device.tab.locator("code").all_text_contents()
    keyboard.press(Control("link", "i've written them down"))
    sign_out(keyboard)

    type_password(keyboard, reader)
    keyboard.is_at("/sign-in/second-step")
    keyboard.press(button("use a passkey"))
    keyboard.is_at("/notes")
    sign_out(keyboard)

    type_password(keyboard, reader)
    keyboard.is_at("/sign-in/second-step")
    assert not axe_violations(device.tab)  # not earlier: it ends the virtual authenticator
    keyboard.write(Control("textbox", "recovery code"), code)
    keyboard.press(button("sign in with the code"))
    keyboard.is_at("/notes")
    device.open(PAGE)
    expect(device.tab.get_by_text("Recovery codes left: 9")).to_be_visible()

    keyboard.press(button("turn off two-step sign-in"))
    keyboard.sees(button("turn on two-step sign-in"))
    keyboard.press(Control("link", "my phone: edit"))
    keyboard.press(button("remove passkey"))
    expect(device.tab.get_by_text("You don't have a passkey yet.")).to_be_visible()
    assert not device.console_errors()


def test_without_scripts_the_password_signs_in(window_without_scripts: Window, reader: Reader) -> None:
    tab = window_without_scripts.open(PAGE)
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    expect(tab.get_by_text("This needs JavaScript")).to_be_visible()
    window_without_scripts.use_cookies({})
    window_without_scripts.open("/sign-in")
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("Password", exact=True).press("Enter")
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
