"""Passkeys by keyboard only, with Chromium's virtual authenticator: a device that is there and knows its owner."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, update

from app.accounts import sessions
from app.accounts.models import UserSession
from app.extensions import db
from tests.browser.axe import axe_violations
from tests.browser.keyboard import Control, Keyboard
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window, Windows
from tests.conftest import PASSWORD

WORDS = {
    "en": {
        "add": "add a passkey",
        "sign in by passkey": "sign in with a passkey",
        "sign out": "sign out",
        "turn on": "turn on two-step sign-in",
        "turn off": "turn off two-step sign-in",
        "written": "i've written them down",
        "email": "email",
        "password": "password",
        "sign in": "sign in$",
        "use": "use a passkey",
        "code": "recovery code",
        "sign in by code": "sign in with the code",
        "edit": "my phone: edit",
        "remove": "remove passkey",
        "name": "name",
        "none": "You don't have a passkey yet.",
        "left": "Recovery codes left: 9",
        "known": "This device already has one of your passkeys.",
    },
    "ko": {
        "add": "패스키 추가",
        "sign in by passkey": "패스키로 로그인",
        "sign out": "로그아웃",
        "turn on": "2단계 로그인 켜기",
        "turn off": "2단계 로그인 끄기",
        "written": "적어 두었어요",
        "email": "이메일",
        "password": "비밀번호",
        "sign in": "로그인$",
        "use": "패스키로 확인",
        "code": "복구 코드",
        "sign in by code": "코드로 로그인",
        "edit": "my phone: 수정",
        "remove": "패스키 삭제",
        "name": "이름",
        "none": "아직 패스키가 없어요.",
        "left": "남은 복구 코드: 9개",
        "known": "이 기기에는 이미 내 패스키가 있어요.",
    },
}
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PAGE = "/mypage/passkeys"


@pytest.fixture(params=WORDS)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def words(language: str) -> dict[str, str]:
    return WORDS[language]


@pytest.fixture
def window(windows: Windows, reader: Reader, language: str) -> Iterator[Window]:
    window = windows.fresh(language, cookies=reader.cookies)
    window.emulate("light", "phone")
    device = window.tab.context.new_cdp_session(window.tab)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield window
    window.tab.context.close()


@pytest.fixture
def keyboard(window: Window) -> Keyboard:
    return Keyboard(window.tab)


def button(name: str) -> Control:
    return Control("button", name)


def add_passkey(window: Window, keyboard: Keyboard, words: dict[str, str]) -> None:
    window.tab.goto(window.url + PAGE)
    keyboard.write(Control("textbox", words["name"]), "my phone")
    keyboard.press(button(words["add"]))
    keyboard.sees(Control("link", words["edit"]))


def sign_out(keyboard: Keyboard, words: dict[str, str]) -> None:
    keyboard.press(button(words["sign out"]))
    keyboard.is_at("/sign-in")


def type_password(keyboard: Keyboard, words: dict[str, str], reader: Reader) -> None:
    keyboard.write(Control("textbox", words["email"]), reader.email)
    keyboard.write(Control("textbox", words["password"], is_password=True), PASSWORD)
    keyboard.press(button(words["sign in"]))


@pytest.mark.smoke
def test_a_passkey_signs_in_alone_and_its_device_makes_no_second_one(
    window: Window, keyboard: Keyboard, words: dict[str, str]
) -> None:
    add_passkey(window, keyboard, words)
    sign_out(keyboard, words)
    keyboard.press(button(words["sign in by passkey"]))
    keyboard.is_at("/notes")
    window.tab.goto(window.url + PAGE)
    keyboard.press(button(words["add"]))
    expect(window.tab.get_by_role("status").filter(has_text=words["known"])).to_be_visible()
    assert not axe_violations(window.tab)
    assert not window.console_errors()


def test_a_page_that_was_left_open_asks_for_the_password_and_then_adds(
    window: Window, keyboard: Keyboard, words: dict[str, str], reader: Reader, site: Site
) -> None:
    window.tab.goto(window.url + PAGE)
    let_ten_minutes_go_by(site, reader)
    keyboard.write(Control("textbox", words["name"]), "my phone")
    keyboard.press(button(words["add"]))
    expect(window.tab.get_by_role("main")).to_contain_text(": my phone")
    keyboard.write(Control("textbox", words["password"], is_password=True), PASSWORD)
    window.tab.keyboard.press("Enter")
    keyboard.sees(Control("link", words["edit"]))
    let_ten_minutes_go_by(site, reader)
    keyboard.press(Control("link", words["edit"]))
    keyboard.is_at("/sign-in/confirm.*")
    keyboard.press(button(words["use"]))
    keyboard.is_at(f"{PAGE}/[0-9]+")
    let_ten_minutes_go_by(site, reader)
    keyboard.press(button(words["remove"]))
    keyboard.press(button(words["use"]))
    expect(window.tab.get_by_text(words["none"])).to_be_visible()
    assert all("403" in error for error in window.console_errors())  # of the question that was refused


def let_ten_minutes_go_by(site: Site, reader: Reader) -> None:
    with site.app.app_context():
        long_ago = func.now() - sessions.RECENT
        db.session.execute(update(UserSession).where(UserSession.user_id == reader.id).values(created_at=long_ago))
        db.session.commit()


def test_the_second_step_by_passkey_and_by_recovery_code(
    window: Window, keyboard: Keyboard, words: dict[str, str], reader: Reader
) -> None:
    add_passkey(window, keyboard, words)
    keyboard.press(button(words["turn on"]))
    keyboard.sees(Control("link", words["written"]))
    [code, *_] = window.tab.locator("code").all_text_contents()
    keyboard.press(Control("link", words["written"]))
    sign_out(keyboard, words)

    type_password(keyboard, words, reader)
    keyboard.is_at("/sign-in/second-step")
    keyboard.press(button(words["use"]))
    keyboard.is_at("/notes")
    sign_out(keyboard, words)

    type_password(keyboard, words, reader)
    keyboard.is_at("/sign-in/second-step")
    assert not axe_violations(window.tab)  # not earlier: it ends the virtual authenticator
    keyboard.write(Control("textbox", words["code"]), code)
    keyboard.press(button(words["sign in by code"]))
    keyboard.is_at("/notes")
    window.tab.goto(window.url + PAGE)
    expect(window.tab.get_by_text(words["left"])).to_be_visible()

    keyboard.press(button(words["turn off"]))
    keyboard.sees(button(words["turn on"]))
    keyboard.press(Control("link", words["edit"]))
    keyboard.press(button(words["remove"]))
    expect(window.tab.get_by_text(words["none"])).to_be_visible()
    assert not window.console_errors()


def test_without_scripts_there_is_no_button_and_the_password_signs_in(
    window_without_scripts: Window, site: Site, reader: Reader
) -> None:
    tab = window_without_scripts.tab
    tab.goto(window_without_scripts.url + PAGE)
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    expect(tab.get_by_text("This needs JavaScript")).to_be_visible()
    window_without_scripts.use_cookies({})
    tab.goto(f"{window_without_scripts.url}/sign-in")
    expect(tab.locator("[data-passkey]")).to_be_hidden()
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_label("Password", exact=True).press("Enter")
    tab.wait_for_url("**/notes")
