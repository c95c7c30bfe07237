"""Use the API by the client that was generated from its document, and expect what docs/api.md says.

attack.client starts it in the environment of its tools. Arguments: the URL of the site, and the path of a photo.
"""

import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from semicircle_client import AuthenticatedClient
from semicircle_client.api.export import export
from semicircle_client.api.notes import (
    change_note,
    create_note,
    create_notes,
    delete_note,
    delete_note_for_good,
    list_note_changes,
    list_notes,
    show_note,
)
from semicircle_client.api.profile import put_photo, show_profile
from semicircle_client.api.todos import change_todo, create_todo, list_todos
from semicircle_client.models import AddedNote, AddedTodo, ChangedNote, ChangedTodo
from semicircle_client.types import UNSET, File, Unset


def expect(what: str, holds: object) -> None:
    print(f"{'ok' if holds else 'BROKEN':7} {what}", flush=True)
    if not holds:
        sys.exit(1)


def use_notes(client: Any) -> None:
    made = create_note.sync_detailed(client=client, body=AddedNote(title="Moving day"), idempotency_key="one")
    expect("a note is created", made.status_code == 201 and made.parsed.title == "Moving day")
    again = create_note.sync_detailed(client=client, body=AddedNote(title="Moving day"), idempotency_key="one")
    expect("and not twice with its key", again.parsed.id == made.parsed.id)
    several = create_notes.sync(client=client, body=[AddedNote(content="a #home"), AddedNote(content="b #home")])
    expect("several are created", len(several.notes) == 2 and several.next_ is None)
    first = list_notes.sync(client=client, limit=2)
    rest = list_notes.sync(client=client, limit=2, cursor=first.next_)
    expect("they are listed in pages", (len(first.notes), len(rest.notes), rest.next_) == (2, 1, None))
    expect("and found by a tag", len(list_notes.sync(client=client, tag="home").notes) == 2)
    edit_note(client, made.parsed.id, made.headers["ETag"])
    keep_copy(client, made.parsed.id)


def edit_note(client: Any, note_id: int, etag: str) -> None:
    change = ChangedNote(content="- [x] Book the elevator")
    edited = change_note.sync_detailed(note_id, client=client, body=change, if_match=etag)
    expect("a note is edited", edited.status_code == 200 and edited.parsed.version == 2)
    expect("what was left out stays", edited.parsed.title == "Moving day" and edited.parsed.content == change.content)
    stale = change_note.sync_detailed(note_id, client=client, body=ChangedNote(title="late"), if_match=etag)
    expect("a stale edit is 412", stale.status_code == 412 and stale.parsed.status == 412)
    expect("with the note as it is", stale.parsed.current.to_dict()["version"] == 2)
    missing = show_note.sync_detailed(2**63 - 1, client=client)
    expect("what is not there is 404", missing.status_code == 404 and missing.parsed.detail)


def keep_copy(client: Any, note_id: int) -> None:
    create_notes.sync(client=client, body=[AddedNote(content="one of many")] * 99)
    copy: dict[int, Any] = {}
    since = sync(client, copy)
    expect("a copy is whole", len(copy) == 102 and copy[note_id].version == 2)
    late = delete_note.sync_detailed(note_id, client=client, if_match='"1"')
    expect("who deletes what has changed meanwhile is told", late.status_code == 412)
    delete_note.sync_detailed(note_id, client=client, if_match='"2"')
    sync(client, copy, since)
    expect("what is in the trash is told", copy[note_id].deleted_at is not None)
    delete_note_for_good.sync_detailed(note_id, client=client)
    sync(client, copy, since)
    expect("and what is deleted for good", len(copy) == 101 and note_id not in copy)


def sync(client: Any, copy: dict[int, Any], since: str | Unset = UNSET) -> str:
    """Take over what has changed since then, and return the cursor that follows."""
    more = True
    while more:
        page = list_note_changes.sync(client=client, updated_since=since)
        copy.update({note.id: note for note in page.notes})
        for gone in page.gone:
            copy.pop(gone, None)
        since, more = page.next_, page.more
    return str(since)


def use_the_rest(client: Any, photo: bytes) -> None:
    todo = create_todo.sync(client=client, body=AddedTodo(description="Call the dentist"))
    expect("a todo is created", todo.description == "Call the dentist" and todo.due_on is None)
    done = change_todo.sync(todo.id, client=client, body=ChangedTodo(completed=True))
    expect("and done", done.completed and list_todos.sync(client=client, completed=False).todos == [])
    wrong = create_todo.sync_detailed(client=client, body=AddedTodo(description=""))
    expect("a wrong one is 422", wrong.status_code == 422 and wrong.parsed.errors[0].pointer == "#/description")
    sent = put_photo.sync_detailed(client=client, body=File(payload=BytesIO(photo)))
    profile = show_profile.sync(client=client)
    expect("the profile is read", profile.nickname == "generated" and profile.created_at.tzinfo is not None)
    expect("with the photo that was sent", sent.status_code == 204 and profile.photo_url)
    archive = export.sync(client=client)
    expect("everything is exported", archive.payload.read(2) == b"PK")


def main() -> None:
    url, photo = sys.argv[1], Path(sys.argv[2]).read_bytes()
    through_tls = {"X-Forwarded-Proto": "https"}  # as the platform's router says
    stranger = AuthenticatedClient(base_url=url, token="sc_none", headers=through_tls)
    expect("a wrong token is 401", show_profile.sync_detailed(client=stranger).status_code == 401)
    client = AuthenticatedClient(
        base_url=url, token=os.environ["TOKEN"], headers=through_tls, raise_on_unexpected_status=True
    )
    use_notes(client)
    use_the_rest(client, photo)


if __name__ == "__main__":
    main()
