"""Journeys by keyboard alone. The focus is visible at every stop."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app.accounts import tokens
from app.accounts.models import SignUpLink
from app.extensions import db
from app.notes.listing import list_notes
from app.notes.service import list_archive
from tests.browser.checks import axe_violations
from tests.browser.controls import Control, Keyboard, link, text
from tests.browser.pages import PASSWORD
from tests.browser.site import Reader, Site
from tests.browser.window import FORCED, Window, Windows

TITLE = Control("textbox", "title")
TEXT = Control("textbox", "note|text|content")
SAVE = Control("button", "save")
NICKNAME = Control("textbox", "nickname")

STORED = "달은 반만 떴다."
MINE = "Half a moon tonight."
STOPS = (
    *("/notes", "/notes?q=moon", "/notes/tags", "/notes/archive", "/notes/trash", "/todos", "/wordcounts"),
    *("/mypage", "/mypage/edit", "/mypage/devices", "/mypage/events", "/mypage/tokens", "/mypage/import"),
)
OUTLINE = "box => getComputedStyle(box.closest('.pick')).outlineStyle"


def test_from_signing_up_to_signing_out(windows: Windows, site: Site) -> None:
    window = windows.fresh("en")
    window.emulate("light", "phone")
    keyboard = Keyboard(window.tab)
    sign_up(site, window, keyboard, "keys-phone")

    keyboard.write(TITLE, "Half a moon")
    keyboard.write(TEXT, "반만 적어 두세요.")
    keyboard.press(SAVE)
    keyboard.press(link("Half a moon"))
    keyboard.is_at("/notes/[0-9]+")

    keyboard.press(link("Edit"))
    keyboard.is_at(r"/notes/[0-9]+/edit\?next=/notes/[0-9]+")
    keyboard.write(TITLE, "The other half")
    keyboard.press(SAVE)
    keyboard.is_at("/notes/[0-9]+")

    keyboard.press(Control("button", "move to trash"))
    keyboard.is_at("/notes")
    keyboard.does_not_see(link("The other half"))
    assert not axe_violations(window.tab), "beside the message with the button to undo it"
    keyboard.press(Control("button", "undo"), "Space")
    keyboard.sees(link("The other half"))

    keyboard.press(link("Todos"))
    keyboard.is_at("/todos")
    keyboard.write(Control("textbox", "new todo"), "look at the moon")
    keyboard.press(Control("button", "add"))
    keyboard.press(Control("button", "complete: look at the moon", is_pressed=False), "Space")
    expect(window.tab.locator("#done-ones")).to_be_visible()  # the server's list has come, and nothing moves any more

    keyboard.press(Control("button", "sign out"))
    keyboard.is_at("/sign-in")
    assert not window.console_errors()


def sign_up(site: Site, window: Window, keyboard: Keyboard, name: str) -> None:
    window.open("/")
    keyboard.press(Control("link", "create an account|sign up"))
    keyboard.is_at("/sign-up")
    keyboard.write(Control("textbox", "email"), f"{name}@example.com")
    keyboard.press(Control("button", "send link"))
    keyboard.sees(link("Request another link"))
    window.open(mailed_link(site, f"{name}@example.com"))
    keyboard.write(NICKNAME, name)
    keyboard.write(Control("textbox", "password", is_password=True), PASSWORD)
    keyboard.press(Control("button", "create an account"))
    keyboard.is_at("/notes")


def mailed_link(site: Site, email: str) -> str:
    """Return the path in a letter to this address, with a token of its own: the worker draws again and again the one
    that was asked for, since no mail server listens here.
    """
    with site.app.app_context():
        db.session.scalars(select(SignUpLink.id).where(SignUpLink.email == email)).one()
        token, _email = tokens.draw_sign_up(tokens.reserve_sign_up(email))
    return f"/sign-up/{token}"


def test_of_two_texts_of_one_note_both_are_seen_and_one_is_kept(
    window: Window, window_without_scripts: Window, keyboard: Keyboard, reader: Reader
) -> None:
    path = f"/notes/{reader.write('as it was', 'moon')}/edit"
    tab, other = window.open(path), window_without_scripts.open(path)
    text(other).fill(STORED)
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("article")).to_contain_text(STORED)

    keyboard.write(TEXT, MINE)
    keyboard.press(SAVE)
    expect(tab.get_by_role("alert")).to_be_focused()
    expect(tab.get_by_role("region", name="Saved text")).to_contain_text(STORED)
    expect(tab.get_by_role("region", name="Your text")).to_contain_text(MINE)
    assert reader.notes() == [STORED], "nothing is replaced unasked"
    keyboard.press(Control("button", "save my text"))
    expect(tab.get_by_role("article")).to_contain_text(MINE)
    assert reader.notes() == [MINE]
    assert all("409" in error for error in window.console_errors())


def test_the_focus_is_seen_at_every_stop_of_a_page(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    reader.write("as it was", "moon")
    reader.add("look at the moon")
    for path in STOPS:
        window.open(path)
        keyboard.walk()


@pytest.fixture
def twelve(reader: Reader) -> None:
    """Write more notes than a screen shows."""
    for number in range(12):
        reader.write("text", f"note {number:02}")


@pytest.mark.usefixtures("twelve")
def test_several_are_archived_and_brought_back(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    window.emulate("light", "phone")
    tab = window.open("/notes")
    keyboard.press(link("Select notes"))
    keyboard.is_at("/notes/select")
    for name in ("note 10", "note 00"):  # no stop on the way is covered by the bar
        keyboard.press(Control("checkbox", name), "Space")
    keyboard.press(Control("button", "Move to archive"))
    expect(tab.get_by_text("Notes archived: 2.")).to_be_visible()
    with reader.app():
        assert {note.title for note in list_archive(reader.id)[0]} == {"note 10", "note 00"}
    keyboard.press(Control("button", "Undo"))
    expect(tab.get_by_text("Notes restored: 2.")).to_be_visible()
    assert len(reader.notes()) == 12


@pytest.mark.usefixtures("twelve")
def test_enter_in_the_field_adds_the_tag(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    tab = window.open("/notes/select")
    keyboard.press(Control("checkbox", "note 10"), "Space")
    keyboard.write(Control("textbox", "Tag"), "#book")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Notes tagged #book: 1.")).to_be_visible()
    with reader.app():
        assert list_notes(reader.id).tags == [("book", 1)]


@pytest.mark.usefixtures("twelve")
def test_a_card_is_ticked_wherever_it_is_clicked_and_seen_to_be(window: Window) -> None:
    tab = window.open("/notes/select")
    for name in ("note 11", "note 10"):
        card = tab.locator(".pick", has_text=name)
        size = card.bounding_box()
        assert size
        card.click(position={"x": size["width"] - 5, "y": size["height"] / 2})
        expect(card.get_by_role("checkbox", name=name, exact=True)).to_be_checked()
    window.emulate(FORCED, "desk")
    tab.mouse.move(0, 0)
    outlines = [box.evaluate(OUTLINE) for box in tab.get_by_role("checkbox").all()[:3]]
    assert outlines == ["solid", "solid", "none"]
