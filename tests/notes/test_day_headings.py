"""The list is divided by days in the reader's time zone, also where a page is appended to the one before."""

import pytest

from app.accounts.models import User
from app.notes import service
from tests.notes.lists import headings, older_of, write_at
from tests.visitor import Visitor


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
    page = signed_in.get(older).text
    assert page.count("<article") == 5
    assert len(headings(page)) == 1  # a page of its own has it
    assert page.count('<h2 class="continued">') == 1  # what is put below another page goes without it


def test_another_day_has_its_heading_also_when_it_is_appended(signed_in: Visitor, alice: User) -> None:
    write_at(alice, *["2020-03-01 00:00+00"] * 5, *["2020-03-02 00:00+00"] * 20)
    older = older_of(signed_in.get("/notes").text)
    assert headings(page := signed_in.get(older).text) == ["Mar 1, 2020"]
    assert "continued" not in page
