"""Several of one's own notes are changed at once, in one statement, and this is undone by one button."""

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
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


def rows() -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.session.execute(select(Note.__table__).order_by(Note.id))]


def send(browser: Visitor, ids: list[int], action: str, path: str = SELECT, **fields: object) -> TestResponse:
    return browser.submit(path, note=[str(note_id) for note_id in ids], action=action, **fields)


def age(column: InstrumentedAttribute[datetime | None]) -> None:
    """Move what was put away to a day ago: in a test, all that happens has one moment."""
    db.session.execute(update(Note).values({column: column - timedelta(days=1)}))
    db.session.commit()


def undo_of(page: str) -> str:
    match = re.search(r'action="(/notes/select/undo[^"]+)"', page)
    assert match, page
    return match[1].replace("&amp;", "&")


def test_the_list_leads_to_its_own_page_with_a_checkbox_for_each_note(signed_in: Visitor, alice: User) -> None:
    for number in range(25):
        service.create_note(alice.id, f"note {number}", "#a")
    for place in ("", "?q=note&tag=a", "?tag=a", "?shown=25"):
        page = signed_in.get(f"/notes{place}").text
        assert f'href="{SELECT}{place.replace("&", "&amp;")}"' in page
        shown = re.findall(r'id="note-(\d+)"', page)
        chooser = signed_in.get(f"{SELECT}{place}").text
        assert re.findall(r'type="checkbox" name="note" value="(\d+)"', chooser) == shown
        assert f'action="{SELECT}{place.replace("&", "&amp;")}"' in chooser
        assert f'href="/notes{place.replace("&", "&amp;")}"' in chooser
        assert " checked" not in chooser


def test_an_empty_list_offers_nothing_to_choose(signed_in: Visitor) -> None:
    assert SELECT not in signed_in.get("/notes").text
    assert "There are no notes here." in signed_in.get(SELECT).text


def test_all_of_a_page_are_chosen_by_a_link(signed_in: Visitor, ids: list[int]) -> None:
    assert f'href="{SELECT}?all=1"' in signed_in.get(SELECT).text
    assert signed_in.get(f"{SELECT}?all=1").text.count(" checked") == len(ids)


def test_it_asks_for_a_page_as_the_list_does(signed_in: Visitor, ids: list[int]) -> None:
    for query, status in [("before=x", 400), ("shown=9999", 400), ("day=x", 400), ("all=x", 200)]:
        assert signed_in.get(f"{SELECT}?{query}").status_code == status, (query, status)


def test_pin_and_unpin(signed_in: Visitor, alice: User, ids: list[int]) -> None:
    for action, pinned, sentence in (("pin", True, "Notes pinned: 2."), ("unpin", False, "Notes unpinned: 2.")):
        for _ in range(2):
            assert send(signed_in, ids[:2], action).location == "/notes"
            assert sentence in signed_in.get("/notes").text
            assert [service.get_note(alice.id, note_id).pinned for note_id in ids] == [pinned, pinned, False]


def test_move_to_the_trash_and_undo(signed_in: Visitor, alice: User, ids: list[int]) -> None:
    before_all = service.create_note(alice.id, "in the trash before", "")
    service.delete_note(alice.id, before_all)
    age(Note.deleted_at)
    before = rows()
    send(signed_in, ids[:2], "delete", "/notes/select?q=note")
    page = signed_in.get("/notes?q=note").text
    assert "Notes moved to the trash: 2." in page
    assert {note.id for note in service.list_trash(alice.id)} == {before_all, *ids[:2]}
    assert kept() == counted()
    undo = undo_of(page)
    assert signed_in.submit(undo).location == "/notes?q=note"
    assert "Notes restored: 2." in signed_in.get("/notes").text
    assert rows() == before
    assert kept() == counted()


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_sent_twice_it_is_done_once_and_undo_undoes_it(signed_in: Visitor, ids: list[int], action: str) -> None:
    before = rows()
    send(signed_in, ids, action)
    assert (
        f"{'Notes archived' if action == 'archive' else 'Notes moved to the trash'}: 3." in signed_in.get("/notes").text
    )
    assert kept() == counted()
    age(Note.archived_at if action == "archive" else Note.deleted_at)
    after = rows()
    assert send(signed_in, ids, action).location == "/notes"
    assert rows() == after
    undo = undo_of(signed_in.get("/notes").text)
    signed_in.submit(undo)
    assert rows() == before
    assert signed_in.submit(undo).location == "/notes"
    assert "Nothing is left to undo." in signed_in.get("/notes").text
    assert rows() == before


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_undo_brings_back_ones_own_notes_of_that_moment_alone(
    app: Flask, signed_in: Visitor, alice: User, bob: User, ids: list[int], foreign: int, action: str
) -> None:
    send(browser_of(app, bob), [foreign], action)
    column = Note.archived_at if action == "archive" else Note.deleted_at
    of_bob = db.session.scalar(select(column).where(Note.id == foreign))
    send(signed_in, ids[:1], action)
    db.session.execute(update(Note).where(Note.id == ids[0]).values({column: of_bob}))  # the same moment
    db.session.commit()
    before = [row for row in rows() if row[0] == foreign]
    signed_in.submit(undo_of(signed_in.get("/notes").text))
    assert [row for row in rows() if row[0] == foreign] == before


