"""The list: pinned first, then the newest, 20 a page, with keyset pagination: no note twice and none left out."""

import gzip
import re
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, text

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.cursor import START
from app.notes.models import Note
from tests.visitor import Visitor


def titles_of_all_pages(user_id: int) -> list[str]:
    titles: list[str] = []
    page = listing.list_notes(user_id)
    while page.older:
        titles += [note.title for note in page.notes]
        page = listing.list_notes(user_id, page.older)
    return titles + [note.title for note in page.notes]


def test_newest_first(alice: User) -> None:
    for number in range(3):
        service.create_note(alice.id, f"note {number}", "")
    assert titles_of_all_pages(alice.id) == ["note 2", "note 1", "note 0"]


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


def older_of(page: str) -> str:
    match = re.search(r'href="(/notes\?before=[^"]+)" rel="next"', page)
    assert match
    return match[1]


def test_show_older_leads_to_the_older_ones(signed_in: Visitor, alice: User) -> None:
    for number in range(21):
        service.create_note(alice.id, f"note number {number}", "")
    page = signed_in.get("/notes").text
    assert "note number 0<" not in page
    assert "20 of 21" in page
    older = signed_in.get(older_of(page)).text
    assert "note number 0<" in older
    assert 'rel="next"' not in older


def test_the_notes_stand_under_their_days_in_the_readers_zone(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "2020-03-01 14:59+00", "2020-03-01 15:00+00", pinned=["2020-01-01 00:00+00"])
    signed_in.set_cookie("time_zone", "Asia/Seoul")  # where 15:00 is midnight
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 2, 2020", "Mar 1, 2020"]
    signed_in.set_cookie("time_zone", "UTC")
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 1, 2020"]


def test_today_and_yesterday_have_names(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "now() - interval '24 hours'", "now()")
    assert [heading.split()[0] for heading in headings(signed_in.get("/notes").text)] == ["Today", "Yesterday"]


@pytest.mark.parametrize("pinned", [True, False])
def test_a_day_that_goes_on_has_its_heading_once_when_it_is_appended(
    signed_in: Visitor, alice: User, pinned: bool
) -> None:
    for number in range(25):
        note_id = service.create_note(alice.id, f"{number}", "")
        service.pin_note(alice.id, note_id, pinned=pinned)
    older = older_of(signed_in.get("/notes").text)
    appended = signed_in.get(older, headers={"HX-Request": "true"})
    assert headings(appended.text) == []
    assert appended.text.count("<article") == 5
    assert "<html" not in appended.text
    assert "HX-Request" in appended.vary
    assert len(headings(signed_in.get(older).text)) == 1  # a page of its own has it


def test_another_day_has_its_heading_also_when_it_is_appended(signed_in: Visitor, alice: User) -> None:
    write_at(alice, *["2020-03-01 00:00+00"] * 5, *["2020-03-02 00:00+00"] * 20)
    older = older_of(signed_in.get("/notes").text)
    assert headings(signed_in.get(older, headers={"HX-Request": "true"}).text) == ["Mar 1, 2020"]


def write_at(user: User, *moments: str, pinned: Sequence[str] = ()) -> None:
    """A note of each moment, which is a timestamp or an expression in SQL."""
    for moment in (*moments, *pinned):
        note_id = service.create_note(user.id, moment, "")
        service.pin_note(user.id, note_id, pinned=moment in pinned)
        expression = moment if "(" in moment else f"'{moment}'"
        db.session.execute(text(f"UPDATE notes SET created_at = {expression} WHERE id = {note_id}"))
    db.session.commit()


def headings(page: str) -> list[str]:
    found = re.findall(r'<section class="day">\s*<h2>(.*?)</h2>', page)
    return [re.sub("<[^>]*>", "", heading) for heading in found]


@pytest.mark.parametrize(
    "before",
    ["", "x", "0", "2-1-1", "0--1-1", "0-1-", "0-1-0", "0-1-١", f"0-1-{2**63}", f"0-{2**63}-1", "0-" + "9" * 4000,
     "2-1", "0-", "0--1", "0-١", f"0-{2**63}", "0-1-1-1", "0-1-1;drop"],
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


def test_a_link_of_the_release_before_leads_on_from_its_note(signed_in: Visitor, alice: User) -> None:
    for number in range(30):
        service.create_note(alice.id, f"note number {number}", "")
    last = listing.list_notes(alice.id).notes[-1].id
    assert shown_numbers(signed_in.get(f"/notes?before=0-{last}").text) == [*reversed(range(10))]


def test_a_link_of_the_release_before_to_a_note_that_is_gone_starts_anew(
    signed_in: Visitor, alice: User, bob: User
) -> None:
    service.create_note(alice.id, "note number 1", "")
    foreign = service.create_note(bob.id, "note number 2", "")
    for gone in (foreign, foreign + 1):
        assert shown_numbers(signed_in.get(f"/notes?before=0-{gone}").text) == [1]


def shown_numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"<bdi>note number (\d+)</bdi>", page)]


