"""A session that ends, or is not recent any more, while somebody types.

With scripts the outbox keeps a note or a todo, and sends it after the sign-in. All else is carried through the sign-in
and offered to be sent again (form recovery). Ten minutes after the sign-in the password is asked for before what
matters, and what was asked for is done.
"""

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from sqlalchemy import select

from app.accounts.models import AccessToken, User
from app.extensions import db
from tests.browser import controls
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard, button, link
from tests.browser.pages import PASSWORD
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.waiting import wait_until

IN_OUTBOX = "Not saved yet, kept on this device: 1."
KEPT = "You were signed out in the meantime. What you typed is kept: sign in to get it back."


def sign_in(tab: Tab, reader: Reader, password: str = PASSWORD) -> None:
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(password)
    button(tab, "Sign in").click()


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


def test_another_form_is_offered_to_be_sent_again_after_signing_in(window: Window, reader: Reader) -> None:
    tab = window.open("/mypage/edit")
    nickname = f"반달 of {reader.nickname}"
    field = tab.get_by_role("textbox", name="Nickname", exact=True)
    field.fill(nickname)
    tab.context.clear_cookies()
    field.press("Enter")
    expect(tab.get_by_text(KEPT)).to_be_visible()
    sign_in(tab, reader)
    expect(tab.get_by_role("heading", name="Your text is still here")).to_be_visible()
    expect(tab.get_by_text(nickname)).to_be_visible()
    with reader.app():
        assert db.session.get_one(User, reader.id).nickname == reader.nickname, "it was not sent yet"
    button(tab, "Send it again").click()
    expect(tab.get_by_text(nickname).locator("visible=true").first).to_be_visible()
    with reader.app():
        assert db.session.get_one(User, reader.id).nickname == nickname


def test_without_scripts_a_wrong_password_loses_nothing_either(window_without_scripts: Window, reader: Reader) -> None:
    tab = window_without_scripts.open("/notes")
    controls.text(tab).fill("반달")
    tab.context.clear_cookies()
    button(tab, "Save").click()
    sign_in(tab, reader, "not the password")
    expect(tab.get_by_text("email and password don't match").first).to_be_visible()
    expect(tab.get_by_text(KEPT)).to_be_visible()
    sign_in(tab, reader)
    expect(tab.get_by_role("heading", name="Your text is still here")).to_be_visible()
    assert reader.notes() == [], "it was not sent yet"
    button(tab, "Send it again").click()
    expect(tab.get_by_role("article").get_by_text("반달").first).to_be_visible()
    assert reader.notes() == ["반달"]


def confirm(keyboard: Keyboard) -> None:
    """Type the password where it is asked for."""
    expect(keyboard.tab.get_by_role("heading", name="Confirm it's you")).to_be_visible()
    keyboard.write(Control("textbox", "password", is_password=True), PASSWORD)
    keyboard.tab.keyboard.press("Enter")


def test_a_token_has_what_was_typed(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    reader.let_ten_minutes_go_by()
    tab = window.open("/mypage/tokens")
    confirm(keyboard)
    keyboard.is_at("/mypage/tokens")
    keyboard.write(Control("textbox", "name"), "밤마다 <b>백업</b>")
    tab.get_by_role("checkbox", name="Read notes").check()
    tab.get_by_role("checkbox", name="Change todos").check()
    reader.let_ten_minutes_go_by()
    keyboard.press(Control("button", "create the token"))
    expect(tab.get_by_role("main")).to_contain_text("Create an access token: 밤마다 <b>백업</b>")
    assert not axe_violations(tab)
    confirm(keyboard)
    expect(tab.get_by_text("sc_")).to_be_visible()
    with reader.app():
        made = db.session.execute(select(AccessToken).where(AccessToken.user_id == reader.id)).scalar_one()
        assert (made.name, made.scopes) == ("밤마다 <b>백업</b>", ["notes:read", "todos:write"])


def test_an_export_begins(any_window: Window, reader: Reader, has_scripts: bool) -> None:
    reader.let_ten_minutes_go_by()
    keyboard = Keyboard(any_window.tab)
    tab = any_window.open("/mypage")
    keyboard.press(link("Download"))
    keyboard.is_at("/sign-in/confirm.*")
    with tab.expect_download() as download:
        confirm(keyboard)
    assert download.value.suggested_filename.endswith(".zip")
    expect(tab.get_by_role("heading", name="Your download is starting")).to_be_visible()
    assert not has_scripts or not axe_violations(tab)
    keyboard.press(link("Back to my page"))
    keyboard.press(link("Account history: View"))
    keyboard.is_at("/mypage/events")
    expect(tab.get_by_role("main").get_by_role("listitem").first).to_contain_text("Data exported")
