"""The archive: what is put away leaves the list and its tags, is found by the search, and can be taken out again."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.models import Note
from app.notes.search import Search
from app.notes.service import archive_note, list_archive
from tests.notes.lists import create
from tests.visitor import Visitor


@pytest.fixture
def note_id(alice: User) -> int:
    """Return the id of an archived note."""
    note_id = service.create_note(alice.id, "Books", "three #read")
    archive_note(alice.id, note_id, archived=True)
    return note_id


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


def test_it_is_neither_in_the_list_nor_under_its_tags(alice: User, note_id: int) -> None:
    service.create_note(alice.id, "listed", "#read #new")
    page = listing.list_notes(alice.id)
    assert [note.title for note in page.notes] == ["listed"]
    assert (page.total, page.in_archive, page.in_trash) == (1, 1, 0)
    assert page.tags == [("new", 1), ("read", 1)]
    assert titles(alice, "", tag="read") == titles(alice, "#read") == titles(alice, "#read #new") == ["listed"]
    service.update_note(alice.id, note_id, "Books", "three #read #new", version=1)
    assert titles(alice, "#read #new") == ["listed"]


def test_the_search_finds_it_and_says_that_it_is_archived(signed_in: Visitor, note_id: int) -> None:
    for query in ["ook", "three #read", "boosk"]:
        page = signed_in.get("/notes", query_string={"q": query}).text
        assert f'id="note-{note_id}"' in page, query
        assert "<b>Archived</b>" in page, query
        assert f'aria-labelledby="u note-{note_id}" formaction="/notes/{note_id}/unarchive"' in page, query
        assert 'id="u"' in page, query
        assert f'formaction="/notes/{note_id}/pin"' not in page, query


def test_the_day_on_which_it_was_written_shows_it(signed_in: Visitor, alice: User, note_id: int) -> None:
    day = service.get_note(alice.id, note_id).created_at.date()
    page = signed_in.get(f"/notes?day={day}").text
    assert f'id="note-{note_id}"' in page
    assert "<b>Archived</b>" in page


def test_it_can_be_read_and_edited_and_its_page_says_where_it_is(signed_in: Visitor, alice: User, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}").text
    assert "This note is archived." in page
    assert '<a class="back" href="/notes/archive">' in page
    assert f'action="/notes/{note_id}/unarchive?next=/notes/{note_id}"' in page
    for action in ("pin", "archive"):
        assert f"/notes/{note_id}/{action}" not in page
    signed_in.submit(f"/notes/{note_id}", title="Books", content="four #read", version="1")
    assert service.get_note(alice.id, note_id).content == "four #read"
    assert archived_titles(alice) == ["Books"]


def test_in_the_trash_it_is_in_the_trash_alone_and_comes_back_to_the_archive(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    signed_in.submit(f"/notes/{note_id}/delete")
    assert archived_titles(alice) == titles(alice, "books") == []
    assert "This note is archived" not in signed_in.get(f"/notes/{note_id}").text
    for action in ("archive", "unarchive"):
        assert signed_in.submit(f"/notes/{note_id}/{action}").status_code == 404
    signed_in.submit(f"/notes/{note_id}/restore")
    assert archived_titles(alice) == ["Books"]
    assert listing.list_notes(alice.id).total == 0


def test_put_away_twice_it_stays_where_it_is_and_comes_back_pinned(alice: User, note_id: int) -> None:
    service.pin_note(alice.id, note_id, pinned=True)
    db.session.execute(update(Note).values(archived_at=func.now() - timedelta(days=1)))
    archive_note(alice.id, service.create_note(alice.id, "later", ""), archived=True)
    archive_note(alice.id, note_id, archived=True)
    assert archived_titles(alice) == ["later", "Books"]
    archive_note(alice.id, note_id, archived=False)
    assert service.get_note(alice.id, note_id).pinned


def test_the_pages_of_the_archive_show_each_note_once_the_last_archived_first(signed_in: Visitor, alice: User) -> None:
    ids = create(alice, 2 * service.PAGE_SIZE + 1)
    db.session.execute(update(Note).values(archived_at=func.now() - timedelta(days=1)))
    db.session.execute(update(Note).where(Note.id % 2 == 0).values(archived_at=func.now()))
    db.session.commit()
    rows, older = list_archive(alice.id)
    seen = [row.id for row in rows]
    assert f'href="/notes/archive?before={older}"' in signed_in.get("/notes/archive").text
    while older:
        rows, older = list_archive(alice.id, older)
        seen += [row.id for row in rows]
    stored = db.session.scalars(select(Note.id).order_by(Note.archived_at.desc(), Note.id.desc())).all()
    assert seen == stored
    assert sorted(seen) == ids
