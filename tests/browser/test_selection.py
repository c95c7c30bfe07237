"""Several notes are chosen by keyboard alone, and what is chosen can be seen, also in forced colours."""

import pytest
from playwright.sync_api import expect

from app.notes import service as notes
from app.notes.archive import list_archive
from app.notes.listing import list_notes
from tests.browser.keyboard import Control, Keyboard
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import FORCED, Window

OUTLINE = "box => getComputedStyle(box.closest('.pick')).outlineStyle"


@pytest.fixture
def keyboard(window: Window) -> Keyboard:
    return Keyboard(window.tab)


@pytest.fixture
def texts(site: Site, reader: Reader) -> list[str]:
    """Write more notes than a screen shows."""
    texts = [f"note {number:02}" for number in range(12)]
    with site.app.app_context():
        for text in texts:
            notes.create_note(reader.id, text, "text")
    return texts


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_notes_are_archived_by_keyboard_and_brought_back(
    window: Window, keyboard: Keyboard, site: Site, reader: Reader, texts: list[str], size: str
) -> None:
    window.emulate("light", size)
    window.tab.goto(f"{window.url}/notes")
    keyboard.press(Control("link", "Select notes"))
    keyboard.is_at("/notes/select")
    for name in ("note 10", "note 00"):  # no stop on the way is covered by the bar
        keyboard.press(Control("checkbox", name), "Space")
    keyboard.press(Control("button", "Move to archive"))
    expect(window.tab.get_by_text("Notes archived: 2.")).to_be_visible()
    with site.app.app_context():
        assert {note.title for note in list_archive(reader.id)[0]} == {"note 10", "note 00"}
    keyboard.press(Control("button", "Undo"))
    expect(window.tab.get_by_text("Notes restored: 2.")).to_be_visible()
    with site.app.app_context():
        assert list_notes(reader.id).total == len(texts)


@pytest.mark.usefixtures("texts")
def test_enter_in_the_field_adds_the_tag(window: Window, keyboard: Keyboard, site: Site, reader: Reader) -> None:
    window.tab.goto(f"{window.url}/notes/select")
    keyboard.press(Control("checkbox", "note 10"), "Space")
    keyboard.write(Control("textbox", "Tag"), "#book")
    window.tab.keyboard.press("Enter")
    expect(window.tab.get_by_text("Notes tagged #book: 1.")).to_be_visible()
    with site.app.app_context():
        assert list_notes(reader.id).tags == [("book", 1)]


@pytest.mark.usefixtures("texts")
def test_a_card_is_ticked_wherever_it_is_clicked_and_seen_to_be(window: Window) -> None:
    window.tab.goto(f"{window.url}/notes/select")
    for name in ("note 11", "note 10"):
        card = window.tab.locator(".pick", has_text=name)
        size = card.bounding_box()
        assert size
        card.click(position={"x": size["width"] - 5, "y": size["height"] / 2})
        expect(card.get_by_role("checkbox", name=name, exact=True)).to_be_checked()
    window.emulate(FORCED, "desk")
    window.tab.mouse.move(0, 0)
    outlines = [box.evaluate(OUTLINE) for box in window.tab.get_by_role("checkbox").all()[:3]]
    assert outlines == ["solid", "solid", "none"]
