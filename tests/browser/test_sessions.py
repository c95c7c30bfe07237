"""A session that ends, or is not recent any more, while somebody types.

With scripts the outbox keeps a note or a todo, and sends it after the sign-in. All else is carried through the sign-in
and offered to be sent again (form recovery). Ten minutes after the sign-in the password is asked for before what
matters, and what was asked for is done.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab
from sqlalchemy import select

from app.accounts.models import AccessToken, User
from app.extensions import db
from app.todos.service import create_todo
from tests.browser import controls
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard, button, link
from tests.browser.pages import PASSWORD
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.waiting import wait_until

IN_OUTBOX = "Not saved yet, kept on this device: 1."
KEPT = "You were signed out in the meantime. What you typed is kept: sign in to get it back."


def stored_nickname(reader: Reader) -> list[str]:
    with reader.app():
        return [db.session.get_one(User, reader.id).nickname]


class Form(NamedTuple):
    """
    Args:
        path: the page with the form; `{…}` is the id of what the form changes.
        stored: what the reader has stored of this kind.
        adds: the form makes a new one; else it changes the one that exists.
        is_kept: with scripts the outbox keeps it.
    """

    path: str
    field: str
    button: str
    stored: Callable[[Reader], list[str]]
    adds: bool = False
    is_kept: bool = True

    def of(self, tab: Tab) -> Locator:
        return tab.get_by_role("textbox", name=self.field, exact=True)

    def save(self, tab: Tab) -> None:
        button = self.of(tab).locator("xpath=ancestor::form").get_by_role("button", name=self.button, exact=True)
        button.click()


FORMS = {
    "new-note": Form("/notes", "Text", "Save", Reader.notes, adds=True),
    "note": Form("/notes/{note}/edit", "Text", "Save", Reader.notes),
    "new-todo": Form("/todos", "New todo", "Add", Reader.todos, adds=True),
    "todo": Form("/todos?edit={todo}", "Todo", "Save", Reader.todos),
    "nickname": Form("/mypage/edit", "Nickname", "Save", stored_nickname, is_kept=False),
}


def sign_in(tab: Tab, reader: Reader, password: str = PASSWORD) -> None:
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(password)
    button(tab, "Sign in").click()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_was_typed_is_stored_after_signing_in(window: Window, form: Form, reader: Reader) -> None:
    with reader.app():
        todo_id = create_todo(reader.id, "as it was")
    tab = window.open(form.path.format(note=reader.write("as it was"), todo=todo_id))
    typed = f"반달 of {reader.nickname}"  # unique, because it becomes a nickname too
    form.of(tab).fill(typed)
    tab.context.clear_cookies()
    before = form.stored(reader)
    form.save(tab)
    if form.is_kept:
        expect(tab.get_by_text(IN_OUTBOX)).to_be_visible()
        assert form.stored(reader) == before, "it was not sent yet"
        tab.get_by_role("status").get_by_role("link", name="Sign in again").click()
        sign_in(tab, reader)
    else:
        expect(tab.get_by_text(KEPT)).to_be_visible()
        sign_in(tab, reader)
        expect(tab.get_by_role("heading", name="Your text is still here")).to_be_visible()
        expect(tab.get_by_text(typed)).to_be_visible()
        assert form.stored(reader) == before, "it was not sent yet"
        button(tab, "Send it again").click()
    expect(tab.get_by_text(typed).locator("visible=true").first).to_be_visible()
    expect(tab.get_by_text(IN_OUTBOX)).to_be_hidden()
    after = {typed, *before} if form.adds else {typed}
    wait_until(lambda: set(form.stored(reader)) == after, "it is stored")


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
