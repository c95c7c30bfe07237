"""Keyset pagination of the list, 20 notes a page: no note twice and none left out, and no cursor is an error."""

import re

import pytest
from sqlalchemy import delete

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.cursor import START
from app.notes.models import Note
from app.notes.search import Search
from tests.notes.lists import older_of, titles_of_all_pages, write_at
from tests.visitor import Visitor


@pytest.mark.parametrize("count", [0, 1, 20, 21, 40, 45])
def test_the_pages_hold_every_note_once(alice: User, count: int) -> None:
    for number in range(count):
        service.create_note(alice.id, f"{number}", "")
    assert titles_of_all_pages(alice.id) == [f"{number}" for number in reversed(range(count))]


def test_pinned_notes_come_first_across_pages(alice: User) -> None:
    ids = [service.create_note(alice.id, f"{number}", "") for number in range(45)]
    pinned = ids[:22]
    for note_id in pinned:
        service.pin_note(alice.id, note_id, pinned=True)
    expected = [f"{n}" for n in reversed(range(22))] + [f"{n}" for n in reversed(range(22, 45))]
    assert titles_of_all_pages(alice.id) == expected


def test_a_note_created_between_two_pages_shifts_nothing(alice: User) -> None:
    for number in range(30):
        service.create_note(alice.id, f"{number}", "")
    first = listing.list_notes(alice.id)
    service.create_note(alice.id, "new", "")
    assert first.older
    second = listing.list_notes(alice.id, first.older)
    assert [note.title for note in second.notes] == [f"{number}" for number in reversed(range(10))]


def test_show_older_leads_to_the_older_ones(signed_in: Visitor, alice: User) -> None:
    for number in range(21):
        service.create_note(alice.id, f"note number {number}", "")
    page = signed_in.get("/notes").text
    assert "note number 0<" not in page
    assert "20 of 21" in page
    older = signed_in.get(older_of(page)).text
    assert "note number 0<" in older
    assert 'rel="next"' not in older


@pytest.mark.parametrize(
    "before",
    ["", "x", "0", "2-1-1", "0--1-1", "0-1-", "0-1-0", "0-1-١", f"0-1-{2**63}", f"0-{2**63}-1", "0-" + "9" * 4000,
     "2-1", "0-", "0--1", "0-١", f"0-{2**63}", "0-9", "0-1-1-", "0-1-1--1", f"0-1-1-{10**9}", "0-1-1-1-1",
     "0-1-1;drop"],
)  # fmt: skip
def test_a_cursor_of_another_list_or_none_at_all_is_400(signed_in: Visitor, before: str) -> None:
    assert signed_in.get("/notes", query_string={"before": before}).status_code == 400


@pytest.mark.parametrize("before", ["0-0-1", "1-0-1", str(START)])
@pytest.mark.parametrize("time_zone", ["Pacific/Kiritimati", "Pacific/Niue"])  # 14 hours ahead of UTC, 11 behind
def test_the_ends_of_what_a_cursor_can_be_are_pages(signed_in: Visitor, before: str, time_zone: str) -> None:
    signed_in.set_cookie("time_zone", time_zone)
    assert signed_in.get(f"/notes?before={before}").status_code == 200


def test_a_cursor_outlives_its_note(alice: User) -> None:
    for number in range(30):
        service.create_note(alice.id, f"{number}", "")
    first = listing.list_notes(alice.id)
    assert first.older
    db.session.execute(delete(Note).where(Note.id == first.notes[-1].id))  # the last of the first page, purged
    second = listing.list_notes(alice.id, first.older)
    assert [note.title for note in second.notes] == [f"{number}" for number in reversed(range(10))]
    assert second.before == (False, first.notes[-1].created_at)


def test_notes_of_the_same_microsecond_are_on_no_two_pages(alice: User) -> None:
    write_at(alice, *["2020-03-01 00:00:00.123457+00"] * 45)
    assert len(titles_of_all_pages(alice.id)) == 45


def test_each_page_says_how_many_are_shown_so_far(alice: User) -> None:
    for number in range(45):
        service.create_note(alice.id, f"{number}", "#tag" if number % 2 else "")
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


def test_not_more_are_shown_than_there_are(alice: User) -> None:
    for number in range(45):
        service.create_note(alice.id, f"{number}", "")
    first = listing.list_notes(alice.id)
    assert first.older
    for note in first.notes:
        service.delete_note(alice.id, note.id)
    second = listing.list_notes(alice.id, first.older)
    assert (second.shown, second.found) == (25, 25)


def test_a_link_of_the_release_before_leads_on_from_its_note_and_does_not_say_how_many_are_shown(
    signed_in: Visitor, alice: User
) -> None:
    for number in range(50):
        service.create_note(alice.id, f"note number {number}", "")
    older = listing.list_notes(alice.id).older
    assert older
    of_before = str(older).rpartition("-")[0]
    page = signed_in.get(f"/notes?before={of_before}").text
    assert shown_numbers(page) == [*reversed(range(10, 30))]
    assert " of 50" not in page
    assert shown_numbers(signed_in.get(older_of(page)).text) == [*reversed(range(10))]


def shown_numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"<bdi>note number (\d+)</bdi>", page)]


def test_a_list_that_has_grown_is_read_again_in_one_page(signed_in: Visitor, alice: User) -> None:
    for number in range(65):
        service.create_note(alice.id, f"note {number}", "#half" if number % 2 else "")
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


@pytest.mark.parametrize("shown", ["x", "0", "1", "201", "999", "1000", "-20", "20x", "٤٠"])
def test_any_other_length_is_400(signed_in: Visitor, shown: str) -> None:
    assert signed_in.get("/notes", query_string={"shown": shown}).status_code == 400


def test_show_older_says_how_long_the_list_is_now(signed_in: Visitor, alice: User) -> None:
    for number in range(45):
        service.create_note(alice.id, f"note {number}", "")
    older = listing.list_notes(alice.id).older
    assert 'data-list="/notes?shown=40"' in signed_in.get(f"/notes?before={older}").text
