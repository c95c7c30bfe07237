"""An open editor is in conflict with another text, and with nothing else that happens to the note meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.notes import selection, service, tasks
from app.notes.models import Note
from app.notes.texts import tick_of
from tests.database import commit
from tests.visitor import Visitor

CONTENT = "- [ ] three"


def edit(user_id: int, note_id: int, content: str) -> None:
    service.update_note(user_id, note_id, "Books", content, service.get_note(user_id, note_id).version)


Step = Callable[[int, int], object]


def in_turn(*steps: Step) -> Step:
    return lambda user_id, note_id: [step(user_id, note_id) for step in steps]


def by_sql(assignments: str) -> Step:
    return lambda _user_id, note_id: commit(text(f"UPDATE notes SET {assignments} WHERE id = :id"), {"id": note_id})


def undone(user_id: int, note_id: int) -> None:
    selection.undo(user_id, "archive", selection.put_away(user_id, [note_id], "archive")[1])


def tick(user_id: int, note_id: int) -> None:
    found = tick_of([CONTENT], 0)
    assert found
    service.tick_task(user_id, note_id, found)


PIN: Step = lambda user, note: service.pin_note(user, note, pinned=True)  # noqa: E731
EDIT: Step = lambda user, note: edit(user, note, "theirs")  # noqa: E731
EDIT_BACK: Step = lambda user, note: edit(user, note, CONTENT)  # noqa: E731
EDIT_BY_THE_RELEASE_BEFORE = by_sql("content = 'theirs', version = version + 1")
LEAVES_THE_TEXT: dict[str, Step] = {
    "nothing": lambda _user, _note: None,
    "pin": PIN,
    "pin and unpin": in_turn(PIN, lambda user, note: service.pin_note(user, note, pinned=False)),
    "pin in the list": lambda user, note: selection.pin_notes(user, [note], pinned=True),
    "archive": lambda user, note: service.archive_note(user, note, archived=True),
    "archive in the list, and undo": undone,
    "delete and restore": in_turn(service.delete_note, service.restore_note),
    "read the tags again": in_turn(by_sql("tags = '{old}'"), lambda _user, _note: tasks.read_tags_again(0)),
    "save the same text": EDIT_BACK,
    "pin by the release before": by_sql("pinned = true"),
    "save the same text by the release before": by_sql("version = version + 1, updated_at = now()"),
}
CHANGES_THE_TEXT: dict[str, Step] = {
    "edit": EDIT,
    "edit and pin": in_turn(EDIT, PIN),
    "pin and edit": in_turn(PIN, EDIT),
    "edit and edit back": in_turn(EDIT, EDIT_BACK),
    "tick": tick,
    "tag in the list": lambda user, note: selection.tag_notes(user, [note], "tag"),
    "edit by the release before": EDIT_BY_THE_RELEASE_BEFORE,
    "pin here and edit by the release before": in_turn(PIN, EDIT_BY_THE_RELEASE_BEFORE),
    "delete": service.delete_note,
}
CASES = [
    *((name, happens, 302) for name, happens in LEAVES_THE_TEXT.items()),
    *((name, happens, 409) for name, happens in CHANGES_THE_TEXT.items()),
]


@pytest.fixture(params=["new", "not changed since the revision"])
def note_id(alice: User, request: pytest.FixtureRequest) -> int:
    """Return a note at version 2, as the triggers keep it and as it was before them."""
    note_id = service.create_note(alice.id, "Books", "one")
    edit(alice.id, note_id, CONTENT)
    if request.param != "new":
        commit(text("UPDATE notes SET text_version = NULL, changed = NULL, changed_at = NULL"))
    return note_id


@pytest.mark.parametrize("from_outbox", [False, True])
@pytest.mark.parametrize(("name", "happens", "status"), CASES, ids=[name for name, *_ in CASES])
def test_an_open_editor_is_in_conflict_with_another_text_alone(
    signed_in: Visitor, alice: User, note_id: int, name: str, happens: Any, status: int, from_outbox: bool
) -> None:
    page = signed_in.get(f"/notes/{note_id}/edit").text
    assert 'name="version" type="hidden" value="2"' in page
    fields = {"title": "Books", "content": "mine", "version": "2", "csrf_token": signed_in.csrf_token()}
    happens(alice.id, note_id)
    if status == 302:  # so a draft, which knows the version that it was typed at, is not stale either
        assert 'name="version" type="hidden" value="2"' in signed_in.get(f"/notes/{note_id}/edit").text
    before = db.session.get_one(Note, note_id, populate_existing=True).content
    accept = {"Accept": "application/json"} if from_outbox else {}
    answer = signed_in.post(f"/notes/{note_id}", data=fields, headers=accept)
    assert answer.status_code == (200 if from_outbox and status == 302 else status), name
    now = db.session.get_one(Note, note_id, populate_existing=True)
    assert now.content == (before if status == 409 else "mine")
    if answer.status_code == 200:  # the next edit of the outbox starts from there
        told = answer.get_json()["version"]
        assert (
            signed_in.submit(f"/notes/{note_id}", title="Books", content="more", version=f"{told}").status_code == 302
        )


def test_a_pin_is_no_edit_on_any_page_and_the_history_goes_on_behind_it(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "Books", "one")
    service.pin_note(alice.id, note_id, pinned=True)
    for page in ("/notes", f"/notes/{note_id}"):
        assert "Edited" not in signed_in.get(page).text
    edit(alice.id, note_id, "two")
    assert "Edited" in signed_in.get("/notes").text
    assert signed_in.submit(f"/notes/{note_id}/history/2", version="3").status_code == 302
    assert service.get_note(alice.id, note_id).content == "one"
    assert signed_in.get(f"/notes/{note_id}/history/1").status_code == 404  # which pinned, and said nothing else


def test_a_version_that_the_note_has_not_reached_is_a_conflict(signed_in: Visitor, note_id: int) -> None:
    for version in ("1", "3", "999999999"):
        answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="mine", version=version)
        assert answer.status_code == 409, version
