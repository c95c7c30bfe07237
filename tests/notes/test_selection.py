"""Several of one's own notes are changed at once, in one statement, and this is undone by one button."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.orm import InstrumentedAttribute
from werkzeug.test import TestResponse

from app.accounts.models import User
from app.extensions import db
from app.notes import selection, service
from app.notes.models import CONTENT_LENGTH, Note
from app.notes.texts import tags_of
from tests.conftest import browser_of
from tests.figures.counts import counted, kept
from tests.notes.lists import create
from tests.visitor import Visitor

SELECT = "/notes/select"


@pytest.fixture
def ids(alice: User) -> list[int]:
    return [service.create_note(alice.id, f"note {number}", "text") for number in range(3)]


@pytest.fixture
def foreign(bob: User) -> int:
    return service.create_note(bob.id, "foreign", "text")


COUNTED = ("version", "changed", "changed_at")  # what each change leaves behind, also one that is undone


def rows(*left_out: str) -> list[tuple[object, ...]]:
    columns = [column for column in Note.__table__.c if column.name not in left_out]
    return [tuple(row) for row in db.session.execute(select(*columns).order_by(Note.id))]


def send(browser: Visitor, ids: list[int], action: str, path: str = SELECT, **fields: object) -> TestResponse:
    return browser.submit(path, note=[str(note_id) for note_id in ids], action=action, **fields)


def age(column: InstrumentedAttribute[Any], which: ColumnElement[bool] = true()) -> None:  # noqa: B008
    """Move what was put away to a day ago: in a test, all that happens has one moment."""
    db.session.execute(update(Note).where(which).values({column: column - timedelta(days=1)}))
    db.session.commit()


def undo_of(page: str) -> str:
    match = re.search(r'action="(/notes/select/undo[^"]+)"', page)
    assert match, page
    return match[1].replace("&amp;", "&")


def test_each_note_has_a_box_and_the_bar_keeps_the_place_in_the_list(signed_in: Visitor, alice: User) -> None:
    create(alice, 50, "a")
    for place in ("", "?q=note&tag=a", "?shown=25"):
        page = signed_in.get(f"/notes{place}").text
        boxes = re.findall(r'form="choose" name="note" value="(\d+)"', page)
        assert boxes == re.findall(r'<h3 id="note-(\d+)"', page)
        assert f'id="choose" method="post" action="{SELECT}{place.replace("&", "&amp;")}"' in page
        assert " checked" not in page


def test_all_of_a_page_are_chosen_by_a_link_and_an_empty_one_offers_nothing(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get("/notes").text
    assert SELECT not in page
    assert "Select notes" not in page
    create(alice, 3)
    assert 'href="/notes?all=1" data-all>' in signed_in.get("/notes").text
    assert signed_in.get("/notes?all=1").text.count(" checked") == 3


def test_pin_and_unpin(signed_in: Visitor, alice: User, ids: list[int]) -> None:
    for action, pinned, sentence in (("pin", True, "2 notes pinned."), ("unpin", False, "2 notes unpinned.")):
        for _ in range(2):
            assert send(signed_in, ids[:2], action).location == "/notes"
            assert sentence in signed_in.get("/notes").text
            assert [service.get_note(alice.id, note_id).pinned for note_id in ids] == [pinned, pinned, False]


@pytest.mark.parametrize(
    ("action", "column", "sentence"),
    [("archive", Note.archived_at, "2 notes archived."), ("delete", Note.deleted_at, "2 notes moved to the trash.")],
)
def test_sent_twice_it_is_done_once_and_undo_undoes_that_alone(
    app: Flask,
    signed_in: Visitor,
    bob: User,
    ids: list[int],
    foreign: int,
    action: str,
    column: InstrumentedAttribute[datetime | None],
    sentence: str,
) -> None:
    send(signed_in, ids[2:], action)
    age(column)
    send(browser_of(app, bob), [foreign], action)  # at the same moment as what follows
    before = rows(*COUNTED)
    send(signed_in, ids[:2], action)
    assert sentence in signed_in.get("/notes").text
    assert kept() == counted()
    age(column)
    after = rows()
    assert send(signed_in, ids[:2], action, f"{SELECT}?q=note").location == "/notes?q=note"
    assert rows() == after
    pairs = zip(before, rows(*COUNTED), strict=True)
    restored = [then if then[0] in ids[:2] else now for then, now in pairs]
    undo = undo_of(signed_in.get("/notes").text)
    for said in ("2 notes restored.", "Nothing is left to undo."):
        assert signed_in.submit(undo).location == "/notes?q=note"
        assert said in signed_in.get("/notes").text
        assert rows(*COUNTED) == restored
        assert kept() == counted()


@pytest.mark.parametrize(("action", "column"), [("archive", Note.archived_at), ("delete", Note.deleted_at)])
def test_undo_of_a_selection_leaves_what_was_put_away_long_before_where_it_is(
    alice: User, ids: list[int], action: str, column: InstrumentedAttribute[datetime | None]
) -> None:
    selection.put_away(alice.id, ids[:1], action)
    age(column)
    before, first = rows(*COUNTED), rows()[0]
    count, moment = selection.put_away(alice.id, ids, action)
    assert (count, rows()[0]) == (3, first)
    assert selection.undo(alice.id, action, moment) == 2
    assert rows(*COUNTED) == before


def test_an_undo_that_no_page_offers_is_422(signed_in: Visitor, ids: list[int]) -> None:
    send(signed_in, ids, "delete")
    before = rows()
    for query in [
        *("", "of=delete&at=x", "of=delete&at=-1", f"of=delete&at={10**18}", "of=pin&at=1"),
        *("of=tag&at=1", "of=tag&at=1&tag=a%20b", "of=tag&at=1&tag=%00", "of=tag&at=1&tag=%25"),
    ]:
        assert signed_in.submit(f"{SELECT}/undo?{query}").status_code == 422, query
    assert rows() == before


TEXTS = {
    "": "#Book",
    "text": "text\n\n#Book",
    "text \n\n": "text\n\n#Book",
    "#a": "#a #Book",
    "text\n#a #b  ": "text\n#a #b #Book",
    "text #a": "text #a\n\n#Book",
    "# heading": "# heading\n\n#Book",
    "text #": "text #\n\n#Book",
    "```\ncode": "```\ncode\n\n#Book",
    "한글 #달 #책\n#반": "한글 #달 #책\n#반 #Book",
    f"#{'x' * 31}": f"#{'x' * 31} #Book",
}


def test_a_tag_is_written_at_the_end_of_the_text(alice: User) -> None:
    for content, expected in TEXTS.items():
        note_id = service.create_note(alice.id, "title #t", content)
        age(Note.updated_at)
        for time in range(2):  # the second time it is there already
            tagged, full, moment = selection.tag_notes(alice.id, [note_id], "Book")
            assert (tagged, full, moment is None) == (1, 0, time == 1)
            note = db.session.get_one(Note, note_id, populate_existing=True)
            assert (note.content, note.version) == (expected, 2), content
            assert note.tags == tags_of("title #t", note.content), content
            assert note.updated_at == note.created_at, content  # now
    assert kept() == counted()


def test_undo_of_a_tag_leaves_what_was_written_since_and_what_had_the_tag_before(
    signed_in: Visitor, alice: User, bob: User, ids: list[int], foreign: int
) -> None:
    has_it = service.create_note(alice.id, "", "text #book")
    made = {content: service.create_note(alice.id, "title #t", content) for content in TEXTS}
    selection.tag_notes(bob.id, [foreign], "Book")  # at the same moment
    before = {note_id: content_of(note_id) for note_id in (*ids, has_it, *made.values())}
    send(signed_in, [*before], "tag", f"{SELECT}?q=note", tag="Book")
    undo = undo_of(signed_in.get("/notes").text)
    service.update_note(alice.id, ids[0], "edited", f"{content_of(ids[0])} #more", 2)
    edited = content_of(ids[0])
    age(Note.updated_at, Note.id == ids[1])  # another moment
    for said in (f"#Book removed from {len(TEXTS) + 1} notes.", "Nothing is left to undo."):
        assert signed_in.submit(undo).location == "/notes?q=note"
        assert said in signed_in.get("/notes").text
        assert content_of(ids[0]) == edited
        assert content_of(ids[1]).endswith("#Book")
        assert content_of(foreign).endswith("#Book")
        for note_id in (ids[2], has_it, *made.values()):
            assert content_of(note_id) == before[note_id].rstrip(), before[note_id]
            note = db.session.get_one(Note, note_id, populate_existing=True)
            assert note.tags == tags_of(note.title, note.content)
    assert kept() == counted()


def content_of(note_id: int) -> str:
    return db.session.get_one(Note, note_id, populate_existing=True).content


def test_a_note_without_room_for_the_tag_or_with_it_stays_as_it_is_and_the_others_get_it(
    signed_in: Visitor, alice: User, ids: list[int]
) -> None:
    send(signed_in, ids[:1], "tag", tag=" #Book ")
    assert "1 note tagged #Book." in signed_in.get("/notes").text
    full = service.create_note(alice.id, "full", "x" * (CONTENT_LENGTH - 6))
    fits = service.create_note(alice.id, "fits", "x" * (CONTENT_LENGTH - 7))
    has_it = service.create_note(alice.id, "#book", "text")
    send(signed_in, [*ids, full, fits, has_it], "tag", tag="book")
    assert "5 notes tagged #book. 1 note is too full for it." in signed_in.get("/notes").text
    assert service.get_note(alice.id, full).version == service.get_note(alice.id, has_it).version == 1
    assert len(service.get_note(alice.id, fits).content) == CONTENT_LENGTH
    assert kept() == counted()


def test_what_is_no_tag_is_refused_and_keeps_what_was_chosen(signed_in: Visitor, ids: list[int]) -> None:
    before = rows()
    for tag in ["", "#", "#12", "a b", "#a#b", "x" * 31, "a\x00"]:
        answer = send(signed_in, ids[:2], "tag", tag=tag)
        assert answer.status_code == 422, tag
        assert "Write one tag, such as #book" in answer.text, tag
        assert answer.text.count(" checked") == 2, tag
        assert rows() == before, tag


def test_without_a_note_nothing_is_done_and_the_page_says_what_to_do(signed_in: Visitor, ids: list[int]) -> None:
    before = rows()
    answer = send(signed_in, [], "delete", "/notes/select?q=1")
    assert answer.status_code == 422
    assert "Select at least one note first." in answer.text
    assert answer.text.count('name="note"') == 1  # of the same page of the list
    assert rows() == before


@pytest.mark.parametrize("action", ["tag", "pin", "unpin", "archive", "delete"])
def test_a_foreign_a_vanished_and_a_deleted_note_are_left_out(
    signed_in: Visitor, alice: User, ids: list[int], foreign: int, action: str
) -> None:
    service.delete_note(alice.id, ids[2])
    before = rows()
    if action == "delete":  # which is idempotent
        assert send(signed_in, [foreign, 9_000_000_000], action).status_code == 404
    else:
        assert send(signed_in, [foreign, ids[2], 9_000_000_000], action, tag="a").status_code == 404
    assert rows() == before
    assert send(signed_in, [ids[0], foreign, 9_000_000_000], action, tag="a").location == "/notes"
    changed = [row[0] for row, row_before in zip(rows(), before, strict=True) if row != row_before]
    assert changed == ([] if action == "unpin" else [ids[0]])


def test_what_no_page_sends_is_422(signed_in: Visitor, ids: list[int]) -> None:
    before = rows()
    for fields in ({"note": "x", "action": "pin"}, {"note": "0", "action": "pin"}, {"note": "1", "action": "erase"}):
        assert signed_in.submit(SELECT, **fields).status_code == 422, fields
    too_many = [*ids, *range(10**9, 10**9 + selection.MOST_SELECTED)]
    refused = send(signed_in, too_many, "delete")
    assert (refused.status_code, "Select up to 200 notes at a time." in refused.text) == (422, True)
    assert rows() == before
    assert send(signed_in, too_many[: selection.MOST_SELECTED], "delete").status_code == 302


def test_200_notes_take_as_many_statements_as_one(signed_in: Visitor, alice: User, statements: list[str]) -> None:
    ids = create(alice, selection.MOST_SELECTED)
    signed_in.csrf_token()
    for action in ("tag", "delete"):
        taken = []
        for chosen in (ids[:1], ids[1:]):
            statements.clear()
            assert send(signed_in, chosen, action, tag="tag").status_code == 302
            taken.append(len(statements))
        assert taken[0] == taken[1] <= 4, statements


def test_undo_leads_to_no_other_site_and_keeps_no_long_search_in_the_cookie(signed_in: Visitor, ids: list[int]) -> None:
    assert send(signed_in, ids, "delete", f"{SELECT}?tag={'반' * 400}").location == "/notes"
    assert undo_of(signed_in.get("/notes").text).endswith("next=/notes")
    for target in ["//evil.example", "/" * 700]:
        assert signed_in.submit(f"{SELECT}/undo?of=delete&at=1&next={target}").location == "/notes", target
