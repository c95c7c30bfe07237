"""Finding notes: search, #tags, and the older pages."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab
from sqlalchemy import update

from app.notes.listing import PAGE_SIZE
from app.notes.models import Note
from app.notes.service import create_note
from tests.browser.controls import text, title
from tests.browser.site import Reader
from tests.browser.window import Window
from tests.database import commit

OF_NEWEST_DAY = PAGE_SIZE - 5  # so the first page ends within the day before
ALL = OF_NEWEST_DAY + PAGE_SIZE


def field(tab: Tab) -> Locator:
    return tab.get_by_role("searchbox")


def found(tab: Tab) -> Locator:
    return tab.get_by_role("article").get_by_role("heading")


@pytest.fixture
def many(reader: Reader) -> None:
    """Write more than a page holds, on two days."""
    with reader.app():
        ids = [create_note(reader.id, f"note {number}", "text") for number in range(ALL)]
        of_the_day_before = Note.id.in_(ids[:PAGE_SIZE])
        commit(update(Note).where(of_the_day_before).values(created_at=Note.created_at - timedelta(days=1)))


@pytest.mark.usefixtures("many")
def test_the_older_ones_come_below_and_no_day_is_named_twice(window: Window) -> None:
    tab = window.open("/notes")
    days = tab.locator("main .day h2")
    older = tab.get_by_role("link", name="Show older notes")
    expect(days).to_have_count(2)
    named = days.all_inner_texts()
    tab.evaluate("window.isStillHere = true")
    expect(found(tab)).to_have_count(PAGE_SIZE)
    older.click()
    expect(found(tab)).to_have_count(ALL)
    assert days.all_inner_texts() == named
    assert len(set(found(tab).all_inner_texts())) == ALL
    expect(found(tab).nth(PAGE_SIZE).get_by_role("link")).to_be_focused()
    expect(older).to_have_count(0)
    expect(tab.locator("#choose")).to_have_attribute("action", f"/notes/select?shown={ALL}")
    assert tab.evaluate("window.isStillHere")

    tab.get_by_role("link", name="note 8", exact=True).click()
    expect(found(tab)).to_have_count(1)
    tab.go_back()  # the list is as long as it was
    expect(found(tab)).to_have_count(ALL)
    expect(tab.get_by_role("link", name="note 8", exact=True)).to_be_in_viewport()

    field(tab).fill("note")  # older hits come below what was typed
    expect(tab.get_by_role("status").get_by_text(f"{ALL} notes found")).to_be_visible()
    older.click()
    expect(found(tab)).to_have_count(ALL)
    assert len(set(found(tab).all_inner_texts())) == ALL


@pytest.fixture
def typing_tab(window: Window, reader: Reader) -> Tab:
    """Open the list of somebody with notes, and a mark that a new page would not have."""
    reader.write("소금을 뿌린다 #요리", "감자튀김")
    reader.write("햇감자", "Weekly meeting")
    reader.write("two bottles #요리", "milk")
    tab = window.open("/notes")
    tab.evaluate("window.isStillHere = true")
    return tab


def beside(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("complementary").get_by_role("link", name=name)


def test_typing_searches_in_place_and_an_emptied_field_shows_the_list_again(typing_tab: Tab) -> None:
    tab = typing_tab
    field(tab).press_sequentially("감자")
    expect(found(tab)).to_have_text(["감자튀김", "Weekly meeting"])
    expect(tab.get_by_role("status").get_by_text("2 notes found")).to_be_visible()
    expect(tab.locator("article mark")).to_have_text(["감자", "감자"])
    expect(tab).to_have_url(re.compile(r"/notes\?q=%EA%B0%90%EC%9E%90$"))
    expect(field(tab)).to_be_focused()
    field(tab).press_sequentially("ㅌ")
    expect(found(tab)).to_have_text(["감자튀김"])
    expect(tab.locator("article mark")).to_have_text(["감자튀"])

    # Emptied, it shows the list again, and the composer with its text.
    field(tab).fill("")
    expect(found(tab)).to_have_count(3)
    text(tab).fill("half a thought")
    field(tab).fill("milk")
    expect(found(tab)).to_have_count(1)
    expect(text(tab)).to_be_hidden()
    expect(beside(tab, "All")).not_to_have_attribute("aria-current", "page")
    field(tab).fill("")
    expect(found(tab)).to_have_count(3)
    expect(text(tab)).to_be_visible()
    expect(beside(tab, "All")).to_have_attribute("aria-current", "page")
    expect(text(tab)).to_have_value("half a thought")
    expect(tab.locator("#found")).to_be_empty()
    expect(tab.get_by_role("link", name="Clear search")).to_have_count(0)
    expect(tab).to_have_url(re.compile("/notes$"))
    assert tab.evaluate("window.isStillHere")


@pytest.fixture
def held_tab(typing_tab: Tab) -> Iterator[Tab]:
    """Yield the list, with a clock that the test moves. It is the whole browser's, so it goes on afterwards."""
    typing_tab.clock.install()
    typing_tab.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    yield typing_tab
    typing_tab.clock.resume()


