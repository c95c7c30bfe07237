"""Less common journeys, by keyboard only."""

import pytest
from playwright.sync_api import expect

from app.notes import service as notes
from app.notes.listing import list_notes
from tests.browser import controls
from tests.browser.keyboard import Control, Keyboard
from tests.browser.readers import Reader, sign_in
from tests.browser.site import Site
from tests.browser.window import Window

STORED = "달은 반만 떴다."
MINE = "Half a moon tonight."


@pytest.fixture
def keyboard(window: Window) -> Keyboard:
    return Keyboard(window.tab)


@pytest.fixture
def note_id(site: Site, reader: Reader) -> int:
    with site.app.app_context():
        return notes.create_note(reader.id, "moon", "as it was")


def stored(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in list_notes(reader.id).notes]


@pytest.mark.smoke
@pytest.mark.usefixtures("note_id")
def test_a_note_is_searched_for_and_read(window: Window, keyboard: Keyboard) -> None:
    window.tab.goto(f"{window.url}/todos")
    window.tab.keyboard.press("/")
    keyboard.is_at("/notes#search")
    expect(window.tab.get_by_role("searchbox")).to_be_focused()
    window.tab.keyboard.type("moon")
    window.tab.keyboard.press("Enter")
    keyboard.is_at(r"/notes\?q=moon")
    keyboard.press(controls.link("moon"))
    keyboard.sees(Control("heading", "moon"))


def test_a_note_comes_back_from_the_trash(
    window: Window, keyboard: Keyboard, site: Site, reader: Reader, note_id: int
) -> None:
    with site.app.app_context():
        notes.delete_note(reader.id, note_id)
    window.tab.goto(f"{window.url}/notes")
    keyboard.press(controls.link("Trash"))
    keyboard.is_at("/notes/trash")
    keyboard.press(Control("button", "restore: moon"), "Space")
    expect(window.tab.get_by_text("“moon” restored.")).to_be_visible()
    assert stored(site, reader) == ["as it was"]


def test_of_two_texts_of_one_note_both_are_seen_and_one_is_kept(
    window: Window, window_without_scripts: Window, keyboard: Keyboard, site: Site, reader: Reader, note_id: int
) -> None:
    window.tab.goto(f"{window.url}/notes/{note_id}/edit")
    window_without_scripts.tab.goto(f"{window.url}/notes/{note_id}/edit")
    window_without_scripts.tab.get_by_label("Text", exact=True).fill(STORED)
    window_without_scripts.tab.get_by_role("button", name="Save").click()
    expect(window_without_scripts.tab.get_by_role("article")).to_contain_text(STORED)

    keyboard.write(controls.TEXT, MINE)
    keyboard.press(controls.SAVE)
    expect(window.tab.get_by_role("alert")).to_be_focused()
    expect(window.tab.get_by_role("region", name="Saved text")).to_contain_text(STORED)
    expect(window.tab.get_by_role("region", name="Your text")).to_contain_text(MINE)
    assert stored(site, reader) == [STORED], "nothing is replaced unasked"
    keyboard.press(Control("button", "save my text"))
    expect(window.tab.get_by_role("article")).to_contain_text(MINE)
    assert stored(site, reader) == [MINE]
    assert all("409" in error for error in window.console_errors())


def test_the_nickname_is_changed(window: Window, keyboard: Keyboard, reader: Reader) -> None:
    window.tab.goto(f"{window.url}/mypage")
    keyboard.press(controls.link("Edit my page"))
    keyboard.is_at("/mypage/edit")
    keyboard.write(controls.NICKNAME, f"새 {reader.nickname}")
    keyboard.press(controls.SAVE)
    keyboard.is_at("/mypage")
    keyboard.sees(Control("heading", f"새 {reader.nickname}"))


def test_another_device_is_signed_out(window: Window, keyboard: Keyboard, site: Site, reader: Reader) -> None:
    other = site.service.browser()
    other.cookies = sign_in(site, reader.email)
    assert other.get("/notes").status == 200
    window.tab.goto(f"{window.url}/mypage")
    keyboard.press(controls.link("Signed-in devices: Manage"))
    keyboard.is_at("/mypage/devices")
    devices = window.tab.get_by_role("main").get_by_role("listitem")
    before = devices.count()
    keyboard.press(Control("button", "sign out all other devices"))
    expect(devices).to_have_count(1)
    assert before > 1
    assert other.get("/notes").status == 302
    keyboard.press(controls.link("Back to my page"))
    keyboard.is_at("/mypage")


def test_all_that_one_has_is_taken_along_and_brought_back(window: Window, keyboard: Keyboard) -> None:
    window.tab.goto(f"{window.url}/mypage")
    with window.tab.expect_download() as download:
        keyboard.press(controls.link("Download"))
    assert download.value.suggested_filename.endswith(".zip")
    keyboard.press(controls.link("Import: Choose a ZIP"))
    keyboard.is_at("/mypage/import")
    keyboard.go_to(Control("button", "ZIP file"))
    keyboard.go_to(Control("button", "Import"))
