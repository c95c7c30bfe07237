"""The trash and the archive: what is put away, and taken out again.

Soft delete: a deleted note can be read and restored for 30 days, and is deleted for good. An archived one leaves the
list and its tags, and is found by the search.
"""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.models import Note
from app.notes.search import Search
from app.notes.service import archive_note, list_archive, list_trash
from tests.api.conftest import program_of
from tests.database import commit
from tests.notes.lists import create
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def age(note_id: int, days: int, seconds: int = 0) -> None:
    deleted_at = func.now() - timedelta(days=days, seconds=seconds)
    commit(update(Note).where(Note.id == note_id).values(deleted_at=deleted_at))


def test_a_deleted_note_is_only_in_the_trash_and_is_not_changed(signed_in: Visitor, note_id: int) -> None:
    for action in ("restore", "delete-for-good"):
        assert signed_in.submit(f"/notes/{note_id}/{action}").status_code == 404
    assert signed_in.submit(f"/notes/{note_id}/delete").location == "/notes"
    for action in ("pin", "delete"):
        assert signed_in.submit(f"/notes/{note_id}/{action}", pinned="1").status_code == 404
    for path in ("/notes", "/notes?q=Books"):
        assert f'id="note-{note_id}"' not in signed_in.get(path).text
    assert "Books" in signed_in.get("/notes/trash").text


def test_after_30_days_it_is_neither_shown_nor_restored(signed_in: Visitor, note_id: int) -> None:
    age(note_id, days=31)
    assert "Books" not in signed_in.get("/notes/trash").text
    for action in ("restore", "delete-for-good"):
        assert signed_in.submit(f"/notes/{note_id}/{action}").status_code == 404
    for path in (f"/notes/{note_id}", f"/notes/{note_id}/edit"):
        assert signed_in.get(path).status_code == 404


def test_emptying_the_trash_deletes_the_users_own_deleted_notes_alone(
    signed_in: Visitor, alice: User, bob: User, note_id: int
) -> None:
    kept = service.create_note(alice.id, "kept", "")
    foreign = service.create_note(bob.id, "foreign", "")
    service.delete_note(bob.id, foreign)
    age(note_id, days=31)
    service.delete_note(alice.id, service.create_note(alice.id, "fresh", ""))
    assert signed_in.submit("/notes/trash/empty").location == "/notes/trash"
    assert "The trash is empty." in signed_in.get("/notes").text  # and not by the page itself
    assert sorted(db.session.scalars(db.select(Note.id))) == [kept, foreign]


def test_undo_returns_to_the_page_that_deleted_and_says_the_name_escaped(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "<b>%s</b>", "")
    signed_in.submit(f"/notes/{note_id}/delete", next="/notes?q=b&tag=c")
    undo = f"/notes/{note_id}/restore?next=/notes?q%3Db%26tag%3Dc"
    page = signed_in.get("/notes").text
    assert "Moved “&lt;b&gt;%s&lt;/b&gt;” to the trash." in page
    assert f'action="{undo}"' in page
    assert undo not in signed_in.get("/notes").text  # it is offered once
    assert signed_in.submit(undo).location == "/notes?q=b&tag=c"


