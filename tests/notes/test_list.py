"""The list: pinned notes first, then the newest, under their days, in pages by keyset pagination; figures beside it."""

import gzip
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, update

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import days, listing, service
from app.notes.cursor import START
from app.notes.days import OneDay
from app.notes.models import Note
from app.notes.search import Search
from app.notes.sharing import share_note
from tests.notes.lists import create, headings, older_of, titles_of_all_pages, write_at
from tests.notes.test_search_correction import fill
from tests.visitor import Visitor


def test_pinning_by_the_button(signed_in: Visitor, alice: User) -> None:
    old, _new = (service.create_note(alice.id, title, "") for title in ("old", "new"))
    for fields in ({}, {"pinned": "2"}):
        assert signed_in.submit(f"/notes/{old}/pin", **fields).status_code == 422
    assert titles_of_all_pages(alice.id) == ["new", "old"]
    assert signed_in.submit(f"/notes/{old}/pin", pinned="1").location == f"/notes#note-{old}"
    assert titles_of_all_pages(alice.id) == ["old", "new"]
    signed_in.submit(f"/notes/{old}/pin", pinned="0")
    assert titles_of_all_pages(alice.id) == ["new", "old"]


def test_every_button_says_which_note_it_is_about_and_whether_it_is_pinned(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, 'a "b" <c>', "")
    service.pin_note(alice.id, note_id, pinned=True)
    page = signed_in.get("/notes").text
    assert f'<article class="note" aria-labelledby="note-{note_id}"><h3 id="note-{note_id}">' in page
    assert "<bdi>a &#34;b&#34; &lt;c&gt;</bdi>" in page
    for name, action in {
        "x": "Select",
        "m": "More",
        "p": "Pin",
        "e": "Edit",
        "a": "Move to archive",
        "t": "Move to trash",
    }.items():
        assert f'aria-labelledby="{name} note-{note_id}"' in page
        assert f'<span id="{name}">{action}:</span>' in page
    assert '<button aria-pressed="true"' in page
    assert f'formaction="/notes/{note_id}/pin?pinned=0"' in page
    service.pin_note(alice.id, note_id, pinned=False)
    page = signed_in.get("/notes").text
    assert '<button aria-pressed="false"' in page
    assert f'formaction="/notes/{note_id}/pin?pinned=1"' in page


def test_a_button_returns_to_the_list_and_is_no_open_redirect(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "title", "")
    here = "/notes?q=%EB%B0%98&tag=a&before=0-9"
    for back, location in {here: here, "//evil.example": "/notes"}.items():
        for action, anchor in {"pin": f"#note-{note_id}", "delete": "", "restore": ""}.items():
            assert signed_in.submit(f"/notes/{note_id}/{action}", pinned="1", next=back).location == location + anchor


def test_the_figures_count_the_users_own_notes_that_are_not_deleted(signed_in: Visitor, alice: User) -> None:
    for number in range(14):
        service.create_note(alice.id, "", " ".join(f"#tag{other}x" for other in range(number + 1)))
    service.delete_note(alice.id, service.create_note(alice.id, "", "#gone"))
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
    for query, begun in {"": "", "?q=moon&tag=a": "", "?tag=a": "#a ", "?q=%23a+%23b": "#a #b "}.items():
        [text] = re.findall("<textarea[^>]*>\r?\n?([^<]*)<", signed_in.get(f"/notes{query}").text)
        assert text == begun, query
    assert "Add #tags" in signed_in.get("/notes/tags").text


def test_the_list_says_how_many_tasks_of_a_note_are_done(signed_in: Visitor, alice: User) -> None:
    service.create_note(alice.id, "장보기", "x" * 300 + "\n- [x] 우유\n> 1. [ ] 빵\n- [X] 잼\nno - [ ] task\n-[ ] none")
    service.create_note(alice.id, "none", "a [ ] b")
    page = signed_in.get("/notes").text
    assert page.count("☑") == 1
    assert 'aria-label="Tasks done: 2 of 3">☑ 2/3</span>' in page


def test_lines_of_tags_are_not_in_the_excerpt_since_the_tags_stand_below_it(signed_in: Visitor, alice: User) -> None:
    for text, excerpt in {
        "감자\n#요리 #저녁": "<p>감자</p>",
        "#요리\n감자\n#저녁 ": "<p>감자</p>",
        "오늘 #요리 하기\n#1 #요리": "<p>오늘 #요리 하기\n#1 #요리</p>",
        "half\n# heading\n#책": "<p>half\nheading</p>",
        "#요리 #Half": "",
    }.items():
        note_id = service.create_note(alice.id, "title", text)
        row = signed_in.get("/notes").text.partition("<article")[2].partition("<footer>")[0]
        assert (re.findall("<p>[^<]*</p>", row.replace(' lang="ko"', "")) or [""]) == [excerpt], text
        service.delete_note(alice.id, note_id)


