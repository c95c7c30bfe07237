"""Finding notes: search, #tags, and the older pages."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab
from sqlalchemy import update

from app.extensions import db
from app.notes.listing import PAGE_SIZE
from app.notes.models import Note
from app.notes.service import create_note
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window

NEWEST = datetime(2026, 3, 2, 12, tzinfo=UTC)
OF_NEWEST_DAY = PAGE_SIZE - 5  # so the first page ends within the day before
ALL = OF_NEWEST_DAY + PAGE_SIZE


@pytest.fixture
def tab(any_window: Window, site: Site, reader: Reader) -> Tab:
    """The list of somebody with three notes."""
    with site.app.app_context():
        create_note(reader.id, "반달", "강 위에 떴다. #하늘")
        create_note(reader.id, "", "책을 반납한다 #책")
        create_note(reader.id, "milk", "two bottles")
    any_window.tab.goto(f"{any_window.url}/notes")
    return any_window.tab


def search_for(tab: Tab, words: str) -> None:
    tab.get_by_role("searchbox").fill(words)
    tab.get_by_role("searchbox").press("Enter")


def found(tab: Tab) -> Locator:
    return tab.get_by_role("article").get_by_role("heading")


def test_one_syllable_is_enough_and_marked(tab: Tab) -> None:
    search_for(tab, "반")
    expect(tab.get_by_role("status").get_by_text("Notes found: 2")).to_be_visible()
    expect(found(tab)).to_have_text(["책을 반납한다 #책", "반달"])
    expect(tab.locator("article mark")).to_have_text(["반", "반"])
    expect(tab.get_by_role("searchbox")).to_have_value("반")


def test_a_tag_is_typed_or_chosen(tab: Tab) -> None:
    search_for(tab, "#책")
    expect(found(tab)).to_have_text(["책을 반납한다 #책"])
    tab.get_by_role("link", name="Clear the search").click()
    expect(found(tab)).to_have_count(3)
    tab.get_by_role("complementary").get_by_role("link", name="#하늘").click()
    expect(found(tab)).to_have_text(["반달"])
    search_for(tab, "강")  # within the tag
    expect(tab).to_have_url(re.compile("tag="))
    expect(found(tab)).to_have_text(["반달"])


def test_without_a_hit_it_offers_to_clear(tab: Tab) -> None:
    search_for(tab, "없는 말")
    expect(found(tab)).to_have_count(0)
    expect(tab.get_by_text("No note has all of that.")).to_be_visible()
    expect(tab.get_by_role("searchbox")).to_have_value("없는 말")
    tab.get_by_role("link", name="Clear the search").last.click()
    expect(found(tab)).to_have_count(3)
    expect(tab.get_by_role("searchbox")).to_have_value("")


@pytest.fixture
def many(site: Site, reader: Reader) -> None:
    """More than a page holds, written on two days."""
    with site.app.app_context():
        ids = [create_note(reader.id, f"note {number}", "text") for number in range(ALL)]
        for day, written in ((1, ids[:PAGE_SIZE]), (0, ids[PAGE_SIZE:])):
            moment = NEWEST - timedelta(days=day)
            db.session.execute(update(Note).where(Note.id.in_(written)).values(created_at=moment, updated_at=moment))
        db.session.commit()


@pytest.mark.usefixtures("many")
def test_the_older_ones_come_below_and_no_day_is_named_twice(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/notes")
    days = tab.locator("main .day h2")
    expect(days).to_have_count(2)
    named = days.all_inner_texts()
    tab.evaluate("window.isStillHere = true")
    expect(found(tab)).to_have_count(PAGE_SIZE)
    tab.get_by_role("link", name="Show older notes").click()
    expect(found(tab)).to_have_count(ALL)
    assert days.all_inner_texts() == named
    assert len(set(found(tab).all_inner_texts())) == ALL
    expect(found(tab).nth(PAGE_SIZE).get_by_role("link")).to_be_focused()
    expect(tab.get_by_role("link", name="Show older notes")).to_have_count(0)
    assert tab.evaluate("window.isStillHere")


@pytest.mark.usefixtures("many")
def test_without_scripts_they_are_a_page_of_their_own(window_without_scripts: Window) -> None:
    tab = window_without_scripts.tab
    tab.goto(f"{window_without_scripts.url}/notes")
    tab.get_by_role("link", name="Show older notes").click()
    expect(tab).to_have_url(re.compile(r"\?before="))
    expect(found(tab)).to_have_count(ALL - PAGE_SIZE)
    expect(tab.locator("main .day h2")).to_have_count(1)
