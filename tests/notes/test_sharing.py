"""Sharing by a secret link: who has the link reads the note, until its owner ends it or the note is deleted."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts import hashing
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service, sharing
from app.notes.models import NoteShare
from app.notes.service import NoteNotFound, archive_note
from app.notes.sharing import TOKEN, get_shared_note, list_shared, share_note, stop_sharing
from tests.conftest import CHEAP_HASHER, PASSWORD
from tests.notes.test_trash import age
from tests.waiting import wait_until


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def opens(token: str) -> bool:
    try:
        get_shared_note(token)
    except NoteNotFound:
        return False
    return True


def number_of_links() -> int:
    return int(db.session.scalar(select(func.count()).select_from(NoteShare)) or 0)


def test_the_link_opens_the_note_as_it_is_now_and_nothing_of_whose_it_is(alice: User, note_id: int) -> None:
    token = share_note(alice.id, note_id)
    note = get_shared_note(token)
    assert set(note._fields) == {"title", "content", "updated_at"}
    assert (note.title, note.content) == ("Books", "three")
    service.update_note(alice.id, note_id, "Books", "four", version=1)
    assert get_shared_note(token).content == "four"


def test_ended_it_is_closed_for_ever_and_sharing_again_gives_another_link(alice: User, note_id: int) -> None:
    token = share_note(alice.id, note_id)
    assert TOKEN.fullmatch(token)  # 22 characters of 6 bits
    stop_sharing(alice.id, note_id)
    assert not opens(token)
    again = share_note(alice.id, note_id)
    assert again != token
    assert (opens(token), opens(again)) == (False, True)


def test_it_stays_open_in_the_archive_and_can_be_ended_in_the_trash_but_not_begun(alice: User, note_id: int) -> None:
    token = share_note(alice.id, note_id)
    archive_note(alice.id, note_id, archived=True)
    assert opens(token)
    assert [note.id for note in list_shared(alice.id)[0]] == [note_id]
    service.delete_note(alice.id, note_id)
    stop_sharing(alice.id, note_id)
    with pytest.raises(NoteNotFound):
        share_note(alice.id, note_id)
    assert number_of_links() == 0
    service.restore_note(alice.id, note_id)
    assert not opens(token)


@pytest.mark.parametrize("end", ["one", "all", "purge"])
def test_deleted_for_good_the_link_is_gone(alice: User, note_id: int, end: str) -> None:
    token = share_note(alice.id, note_id)
    service.delete_note(alice.id, note_id)
    if end == "one":
        service.delete_note_for_good(alice.id, note_id)
    elif end == "all":
        service.empty_trash(alice.id)
    else:
        age(note_id, days=31)
        service.purge_deleted_notes()
    assert not opens(token)
    assert number_of_links() == 0


def test_what_is_almost_the_token_opens_nothing_and_what_is_none_is_asked_of_nobody(
    alice: User, note_id: int, statements: list[str]
) -> None:
    token = share_note(alice.id, note_id)
    assert not opens(token.swapcase())
    statements.clear()
    for none in ("", token[:-1], f"{token}x", f"{token}\n", token[:-1] + "\x00", token[:-1] + "é"):
        assert not opens(none), none
    assert statements == []


def test_the_list_has_what_is_shared_the_last_first_with_what_is_in_the_trash(alice: User) -> None:
    names = ("first", "second", "deleted", "ended", "gone", "private")
    ids = {name: service.create_note(alice.id, name, "") for name in names}
    for name in ("gone", "ended", "first", "second", "deleted"):
        share_note(alice.id, ids[name])
    stop_sharing(alice.id, ids["ended"])
    service.delete_note(alice.id, ids["deleted"])
    service.delete_note(alice.id, ids["gone"])
    age(ids["gone"], days=31)
    notes, _ = list_shared(alice.id)
    assert [(note.title, note.deleted_at is not None) for note in notes] == [
        ("deleted", True),
        ("second", False),
        ("first", False),
    ]


WAITS = text("SELECT 1 FROM pg_locks WHERE NOT granted AND :pid = ANY (pg_blocking_pids(pid))")


@pytest.fixture
def note(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Return a user's id, and the id of a note of theirs."""
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    return user.id, service.create_note(user.id, "Books", "three")


def share(app: Flask, note: tuple[int, int]) -> str | None:
    with app.app_context():
        try:
            return sharing.share_note(*note)
        except service.NoteNotFound:
            return None
        finally:
            db.session.remove()


def committed_links() -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(NoteShare)) or 0)


def test_of_many_clicks_at_once_all_get_one_link(migrated: Flask, note: tuple[int, int]) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = set(threads.map(lambda _: share(migrated, note), range(40)))
    assert len(tokens) == 1
    assert None not in tokens
    assert committed_links() == 1


def test_a_note_that_is_deleted_for_good_meanwhile_is_not_found(migrated: Flask, note: tuple[int, int]) -> None:
    db.session.remove()
    with db.engine.connect() as deleting, db.engine.connect() as watching, ThreadPoolExecutor(1) as threads:
        deleting.execute(text("DELETE FROM notes"))
        pid = deleting.scalar(text("SELECT pg_backend_pid()"))
        sharing_it = threads.submit(share, migrated, note)
        wait_until(lambda: watching.scalar(WAITS, {"pid": pid}), "the sharing waits for the deletion")
        deleting.commit()
        assert sharing_it.result() is None
    assert committed_links() == 0


def test_sharing_changes_nothing_of_the_note(alice: User, note_id: int) -> None:
    row = text("SELECT ctid, notes FROM notes")
    before = db.session.execute(row).all()
    share_note(alice.id, note_id)
    stop_sharing(alice.id, note_id)
    assert db.session.execute(row).all() == before