def test_a_page_of_20_notes_is_at_most_10_kb(signed_in: Visitor, alice: User) -> None:
    words = "반달 메모 회의 시안 동네 책방 토요일 오전 멸치 육수 감자 애호박 산책길 남쪽 하늘".split()  # noqa: SIM905
    for number in range(21):
        chosen = [words[(number * 7 + place * place) % len(words)] + str(place) for place in range(60)]
        service.create_note(alice.id, " ".join(chosen[:8])[:50], " ".join(chosen) + f" #{chosen[0]} #{chosen[1]}")
    assert len(gzip.compress(signed_in.get("/notes").data, 6)) <= 10 * 1024


CURSORS = ["", "x", "2-1-1", "0-9", "0-1-0", f"0-{2**63}-1", "0-1-1-", f"0-1-1-{10**9}", "0-1-1-1-1", "1-0-1-0-0-0-0-0"]
LENGTHS = ["x", "0", "1", "201", "1000", "-20", "20x", "٤٠"]
DAYS = [
    *("", "0", "2026-02-29", "20261122", "2026-W47-7", "2026-11-22T00:00", " 2026-11-22", "٢٠٢٦-11-22"),
    *("1969-12-31", "9999-01-01", "-2026-11-22", "2026-11-22\0"),
]


def test_a_place_that_no_page_leads_to_is_400(signed_in: Visitor) -> None:
    lists: list[tuple[str, dict[str, str]]] = [
        *(("", {"before": before}) for before in CURSORS),
        *(("", {"shown": shown}) for shown in LENGTHS),
        *(("", {"day": day}) for day in DAYS),
        *(("", {"day": "2026-11-22", name: "moon"}) for name in ("q", "tag")),
        *(("/archive", {"before": before}) for before in ("", "x", "1", "0-1-2", "-1-5", "1-0")),
        *(("/shared", {"before": before}) for before in ("", "x", "0", "-1", "1-2", f"{2**63}")),
    ]
    taken = [each for each in lists if signed_in.get(f"/notes{each[0]}", query_string=each[1]).status_code != 400]
    assert taken == []


def test_the_pages_hold_every_note_once_the_pinned_ones_first(alice: User) -> None:
    ids = create(alice, 45)
    db.session.execute(update(Note).where(Note.id.in_(ids[:22])).values(pinned=True))
    expected = [f"note {number}" for number in (*reversed(range(22)), *reversed(range(22, 45)))]
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


@pytest.mark.parametrize("path", ["/notes/shared", "/notes"])
def test_the_button_for_older_notes_leads_through_three_pages(signed_in: Visitor, alice: User, path: str) -> None:
    ids = create(alice, 2 * listing.PAGE_SIZE + 1)
    for each in ids:
        share_note(alice.id, each)
    found: list[str] = []
    while path:
        assert len(found) < len(ids)
        page = signed_in.get(path).text
        found += re.findall("<bdi>(note [0-9]+)</bdi>", page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(older[1]) if older else ""
    assert sorted(found) == sorted(f"note {number}" for number in range(len(ids)))


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


def test_a_link_of_a_previous_release_leads_on_and_says_not_how_many_are_shown(signed_in: Visitor, alice: User) -> None:
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
    assert len(listing.list_notes(alice.id, search=Search.parse("", "half"), size=40).notes) == 32
    assert signed_in.get("/notes?shown=60").text.count("<article") == 60
    assert signed_in.get("/notes?shown=10").text.count("<article") == 20
    most = listing.MOST_SHOWN
    assert [signed_in.get(f"/notes?shown={size}").status_code for size in (most, most + 1)] == [200, 400]


def test_the_notes_stand_under_their_days_in_the_readers_zone(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "2020-03-01 14:59+00", "2020-03-01 15:00+00", pinned=["2020-01-01 00:00+00"])
    signed_in.set_cookie("time_zone", "Asia/Seoul")  # where 15:00 is midnight
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 2, 2020", "Mar 1, 2020"]
    signed_in.set_cookie("time_zone", "UTC")
    assert headings(signed_in.get("/notes").text) == ["Pinned", "Mar 1, 2020"]


def test_a_day_that_goes_on_has_its_heading_once_when_it_is_appended(signed_in: Visitor, alice: User) -> None:
    create(alice, 25)
    for pinned in (False, True):
        db.session.execute(update(Note).values(pinned=pinned))
        db.session.commit()
        page = signed_in.get(older_of(signed_in.get("/notes").text)).text
        assert page.count("<article") == 5
        assert len(headings(page)) == 1  # a page of its own has it
        assert page.count('<h2 class="continued">') == 1  # what is put below another page goes without it


def test_another_day_has_its_heading_also_when_it_is_appended(signed_in: Visitor, alice: User) -> None:
    write_at(alice, "2020-03-01 00:00+00", *["2020-03-02 00:00+00"] * 20)
    older = older_of(signed_in.get("/notes").text)
    assert headings(page := signed_in.get(older).text) == ["Mar 1, 2020"]
    assert "continued" not in page


SEOUL = ZoneInfo("Asia/Seoul")
BEFORE, FIRST, LAST, AFTER = (  # of 22 November in Seoul
    "2020-11-21 14:59:59.999999+00",
    "2020-11-21 15:00:00+00",
    "2020-11-22 14:59:59.999999+00",
    "2020-11-22 15:00:00+00",
)


def on(day: str, zone: ZoneInfo = SEOUL) -> OneDay:
    return OneDay.parse(day, zone)


def live_in_seoul(user: User) -> None:
    accounts.change_settings(user.id, language="en", time_zone="Asia/Seoul")


def test_a_day_has_the_notes_from_its_midnight_to_the_next_none_deleted_or_of_others(alice: User, bob: User) -> None:
    write_at(bob, FIRST)
    write_at(alice, BEFORE, FIRST, LAST, AFTER)
    page = days.list_day(alice.id, START, on("2020-11-22"))
    assert [note.title for note in page.notes] == [LAST, FIRST]
    assert (page.found, page.shown, page.total, page.older) == (2, 2, 4, None)
    for note in page.notes:
        service.delete_note(alice.id, note.id)
    page = days.list_day(alice.id, START, on("2020-11-22"))
    assert (list(page.notes), page.found, page.in_trash) == ([], 0, 2)


def test_the_days_of_a_zone_follow_each_other_without_a_gap() -> None:
    for case in [
        ("UTC", "2020-11-22", "2020-11-22T00:00", 24),
        ("Asia/Seoul", "2020-11-22", "2020-11-21T15:00", 24),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00", 23),  # summer time begins
        ("America/New_York", "2026-11-01", "2026-11-01T04:00", 25),  # and ends
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00", 23),  # there is no midnight: 23:59 is followed by 01:00
        ("America/Havana", "2025-11-02", "2025-11-02T04:00", 25),  # midnight comes twice
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0),  # left out, when Samoa crossed the date line
    ]:
        zone, day, begin, hours = case
        found = on(day, ZoneInfo(zone))
        assert f"{found.begin:%Y-%m-%dT%H:%M}" == begin, case
        assert found.end - found.begin == timedelta(hours=hours), case
        assert found.end == on(str(found.day + timedelta(days=1)), ZoneInfo(zone)).begin, case