def test_the_trash_says_how_long_each_note_stays(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    for days, seconds, left in ((0, 0, 30), (0, 1, 30), (1, 0, 29), (29, 1, 1), (29, 86399, 1)):
        age(note_id, days, seconds)
        assert f"{left} {'day' if left == 1 else 'days'} left" in signed_in.get("/notes/trash").text


def test_deleting_for_good_asks_first_also_without_javascript(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    for place, action in (("trash", "trash/empty"), (f"{note_id}", f"{note_id}/delete-for-good")):
        page = signed_in.get(f"/notes/{place}").text
        assert page.index("<summary") < page.index(f'action="/notes/{action}"') < page.index("</details>")
    assert service.list_trash(alice.id)[0]


@pytest.fixture
def deleted_id(alice: User) -> int:
    """Return the id of a note in alice's trash."""
    deleted_id = service.create_note(alice.id, "Books", "three **or** four")
    service.delete_note(alice.id, deleted_id)
    return deleted_id


def test_it_can_be_read_and_says_where_it_is_and_leads_back(signed_in: Visitor, deleted_id: int) -> None:
    age(deleted_id, days=10)
    assert f'<a href="/notes/{deleted_id}"><bdi>Books</bdi></a>' in signed_in.get("/notes/trash").text
    assert signed_in.get(f"/notes/{deleted_id}/edit").location == f"/notes/{deleted_id}"
    page = signed_in.get(f"/notes/{deleted_id}").text
    assert "<h1><bdi>Books</bdi></h1>" in page
    assert "<strong>or</strong>" in page
    assert "This note is in the trash. Deleted for good in 20 days." in page
    assert '<a class="back" href="/notes/trash">' in page


def test_its_page_changes_nothing_but_where_it_is(signed_in: Visitor, deleted_id: int) -> None:
    page = signed_in.get(f"/notes/{deleted_id}").text
    for action in ("edit", "pin", "delete"):
        assert f'/notes/{deleted_id}/{action}"' not in page
        assert f"/notes/{deleted_id}/{action}?" not in page
    restore = f"/notes/{deleted_id}/restore?next=/notes/{deleted_id}"
    assert f'action="{restore}"' in page
    assert signed_in.submit(restore).location == f"/notes/{deleted_id}"
    assert "in the trash" not in signed_in.get(f"/notes/{deleted_id}").text


def test_deleting_it_for_good_deletes_it_alone(signed_in: Visitor, alice: User, deleted_id: int) -> None:
    others = [service.create_note(alice.id, "kept", ""), service.create_note(alice.id, "deleted too", "")]
    service.delete_note(alice.id, others[1])
    assert signed_in.submit(f"/notes/{deleted_id}/delete-for-good").location == "/notes/trash"
    assert sorted(db.session.scalars(db.select(Note.id))) == others
    assert "“Books” deleted for good." in signed_in.get("/notes/trash").text


@pytest.fixture
def archived_id(alice: User) -> int:
    """Return the id of an archived note."""
    archived_id = service.create_note(alice.id, "Books", "three #read")
    archive_note(alice.id, archived_id, archived=True)
    return archived_id


def titles(user: User, query: str, tag: str = "") -> list[str]:
    return [note.title for note in listing.list_notes(user.id, search=Search.parse(query, tag)).notes]


def archived_titles(user: User) -> list[str]:
    return [note.title for note in list_archive(user.id)[0]]


def test_a_note_goes_from_its_card_to_the_archive_and_back(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "Books", "three #read")
    assert f'aria-labelledby="a note-{note_id}" formaction="/notes/{note_id}/archive"' in signed_in.get("/notes").text
    assert "<b>Archived</b>" not in signed_in.get("/notes?q=books").text
    assert f'formaction="/notes/{note_id}/archive?next=/notes"' in signed_in.get(f"/notes/{note_id}").text
    assert 'href="/notes/archive"' not in signed_in.get("/notes").text
    assert signed_in.submit(f"/notes/{note_id}/archive").location == "/notes"
    page = signed_in.get("/notes").text
    assert '<a href="/notes/archive">Archive <b>1</b></a>' in page
    assert "Archived “Books”." in page
    assert f'id="note-{note_id}"' not in page
    assert f'action="/notes/{note_id}/unarchive?next=/notes"' in page
    assert signed_in.submit(f"/notes/{note_id}/unarchive?next=/notes").location == "/notes"
    page = signed_in.get("/notes").text
    assert "“Books” is back in the list." in page
    assert f'id="note-{note_id}"' in page


def test_it_is_neither_in_the_list_nor_under_its_tags(alice: User, bob: User, archived_id: int) -> None:
    for user in (alice, bob):
        service.create_note(user.id, "listed", "#read #new")
    page = listing.list_notes(alice.id)
    assert [note.title for note in page.notes] == ["listed"]
    assert (page.total, page.in_archive, page.in_trash) == (1, 1, 0)
    assert page.tags == [("new", 1), ("read", 1)]
    service.update_note(alice.id, archived_id, "Books", "three #read #new", version=1)
    assert titles(alice, "", tag="read") == titles(alice, "", tag="read new") == ["listed"]


def test_the_search_and_its_day_find_it_and_say_where_it_is(signed_in: Visitor, alice: User, archived_id: int) -> None:
    day = service.get_note(alice.id, archived_id).created_at.date()
    for query in ("q=ook", "q=three+%23read", "q=%23read", "q=%23Read&tag=read", "q=boosk", f"day={day}"):
        page = signed_in.get(f"/notes?{query}").text
        assert f'id="note-{archived_id}"' in page, query
        assert "<b>Archived</b>" in page, query
        assert f'aria-labelledby="u note-{archived_id}" formaction="/notes/{archived_id}/unarchive"' in page, query
        assert 'id="u"' in page, query
        assert f'formaction="/notes/{archived_id}/pin"' not in page, query


def test_it_can_be_read_and_edited_and_says_where_it_is(signed_in: Visitor, alice: User, archived_id: int) -> None:
    page = signed_in.get(f"/notes/{archived_id}").text
    assert "This note is archived." in page
    assert '<a class="back" href="/notes/archive">' in page
    assert f'action="/notes/{archived_id}/unarchive?next=/notes/{archived_id}"' in page
    for action in ("pin", "archive"):
        assert f"/notes/{archived_id}/{action}" not in page
    signed_in.submit(f"/notes/{archived_id}", title="Books", content="four #read", version="1")
    assert service.get_note(alice.id, archived_id).content == "four #read"
    assert archived_titles(alice) == ["Books"]


def test_it_is_in_the_trash_alone_and_comes_back_archived(signed_in: Visitor, alice: User, archived_id: int) -> None:
    signed_in.submit(f"/notes/{archived_id}/delete")
    assert archived_titles(alice) == titles(alice, "books") == []
    assert "This note is archived" not in signed_in.get(f"/notes/{archived_id}").text
    for action in ("archive", "unarchive"):
        assert signed_in.submit(f"/notes/{archived_id}/{action}").status_code == 404
    signed_in.submit(f"/notes/{archived_id}/restore")
    assert archived_titles(alice) == ["Books"]
    assert listing.list_notes(alice.id).total == 0


def test_put_away_twice_it_stays_where_it_is_and_comes_back_pinned(alice: User, archived_id: int) -> None:
    service.pin_note(alice.id, archived_id, pinned=True)
    db.session.execute(update(Note).values(archived_at=func.now() - timedelta(days=1)))
    archive_note(alice.id, service.create_note(alice.id, "later", ""), archived=True)
    since = db.session.scalar(select(Note.archived_at).where(Note.id == archived_id))
    archive_note(alice.id, archived_id, archived=True)
    assert db.session.scalar(select(Note.archived_at).where(Note.id == archived_id)) == since
    assert archived_titles(alice) == ["later", "Books"]
    archive_note(alice.id, archived_id, archived=False)
    assert service.get_note(alice.id, archived_id).pinned


@pytest.mark.parametrize(
    ("place", "moment", "listed"), [("archive", "archived_at", list_archive), ("trash", "deleted_at", list_trash)]
)
def test_the_pages_of_what_is_put_away_show_each_note_once_the_last_first(
    app: Flask, signed_in: Visitor, alice: User, place: str, moment: str, listed: Any
) -> None:
    ids = create(alice, 2 * service.PAGE_SIZE + 1)
    db.session.execute(update(Note).values({moment: func.now() - timedelta(days=1)}))
    commit(update(Note).where(Note.id % 2 == 0).values({moment: func.now()}))
    rows, older = listed(alice.id)
    seen = [row.id for row in rows]
    assert f'href="/notes/{place}?before={older}"' in signed_in.get(f"/notes/{place}").text
    while older:
        assert "note-" in signed_in.get(f"/notes/{place}?before={older}").text
        rows, older = listed(alice.id, older)
        seen += [row.id for row in rows]
    assert seen == db.session.scalars(select(Note.id).order_by(getattr(Note, moment).desc(), Note.id.desc())).all()
    assert sorted(seen) == ids
    assert "No older notes." in signed_in.get(f"/notes/{place}?before=1-1").text
    program, following, found = program_of(app, alice), f"/notes/{place}", []
    while following:
        answer = program.get(following)
        found += [note["id"] for note in answer.json["notes"]]
        following = answer.json["next"] and f"/notes/{place}?cursor={answer.json['next']}"
    assert found == seen
