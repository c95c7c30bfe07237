"""The notes of one day where the reader is: `/notes?day=2020-11-22`."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.accounts import service as accounts
from app.accounts.models import User
from app.notes import days, service
from app.notes.cursor import START
from app.notes.days import OneDay
from tests.notes.lists import headings, older_of, write_at
from tests.notes.test_search_index import fill
from tests.visitor import Visitor

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
    accounts.change_settings(user.id, "en", "Asia/Seoul")


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
    assert f'<b>{heading}</b>\n<span role="status">Notes: 2</span>\n<a href="/notes">All notes</a>' in page
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
