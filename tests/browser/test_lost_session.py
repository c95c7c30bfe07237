"""The session ended while somebody typed. The text survives the sign-in.

With scripts the outbox keeps a note or a todo, and sends it after the sign-in. All else is carried through the sign-in
and offered to be sent again (form recovery).
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.accounts.models import User
from app.extensions import db
from app.notes import listing as notes
from app.notes.service import create_note
from app.todos import listing as todos
from app.todos.service import create_todo
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window
from tests.conftest import PASSWORD
from tests.waiting import wait_until

IN_OUTBOX = "Not saved yet, kept on this device: 1."
KEPT = "You were signed out in the meantime. What you typed is kept: sign in to get it back."


@dataclass(frozen=True)
class Form:
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
    stored: Callable[[int], list[str]]
    adds: bool = False
    is_kept: bool = True


def stored_notes(user_id: int) -> list[str]:
    return [note.text for note in notes.list_notes(user_id).notes]


def stored_todos(user_id: int) -> list[str]:
    return [todo.description for todo in todos.list_todos(user_id).todos]


def stored_nickname(user_id: int) -> list[str]:
    user = db.session.get(User, user_id)
    assert user
    return [user.nickname]


FORMS = {
    "new-note": Form("/notes", "Text", "Save", stored_notes, adds=True),
    "note": Form("/notes/{note}/edit", "Text", "Save", stored_notes),
    "new-todo": Form("/todos", "New todo", "Add", stored_todos, adds=True),
    "todo": Form("/todos?edit={todo}", "Todo", "Save", stored_todos),
    "nickname": Form("/mypage/edit", "Nickname", "Save", stored_nickname, is_kept=False),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


@pytest.fixture
def text(reader: Reader) -> str:
    """Return a unique text, because it becomes a nickname too."""
    return f"반달 of {reader.nickname}"


@pytest.fixture
def tab(any_window: Window, form: Form, text: str, site: Site, reader: Reader) -> Tab:
    """Open the page with the filled-in form, in a browser whose session has ended."""
    with site.app.app_context():
        ids = {"note": create_note(reader.id, "", "as it was"), "todo": create_todo(reader.id, "as it was")}
    tab = any_window.tab
    tab.goto(any_window.url + form.path.format_map(ids))
    field(tab, form).fill(text)
    tab.context.clear_cookies()
    return tab


def field(tab: Tab, form: Form) -> Locator:
    return tab.get_by_role("textbox", name=form.field, exact=True)


def save(tab: Tab, form: Form) -> None:
    field(tab, form).locator("xpath=ancestor::form").get_by_role("button", name=form.button, exact=True).click()


def sign_in(tab: Tab, reader: Reader, password: str = PASSWORD) -> None:
    tab.get_by_label("Email").fill(reader.email)
    tab.get_by_label("Password", exact=True).fill(password)
    tab.get_by_role("button", name="Sign in", exact=True).click()


def test_it_is_stored_after_signing_in(
    tab: Tab, form: Form, text: str, site: Site, reader: Reader, has_scripts: bool
) -> None:
    with site.app.app_context():
        before = form.stored(reader.id)
    save(tab, form)
    if has_scripts and form.is_kept:
        expect(tab.get_by_text(IN_OUTBOX)).to_be_visible()
        with site.app.app_context():
            assert form.stored(reader.id) == before, "it was not sent yet"
        tab.get_by_role("status").get_by_role("link", name="Sign in again").click()
        sign_in(tab, reader)
    else:
        send_what_is_offered(tab, form, text, site, reader)
    expect(tab.get_by_text(text).locator("visible=true").first).to_be_visible()
    expect(tab.get_by_text(IN_OUTBOX)).to_be_hidden()

    def is_stored() -> bool:
        with site.app.app_context():
            return set(form.stored(reader.id)) == ({text, *before} if form.adds else {text})

    wait_until(is_stored, "it is stored")


def send_what_is_offered(tab: Tab, form: Form, text: str, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        before = form.stored(reader.id)
    expect(tab.get_by_text(KEPT)).to_be_visible()
    sign_in(tab, reader)
    expect(tab.get_by_role("heading", name="Your text is still here")).to_be_visible()
    expect(tab.get_by_text(text)).to_be_visible()
    with site.app.app_context():
        assert form.stored(reader.id) == before, "it was not sent yet"
    tab.get_by_role("button", name="Send it again").click()


def test_a_wrong_password_loses_nothing_either(
    window_without_scripts: Window, text: str, site: Site, reader: Reader
) -> None:
    tab = window_without_scripts.tab
    tab.goto(f"{window_without_scripts.url}/notes")
    tab.get_by_label("Text", exact=True).fill(text)
    tab.context.clear_cookies()
    tab.get_by_role("button", name="Save", exact=True).click()
    sign_in(tab, reader, "not the password")
    expect(tab.get_by_text("email and password don't match").first).to_be_visible()
    expect(tab.get_by_text(KEPT)).to_be_visible()
    window_without_scripts.console_errors()  # Chromium writes a line for the status of 422
    sign_in(tab, reader)
    tab.get_by_role("button", name="Send it again").click()
    expect(tab.get_by_role("article").get_by_text(text).first).to_be_visible()
    with site.app.app_context():
        assert stored_notes(reader.id) == [text]