def test_the_page_says_which_day_and_how_many_leads_back_and_is_returned_to(signed_in: Visitor, alice: User) -> None:
    live_in_seoul(alice)
    write_at(alice, BEFORE, FIRST, LAST)
    page = signed_in.get("/notes?day=2020-11-22").text
    heading = "Nov 22, 2020"
    assert f"<title>Notes from {heading} · " in page
    assert f'<h1 class="visually-hidden">Notes from {heading}</h1>' in page
    assert f'<b>{heading}</b>\n<span role="status">2 notes</span>\n<a href="/notes">All notes</a>' in page
    assert [found.endswith(heading) for found in headings(page)] == [True]
    assert BEFORE not in page
    assert 'class="searched"' in page
    assert 'name="next" value="/notes?day=2020-11-22"' in page
    assert '?next=/notes?day%3D2020-11-22"' in page


def test_an_empty_day_says_so(signed_in: Visitor, alice: User) -> None:
    service.create_note(alice.id, "another day", "")
    page = signed_in.get("/notes?day=2020-02-29").text
    assert "No notes were written on this day." in page
    assert "<b>1</b></a>" in page, "the figures beside the list are those of all notes"


def test_older_notes_of_the_day_are_pages_of_their_own(signed_in: Visitor, alice: User) -> None:
    live_in_seoul(alice)
    minutes = [f"2020-11-22 03:{minute:02}+00" for minute in range(45)]
    write_at(alice, BEFORE, AFTER, *minutes[3:], pinned=minutes[:3])
    page, seen = "/notes?day=2020-11-22", []
    while page:
        html = signed_in.get(page).text.replace("&amp;", "&")
        seen += [minute for minute in [*minutes[2::-1], *minutes[:2:-1]] if f"<bdi>{minute}</bdi>" in html]
        assert "of 45</span>" in html or 'rel="next"' not in html
        page = older_of(html) if 'rel="next"' in html else ""
        assert "day=2020-11-22" in page or not page
    assert seen == [*minutes[2::-1], *minutes[:2:-1]]


def test_of_a_full_day_the_page_says_at_least_how_many(alice: User) -> None:
    fill(alice, 150)
    day = OneDay(date(2026, 1, 1), datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))
    page = days.list_day(alice.id, START, day)
    assert (page.found, page.found_is_least) == (100, True)
    for _ in range(6):
        assert page.older
        page = days.list_day(alice.id, page.older, day)
    assert (page.found, page.shown) == (140, 140)
