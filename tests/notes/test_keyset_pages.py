"""Keyset pagination of the list, 20 notes a page, and the headings of its days."""

import re

import pytest
from sqlalchemy import delete

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.cursor import START
from app.notes.models import Note
from app.notes.search import Search
from tests.notes.lists import create, headings, older_of, titles_of_all_pages, write_at
from tests.visitor import Visitor


@pytest.mark.parametrize("count", [20, 45])
def test_the_pages_hold_every_note_once(alice: User, count: int) -> None:
    create(alice, count)
    assert titles_of_all_pages(alice.id) == [f"note {number}" for number in reversed(range(count))]


def test_pinned_notes_come_first_across_pages(alice: User) -> None:
    ids = [service.create_note(alice.id, f"{number}", "") for number in range(45)]
    pinned = ids[:22]
    for note_id in pinned:
        service.pin_note(alice.id, note_id, pinned=True)
    expected = [f"{n}" for n in reversed(range(22))] + [f"{n}" for n in reversed(range(22, 45))]
    assert titles_of_all_pages(alice.id) == expected


def test_show_older_leads_to_the_older_ones(signed_in: Visitor, alice: User) -> None:
    create(alice, 21)
    page = signed_in.get("/notes").text
    assert "note 0<" not in page
    assert "20 of 21" in page
    older = signed_in.get(older_of(page)).text
    assert "note 0<" in older
    assert 'data-list="/notes?shown=21"' in older  # how long the list is now
    assert 'rel="next"' not in older


def test_the_ends_of_what_a_cursor_can_be_are_pages(signed_in: Visitor) -> None:
    for before in ["0-0-1", "1-0-1", str(START)]:
        for time_zone in ["Pacific/Kiritimati", "Pacific/Niue"]:
            signed_in.set_cookie("time_zone", time_zone)
            assert signed_in.get(f"/notes?before={before}").status_code == 200, (before, time_zone)


def test_a_cursor_outlives_its_note(alice: User) -> None:
    create(alice, 30)
    first = listing.list_notes(alice.id)
    assert first.older
    db.session.execute(delete(Note).where(Note.id == first.notes[-1].id))  # the last of the first page, purged
    second = listing.list_notes(alice.id, first.older)
    assert [note.title for note in second.notes] == [f"note {number}" for number in reversed(range(10))]
    assert second.before == (False, first.notes[-1].created_at)


def test_notes_of_the_same_microsecond_are_on_no_two_pages(alice: User) -> None:
    write_at(alice, *["2020-03-01 00:00:00.123457+00"] * 45)
    assert len(titles_of_all_pages(alice.id)) == 45


def test_each_page_says_how_many_are_shown_so_far(alice: User) -> None:
    create(alice, 45, "tag")
    first = listing.list_notes(alice.id)
    assert first.older
    second = listing.list_notes(alice.id, first.older)
    assert second.older
    assert [page.shown for page in (first, second, listing.list_notes(alice.id, second.older))] == [20, 40, 45]
    tagged = Search.parse("", "tag")
    older = listing.list_notes(alice.id, search=tagged).older
    assert older
    page = listing.list_notes(alice.id, older, tagged)
    assert (page.shown, page.found, len(page.notes)) == (22, 22, 2)
    for note in first.notes:  # no more are shown than there are
        service.delete_note(alice.id, note.id)
    second = listing.list_notes(alice.id, first.older)
    assert (second.shown, second.found) == (25, 25)


def test_a_link_of_a_previous_release_leads_on_and_does_not_say_how_many_are_shown(
    signed_in: Visitor, alice: User
) -> None:
    create(alice, 50)
    older = listing.list_notes(alice.id).older
    assert older
    of_before = str(older).rpartition("-")[0]
    page = signed_in.get(f"/notes?before={of_before}").text
    assert shown_numbers(page) == [*reversed(range(10, 30))]
    assert " of 50" not in page
    assert shown_numbers(signed_in.get(older_of(page)).text) == [*reversed(range(10))]


def shown_numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"<bdi>note (\d+)</bdi>", page)]


def test_a_list_that_has_grown_is_read_again_in_one_page(signed_in: Visitor, alice: User) -> None:
    create(alice, 65, "half")
    first = listing.list_notes(alice.id, size=60)
    assert [note.title for note in first.notes] == [f"note {number}" for number in reversed(range(5, 65))]
    assert first.older
    second = listing.list_notes(alice.id, first.older)
    assert [note.title for note in second.notes] == [f"note {number}" for number in reversed(range(5))]
    assert (first.shown, second.shown) == (60, 65)
    tagged = listing.list_notes(alice.id, search=Search.parse("", "half"), size=40)
    assert len(tagged.notes) == 32
    assert signed_in.get("/notes?shown=60").text.count("<article") == 60
    assert signed_in.get("/notes?shown=10").text.count("<article") == 20


def test_the_notes_stand_under_their_days_in_the_readers_zone(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "2020-03-01 14:59+00", "2020-03-01 15:00+00", pinned=["2020-01-01 00:00+00"])
    signed_in.set_cookie("time_zone", "Asia/Seoul")  # where 15:00 is midnight
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 2, 2020", "Mar 1, 2020"]
    signed_in.set_cookie("time_zone", "UTC")
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 1, 2020"]


@pytest.mark.parametrize("pinned", [True, False])
def test_a_day_that_goes_on_has_its_heading_once_when_it_is_appended(
    signed_in: Visitor, alice: User, pinned: bool
) -> None:
    for number in range(25):
        note_id = service.create_note(alice.id, f"{number}", "")
        service.pin_note(alice.id, note_id, pinned=pinned)
    older = older_of(signed_in.get("/notes").text)
    page = signed_in.get(older).text
    assert page.count("<article") == 5
    assert len(headings(page)) == 1  # a page of its own has it
    assert page.count('<h2 class="continued">') == 1  # what is put below another page goes without it


def test_another_day_has_its_heading_also_when_it_is_appended(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "2020-03-01 00:00+00", *["2020-03-02 00:00+00"] * 20)
    older = older_of(signed_in.get("/notes").text)
    assert headings(page := signed_in.get(older).text) == ["Mar 1, 2020"]
    assert "continued" not in page
