"""An idempotent import into an account that has changed since the export: no duplicates, nothing lost or hidden."""

from datetime import UTC, datetime, timedelta

from app.accounts.models import User
from app.keyset import Cursor
from app.notes import listing as note_list
from app.notes import service
from app.notes import service as notes
from app.notes.cursor import key_of
from app.notes.service import archive_note, list_archive
from app.todos import listing
from app.todos import service as todos
from tests.portability.exports import export, import_
from tests.portability.hostile_archives import NOTE, document, zipped
from tests.visitor import Visitor


def note(**values: str) -> bytes:
    """Return an export of one note."""
    return zipped(document(notes=[{**NOTE, **values}]))


def descriptions(user: User) -> list[str]:
    return [todo.description for todo in listing.list_todos(user.id).todos]


def test_a_changed_todo_and_its_imported_older_version_can_both_be_moved(signed_in: Visitor, alice: User) -> None:
    ids = [todos.create_todo(alice.id, text) for text in ("a", "b", "c")]
    archive = export(signed_in)
    todos.change_todo(alice.id, ids[1], description="b2")
    import_(signed_in, archive)
    assert descriptions(alice) == ["b", "c", "b2", "a"]
    [older] = [todo.id for todo in listing.list_todos(alice.id).todos if todo.description == "b"]
    todos.move_todo(alice.id, older, up=False)
    todos.move_todo(alice.id, ids[1], up=True)
    assert descriptions(alice) == ["c", "b2", "b", "a"]


def test_a_todo_created_after_an_import_is_first(signed_in: Visitor, alice: User) -> None:
    for text in ("a", "b"):
        todos.delete_todo(alice.id, todos.create_todo(alice.id, f"{text} of before"))
        todos.create_todo(alice.id, text)
    import_(signed_in, export(signed_in))
    todos.create_todo(alice.id, "new")
    assert descriptions(alice) == ["new", "b", "a"]


def test_an_import_restores_a_deleted_todo(signed_in: Visitor, alice: User) -> None:
    todo_id = todos.create_todo(alice.id, "a")
    archive = export(signed_in)
    todos.delete_todo(alice.id, todo_id)
    import_(signed_in, archive)
    assert descriptions(alice) == ["a"]


def test_an_imported_note_in_the_trash_can_be_restored_even_if_deleted_long_ago(
    signed_in: Visitor, alice: User
) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    assert import_(signed_in, note(deleted_at=long_ago)).status_code == 302
    [thrown_away] = service.list_trash(alice.id)
    notes.restore_note(alice.id, thrown_away.id)
    assert len(note_list.list_notes(alice.id).notes) == 1


def test_an_export_of_before_the_archive_is_imported(signed_in: Visitor, alice: User) -> None:
    of_before = {name: value for name, value in NOTE.items() if name != "archived_at"}
    for _ in range(2):
        assert import_(signed_in, zipped(document(notes=[of_before]))).status_code == 302
        assert len(note_list.list_notes(alice.id).notes) == 1


def test_an_import_leaves_a_note_where_it_is_now(signed_in: Visitor, alice: User) -> None:
    import_(signed_in, note(archived_at=NOTE["created_at"]))
    [archived], _ = list_archive(alice.id)
    archive_note(alice.id, archived.id, archived=False)
    import_(signed_in, note(archived_at=NOTE["created_at"]))
    assert [row.id for row in note_list.list_notes(alice.id).notes] == [archived.id]
    assert list_archive(alice.id) == ([], None)


def test_imported_notes_are_sorted_by_creation_date(signed_in: Visitor, alice: User) -> None:
    today = notes.create_note(alice.id, "today", "")
    import_(signed_in, note(title="March", created_at="2026-03-01T09:00:00+00:00"))
    import_(signed_in, note(title="April", created_at="2026-04-01T09:00:00+00:00"))
    page = note_list.list_notes(alice.id)
    assert [row.title for row in page.notes] == ["today", "April", "March"]
    cursor = Cursor(key_of(False, page.notes[0].created_at, today, 1))
    assert [row.title for row in note_list.list_notes(alice.id, cursor).notes] == ["April", "March"]