def test_an_undo_that_no_page_offers_is_422(signed_in: Visitor, ids: list[int]) -> None:
    for query in ["", "of=delete&at=x", "of=delete&at=-1", f"of=delete&at={10**18}", "of=pin&at=1", "at=1"]:
        send(signed_in, ids, "delete")
        before = rows()
        assert signed_in.submit(f"{SELECT}/undo?{query}").status_code == 422, query
        assert rows() == before, query


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


def test_a_tag_is_written_at_the_end_of_the_text(signed_in: Visitor, alice: User) -> None:
    for content in TEXTS:
        note_id = service.create_note(alice.id, "title #t", content)
        for _ in range(2):  # the second time it is there already
            send(signed_in, [note_id], "tag", tag=" #Book ")
            assert "Notes tagged #Book: 1." in signed_in.get("/notes").text, content
            note = db.session.get_one(Note, note_id, populate_existing=True)
            assert note.content == TEXTS[content], content
            assert note.tags == tags_of("title #t", note.content), content
            assert note.version == 2, content
            assert kept() == counted(), content


def test_a_note_that_has_the_tag_in_its_title_stays_as_it_is(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "#book", "text")
    send(signed_in, [note_id], "tag", tag="Book")
    assert (service.get_note(alice.id, note_id).content, service.get_note(alice.id, note_id).version) == ("text", 1)


def test_a_note_without_room_for_the_tag_stays_as_it_is_and_the_others_get_it(
    signed_in: Visitor, alice: User, ids: list[int]
) -> None:
    full = service.create_note(alice.id, "full", "x" * (CONTENT_LENGTH - 6))
    fits = service.create_note(alice.id, "fits", "x" * (CONTENT_LENGTH - 7))
    send(signed_in, [*ids, full, fits], "tag", tag="book")
    assert "Notes tagged #book: 4. No room for it in: 1." in signed_in.get("/notes").text
    assert service.get_note(alice.id, full).version == 1
    assert len(service.get_note(alice.id, fits).content) == CONTENT_LENGTH
    assert kept() == counted()


def test_what_is_no_tag_is_refused_and_keeps_what_was_chosen(signed_in: Visitor, ids: list[int]) -> None:
    for tag in ["", " ", "#", "1", "#12", "a b", "a.b", "#a#b", "x" * 31, "a\x00"]:
        before = rows()
        answer = send(signed_in, ids[:2], "tag", tag=tag)
        assert answer.status_code == 422, tag
        assert "Write one tag, such as #book" in answer.text, tag
        assert answer.text.count(" checked") == 2, tag
        assert rows() == before, tag


def test_without_a_note_nothing_is_done_and_the_page_says_what_to_do(signed_in: Visitor, ids: list[int]) -> None:
    for action in ["tag", "pin", "unpin", "archive", "delete"]:
        before = rows()
        answer = send(signed_in, [], action, "/notes/select?q=1", tag="a")
        assert answer.status_code == 422, action
        assert "Select at least one note first." in answer.text, action
        assert answer.text.count('type="checkbox"') == 1, action  # of the same page of the list
        assert rows() == before, action


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
    for fields in [
        {"note": "x", "action": "pin"},
        {"note": "0", "action": "pin"},
        {"note": "1", "action": "erase"},
        {"note": "1"},
    ]:
        before = rows()
        assert signed_in.submit(SELECT, **fields).status_code == 422, fields
        assert rows() == before, fields


def test_at_most_a_page_of_notes_is_chosen(signed_in: Visitor, ids: list[int]) -> None:
    before = rows()
    too_many = [*ids, *range(10**9, 10**9 + selection.MOST_SELECTED)]
    assert send(signed_in, too_many, "delete").status_code == 422
    assert rows() == before
    assert send(signed_in, too_many[: selection.MOST_SELECTED], "delete").status_code == 302


def test_two_hundred_notes_take_as_many_statements_as_one(
    signed_in: Visitor, alice: User, statements: list[str]
) -> None:
    ids = create(alice, selection.MOST_SELECTED)
    signed_in.csrf_token()
    for action in ("tag", "delete"):
        taken = []
        for chosen in (ids[:1], ids[1:]):
            statements.clear()
            assert send(signed_in, chosen, action, tag="tag").status_code == 302
            taken.append(len(statements))
        assert taken[0] == taken[1] <= 4, statements


def test_a_long_search_is_not_kept_in_the_cookie(signed_in: Visitor, ids: list[int]) -> None:
    assert send(signed_in, ids, "delete", f"{SELECT}?tag={'반' * 400}").location == "/notes"
    assert undo_of(signed_in.get("/notes").text).endswith("next=/notes")


def test_undo_leads_to_no_other_site(signed_in: Visitor) -> None:
    for target in ["//evil.example", "https://evil.example", "/" * 700]:
        answer = signed_in.submit(f"{SELECT}/undo?of=delete&at=1&next={target}")
        assert answer.location == "/notes", target