def test_a_syllable_that_is_composed_is_searched_for_once_and_needs_no_enter(held_tab: Tab) -> None:
    tab = held_tab
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url) if "q=" in request.url else None)
    field(tab).focus()
    session = tab.context.new_cdp_session(tab)
    for syllables in ("ㄱ", "가", "감", "감ㅈ", "감자"):
        session.send("Input.imeSetComposition", {"text": syllables, "selectionStart": 2, "selectionEnd": 2})
        expect(field(tab)).to_have_value(syllables)
        tab.clock.run_for(200)
    assert asked == []
    tab.clock.run_for(200)
    expect(found(tab)).to_have_text(["감자튀김", "Weekly meeting"])
    session.send("Input.insertText", {"text": "감자"})  # the input method ends the composition
    tab.clock.run_for(1000)
    assert len(asked) == 1
    expect(field(tab)).to_have_value("감자")


def test_what_is_typed_meanwhile_stays_the_last_search_counts_and_after_the_session_the_sign_in_comes(
    typing_tab: Tab,
) -> None:
    tab = typing_tab
    tab.route(re.compile(r"q=mil$"), lambda route: None)  # no answer
    with tab.expect_request(re.compile(r"q=mil$")):
        field(tab).press_sequentially("mil")
    field(tab).fill("meeting")
    expect(found(tab)).to_have_text(["Weekly meeting"])
    expect(field(tab)).to_have_value("meeting")
    tab.context.clear_cookies()  # a session that ended leads to the sign-in
    field(tab).fill("milk")
    expect(tab).to_have_url(re.compile("/sign-in"))


def test_back_leads_to_the_list_and_forward_to_what_was_found(typing_tab: Tab) -> None:
    tab = typing_tab
    field(tab).press_sequentially("mil")
    expect(found(tab)).to_have_count(1)
    field(tab).press_sequentially("k")
    expect(tab).to_have_url(re.compile("q=milk$"))
    tab.go_back()
    expect(tab).to_have_url(re.compile("/notes$"))
    expect(found(tab)).to_have_count(3)
    expect(field(tab)).to_have_value("")
    tab.go_forward()
    expect(tab).to_have_url(re.compile("q=milk$"))
    expect(found(tab)).to_have_text(["milk"])
    expect(field(tab)).to_have_value("milk")
    found(tab).get_by_role("link").click()
    expect(tab.get_by_text("two bottles")).to_be_visible()
    tab.go_back()
    expect(found(tab)).to_have_text(["milk"])
    expect(field(tab)).to_have_value("milk")


def test_a_search_stays_within_the_tag_corrects_a_key_and_n_leads_on_to_the_new_note(typing_tab: Tab) -> None:
    tab = typing_tab
    beside(tab, "#요리").click()
    field(tab).fill("m")
    expect(found(tab)).to_have_text(["milk"])
    expect(tab).to_have_url(re.compile("tag="))
    beside(tab, "All").click()
    field(tab).press_sequentially("meetng")
    expect(tab.get_by_role("status").get_by_text("Shown instead: “meeting”")).to_be_visible()
    expect(found(tab)).to_have_text(["Weekly meeting"])
    expect(field(tab)).to_have_value("meetng")
    field(tab).blur()
    tab.keyboard.press("n")
    expect(title(tab)).to_be_focused()
