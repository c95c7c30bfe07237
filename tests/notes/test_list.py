"""The list: newest first, pinned on top, 20 a page, and no note twice or left out on the way down."""

import re

import pytest
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from tests.visitor import Visitor


def titles_of_all_pages(user_id: int) -> list[str]:
    titles: list[str] = []
    page = service.list_notes(user_id)
    while page.older:
        titles += [note.title for note in page.notes]
        page = service.list_notes(user_id, page.older)
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


def test_a_note_written_while_one_reads_shifts_nothing(alice: User) -> None:
    for number in range(30):
        service.create_note(alice.id, f"{number}", "")
    first = service.list_notes(alice.id)
    service.create_note(alice.id, "new", "")
    assert first.older
    second = service.list_notes(alice.id, first.older)
    assert [note.title for note in second.notes] == [f"{number}" for number in reversed(range(10))]


def test_show_older_leads_to_the_older_ones(signed_in: Visitor, alice: User) -> None:
    for number in range(21):
        service.create_note(alice.id, f"note number {number}", "")
    page = signed_in.get("/notes").text
    assert "note number 0<" not in page
    match = re.search(r'href="(/notes\?before=[^"]+)"', page)
    assert match
    older = signed_in.get(match[1]).text
    assert "note number 0<" in older
    assert "before=" not in older


@pytest.mark.parametrize(
    "before", ["", "x", "2-1", "0-", "0--1", "0-١", f"0-{2**63}", "0-" + "9" * 4000, "0-1-1", "0-1;drop"]
)
def test_a_cursor_of_another_make_is_400(signed_in: Visitor, before: str) -> None:
    assert signed_in.get("/notes", query_string={"before": before}).status_code == 400


def test_pinning_by_the_button(signed_in: Visitor, alice: User) -> None:
    old, new = (service.create_note(alice.id, title, "") for title in ("old", "new"))
    assert signed_in.submit(f"/notes/{old}/pin", pinned="1").location == "/notes"
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


def test_the_plan_reads_the_owners_index_and_sorts_nothing(alice: User, bob: User) -> None:
    for user in (alice, bob):
        for number in range(60):
            service.create_note(user.id, f"{number}", "")
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    connection = db.session.connection()
    statement = service._PAGE.params(owner=alice.id, pinned=True, note_id=service.ID_MAX).compile(connection)
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", statement.params).scalars())
    assert "Index Scan Backward using ix_notes_user_id_pinned_id" in plan
    assert "Sort" not in plan