def test_pinning_by_the_button(signed_in: Visitor, alice: User) -> None:
    old, new = (service.create_note(alice.id, title, "") for title in ("old", "new"))
    assert signed_in.submit(f"/notes/{old}/pin", pinned="1").location == f"/notes#note-{old}"
    assert titles_of_all_pages(alice.id) == ["old", "new"]
    signed_in.submit(f"/notes/{old}/pin", pinned="0")
    assert titles_of_all_pages(alice.id) == ["new", "old"]
    assert new


@pytest.mark.parametrize("pinned", ["", "2", "yes", None])
def test_pinning_by_another_value_is_refused(signed_in: Visitor, alice: User, pinned: str | None) -> None:
    note_id = service.create_note(alice.id, "title", "")
    fields = {} if pinned is None else {"pinned": pinned}
    assert signed_in.submit(f"/notes/{note_id}/pin", **fields).status_code == 422
    assert not service.get_note(alice.id, note_id).pinned


def test_an_untitled_note_is_named_by_its_first_line(signed_in: Visitor, alice: User) -> None:
    service.create_note(alice.id, "", "# the first line\n\nthe second")
    page = signed_in.get("/notes").text
    assert "<bdi>the first line</bdi>" in page
    assert page.count("the first line") == 4  # the name, and what the three buttons are about
    assert ">the second</p>" in page


def test_every_button_says_which_note_it_is_about_and_whether_it_is_pinned(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, 'a "b" <c>', "")
    service.pin_note(alice.id, note_id, pinned=True)
    page = signed_in.get("/notes").text
    for action in ("Pin", "Edit", "Move to trash"):
        assert f'aria-label="{action}: a &#34;b&#34; &lt;c&gt;"' in page
    assert 'name="pinned" value="0" aria-pressed="true"' in page


@pytest.mark.parametrize("action", ["pin", "delete", "restore"])
@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("/notes?q=%EB%B0%98&tag=a&before=0-9", "/notes?q=%EB%B0%98&tag=a&before=0-9"),
        ("//evil.example", "/notes"),
        ("https://evil.example/notes", "/notes"),
        ("/\\evil.example", "/notes"),
        ("javascript:alert(1)", "/notes"),
    ],
)
def test_a_button_returns_to_the_list_and_is_no_open_redirect(
    signed_in: Visitor, alice: User, action: str, back: str, location: str
) -> None:
    note_id = service.create_note(alice.id, "title", "")
    if action == "restore":
        service.delete_note(alice.id, note_id)
    answer = signed_in.submit(f"/notes/{note_id}/{action}", pinned="1", next=back)
    assert answer.location == (f"{location}#note-{note_id}" if action == "pin" else location)


def test_the_figures_count_the_users_own_notes_that_are_not_deleted(signed_in: Visitor, alice: User, bob: User) -> None:
    for number in range(14):
        service.create_note(alice.id, "", " ".join(f"#tag{other}x" for other in range(number + 1)))
    service.delete_note(alice.id, service.create_note(alice.id, "", "#gone"))
    service.create_note(bob.id, "", "#foreign")
    page = listing.list_notes(alice.id)
    assert (page.total, page.in_trash, page.found, page.shown) == (14, 1, 14, 14)
    assert page.tags == [(f"tag{number}x", 14 - number) for number in range(13)]
    html = signed_in.get("/notes").text
    assert 'href="/notes/tags">All tags</a>' in html
    assert "#tag12x" not in html.partition('id="tags"')[2]
    assert "#tag13x" in signed_in.get("/notes/tags").text
    assert "#gone" not in html


def test_an_empty_list_offers_to_create_a_note(signed_in: Visitor) -> None:
    page = signed_in.get("/notes").text
    assert "Write down your first note." in page
    assert 'href="#new-note"' in page
    assert "Write #tags" in signed_in.get("/notes/tags").text


def test_a_page_of_20_notes_is_at_most_10_kb(signed_in: Visitor, alice: User) -> None:
    words = "반달 메모 회의 시안 동네 책방 토요일 오전 멸치 육수 감자 애호박 산책길 남쪽 하늘".split()  # noqa: SIM905
    for number in range(25):
        chosen = [words[(number * 7 + place * place) % len(words)] + str(place) for place in range(60)]
        service.create_note(alice.id, " ".join(chosen[:8])[:50], " ".join(chosen) + f" #{chosen[0]} #{chosen[1]}")
    assert len(gzip.compress(signed_in.get("/notes").data, 6)) <= 10 * 1024
