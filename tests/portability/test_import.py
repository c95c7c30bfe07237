"""Access control of the import, its photo, and an account that has changed since the export.

An import is idempotent: no duplicates, nothing lost or hidden. One that is refused stores neither rows nor a photo.
"""

import io
import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from app import FEATURES
from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.notes import listing as note_list
from app.notes import service as notes
from app.notes import sharing
from app.notes.cursor import key_of
from app.notes.service import archive_note, list_archive
from app.photos import decoding, service
from app.photos.decoding import decoder
from app.portability import archive
from app.portability import service as portability
from app.portability.archive import MIB, ArchiveRejected, Reason
from app.portability.forms import SENTENCES
from app.todos import listing
from app.todos import service as todos
from tests.bucket import object_keys
from tests.database import commit, row_counts, same_row_counts
from tests.photos.test_put_photo import image_url_of
from tests.portability import hostile_archives as hostile
from tests.portability.exports import PORTABLES, RECORDS, document_of, export, import_, packed, with_photo
from tests.portability.hostile_archives import NOTE, TODO, document, zipped
from tests.queued import queued, run_queued
from tests.todos.test_change import listed
from tests.visitor import Visitor


def test_an_import_into_a_deleted_account_stores_nothing(app: Flask, alice: User, signed_in: Visitor) -> None:
    token = signed_in.csrf_token()
    commit(delete(User).where(User.id == alice.id))
    with same_row_counts():
        file = (io.BytesIO(zipped(document())), "semicircle.zip")
        assert signed_in.post("/mypage/import", data={"csrf_token": token, "archive": file}).location == "/sign-in"


def test_a_photo_is_imported_where_there_is_none_and_takes_the_place_of_another_on_request_alone(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str]
) -> None:
    assert import_(signed_in, with_photo(document())).status_code == 302
    assert "Your photo was imported too." in signed_in.get("/mypage").text
    [key] = object_keys(app) - objects
    url, jobs = f"{app.config['S3_PUBLIC_URL']}/{key}", queued()
    assert image_url_of(alice) == url
    assert import_(signed_in, with_photo(document(), "tomato")).status_code == 302
    assert "You already have everything in this ZIP" in signed_in.get("/mypage").text
    assert (image_url_of(alice), object_keys(app) - objects, queued()) == (url, {key}, jobs)
    assert import_(signed_in, with_photo(document(), "tomato"), replace_photo="y").status_code == 302
    assert image_url_of(alice) != url
    run_queued(app)
    assert len(object_keys(app) - objects) == 1
    assert key not in object_keys(app)


@pytest.mark.parametrize("busy", ["the decoder", "another import"])
def test_an_import_without_time_for_its_photo_is_503_and_stores_nothing(
    app: Flask, signed_in: Visitor, objects: set[str], monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    """Its deadline begins before it waits for another import."""
    if busy == "another import":
        monkeypatch.setattr(service, "UPLOAD_SECONDS", 0.0)
    monkeypatch.setattr(decoding, "BUSY_SECONDS", 0.01)
    with same_row_counts(), decoder(0) if busy == "the decoder" else nullcontext():
        assert import_(signed_in, with_photo(document())).status_code == 503
    assert object_keys(app) == objects


def test_as_many_notes_as_may_be_are_taken(signed_in: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more: `hostile_archives.py` has one note too many."""
    monkeypatch.setattr(portability, "MAX_ITEMS", 600)
    assert import_(signed_in, zipped(document(notes=[NOTE] * 600))).status_code == 302


NEWER: dict[str, dict[str, Any]] = {
    "a list of a feature that came later, or was taken out": {"books": [{"title": "채식주의자"}, None, [[]]]},
    "members that are no lists": {"checksum": "x", "settings": {"theme": {"dark": True}}, "none": None},
    "a field": {"notes": [{**NOTE, "mood": {"of": ["the", "moon"], "phase": 0.5}}]},
    "many fields": {"todos": [{**TODO, **{f"{number}": number for number in range(200)}}]},
}


@pytest.mark.parametrize("version", range(1, archive.VERSION + 1))
@pytest.mark.parametrize("more", NEWER.values(), ids=NEWER)
def test_what_a_newer_export_has_besides_is_read_over(signed_in: Visitor, version: int, more: dict[str, Any]) -> None:
    exported, before = zipped(document(version=version, **more)), row_counts()
    for _twice in range(2):
        assert import_(signed_in, exported).status_code == 302
        assert row_counts() == {**before, "notes": before["notes"] + 1, "todos": before["todos"] + 1}


def test_an_id_of_an_export_names_no_row_of_this_account(signed_in: Visitor, alice: User, bob: User) -> None:
    ids = [notes.create_note(user.id, "stays", "as it is") for user in (alice, bob)]
    items = [
        {**NOTE, "id": note_id, "user_id": bob.id, "version": 7, "shared_at": NOTE["created_at"]} for note_id in ids
    ]
    assert import_(signed_in, zipped(document(version=2, notes=items))).status_code == 302
    for user, note_id in zip((alice, bob), ids, strict=True):
        assert notes.get_note(user.id, note_id).title == "stays"
    assert [len(note_list.list_notes(user.id).notes) for user in (alice, bob)] == [3, 1]
    assert sharing.list_shared(alice.id) == ([], None)


@pytest.mark.parametrize(("head", "named"), [({"format": "memos"}, "memos 1"), ({"version": 17}, "semicircle 17")])
def test_an_unknown_format_is_refused_by_its_name(signed_in: Visitor, head: dict[str, Any], named: str) -> None:
    assert f"a format that we can&#39;t read: {named}" in import_(signed_in, zipped(document(**head))).text


def test_an_import_may_have_what_the_quotas_allow() -> None:
    assert max(feature.portable.quota.most for feature in FEATURES if feature.portable) <= portability.MAX_ITEMS
    assert (
        notes.QUOTA.most + len(("README.txt", "todos.md", "photo.webp", "semicircle.json", *RECORDS))
        < archive.MAX_ENTRIES
    )


@pytest.mark.parametrize("blank", [" ", "\u200b", "\u3164", "\u2800\n\t"])
def test_what_nobody_sees_is_left_out_and_named(signed_in: Visitor, blank: str) -> None:
    """It may be of before that was refused, and the rest is worth having."""
    before = row_counts()
    empty = {
        "notes": [{**NOTE, "title": blank.strip(), "content": blank}],
        "todos": [{**TODO, "description": blank[0]}],
    }
    assert import_(signed_in, zipped(document(**empty))).status_code == 422
    assert row_counts() == before
    mixed = document(notes=[NOTE, *empty["notes"]], todos=[*empty["todos"], TODO])
    for told in ("Imported: 1 note, 1 todo", "You already have everything"):
        answer = import_(signed_in, zipped(mixed))
        assert answer.status_code == 200
        assert told in answer.text
        assert re.findall("<bdi>(.*?)</bdi></li>", answer.text) == ["notes 2", "todos 1"]
        assert row_counts() == {**before, "notes": before["notes"] + 1, "todos": before["todos"] + 1}


def note(**values: str) -> bytes:
    return zipped(document(notes=[{**NOTE, **values}]))


def test_a_changed_todo_and_its_imported_older_version_can_both_be_moved(signed_in: Visitor, alice: User) -> None:
    ids = [todos.create_todo(alice.id, text) for text in ("a", "b", "c")]
    archive = export(signed_in)
    todos.change_todo(alice.id, ids[1], description="b2")
    import_(signed_in, archive)
    assert listed(alice) == ["b", "c", "b2", "a"]
    [older] = [todo.id for todo in listing.list_todos(alice.id).todos if todo.description == "b"]
    todos.move_todo(alice.id, older, up=False)
    todos.move_todo(alice.id, ids[1], up=True)
    assert listed(alice) == ["c", "b2", "b", "a"]


def test_a_todo_created_after_an_import_is_first(signed_in: Visitor, alice: User) -> None:
    for text in ("a", "b"):
        todos.delete_todo(alice.id, todos.create_todo(alice.id, f"{text} of before"))
        todos.create_todo(alice.id, text)
    import_(signed_in, export(signed_in))
    todos.create_todo(alice.id, "new")
    assert listed(alice) == ["new", "b", "a"]


def test_an_import_restores_a_deleted_todo(signed_in: Visitor, alice: User) -> None:
    todo_id = todos.create_todo(alice.id, "a")
    archive = export(signed_in)
    todos.delete_todo(alice.id, todo_id)
    import_(signed_in, archive)
    assert listed(alice) == ["a"]


def test_an_imported_note_in_the_trash_can_be_restored_if_deleted_long_ago(signed_in: Visitor, alice: User) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    assert import_(signed_in, note(deleted_at=long_ago)).status_code == 302
    [thrown_away], _older = notes.list_trash(alice.id)
    notes.restore_note(alice.id, thrown_away.id)
    assert len(note_list.list_notes(alice.id).notes) == 1


@pytest.mark.parametrize("of_before", ["", '"archived_at":null,'], ids=["ids", "the archive"])
def test_an_export_of_before_comes_back_once(signed_in: Visitor, of_before: str) -> None:
    """`version_1.json` was written by a release that wrote no ids, times with +00:00, and perhaps another file name."""
    before = Path(__file__).with_name("version_1.json").read_text().replace(of_before, "")
    for _twice in range(2):
        assert import_(signed_in, packed({f"{archive.FORMAT}.json": before})).status_code == 302
    written, now = json.loads(before.replace("+00:00", "Z")), document_of(export(signed_in))
    for name in (each.name for each in PORTABLES):
        keys = written[name][0].keys() - {"deleted_at"}  # the time in the trash has started over
        assert [{key: item[key] for key in keys} for item in now[name]] == [
            {key: item[key] for key in keys} for item in written[name]
        ]


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


@pytest.fixture
def low_limits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set limits that an archive exceeds in milliseconds. test_large_notebook.py has the real ones."""
    monkeypatch.setattr(archive, "MAX_BYTES", MIB)
    monkeypatch.setattr(archive, "MAX_DIRECTORY", MIB // 4)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1_000)
    monkeypatch.setattr(archive, "MAX_JSON", 8 * MIB)
    monkeypatch.setattr(portability, "MAX_ITEMS", 600)
    monkeypatch.setattr(app.view_functions["portability.import_"], "upload_limit", 2 * MIB)


@pytest.mark.usefixtures("low_limits")
def test_a_hostile_archive_is_refused_with_its_reason_and_stores_nothing(app: Flask, alice: User) -> None:
    user_id, before, portables = alice.id, row_counts(), app.extensions["portables"]
    for name, (reason, archive_of) in hostile.ARCHIVES.items():
        with app.app_context():
            account = db.session.get_one(User, user_id)
            file, progress = io.BytesIO(archive_of()), portability.Progress()
            with pytest.raises(ArchiveRejected) as refusal:
                portability.import_archive(account, file, portables, progress, replace_photo=False)
        assert refusal.value.reason is reason, name
        assert row_counts() == before, name


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("name", ["nothing", "a bomb", "a field twice", "a title of 121", "no photo as a photo"])
def test_the_page_tells_the_reason_and_stores_nothing(signed_in: Visitor, name: str) -> None:
    reason, archive_of = hostile.ARCHIVES[name]
    with same_row_counts():
        answer = import_(signed_in, archive_of())
        assert answer.status_code == 422
        [error] = re.findall(r'<p class="error" id="archive-error">(.*?)</p>', answer.text)
        assert unescape(error).startswith(str(SENTENCES[reason]).partition(" %(place)s")[0])


@pytest.mark.usefixtures("low_limits")
def test_the_valid_base_of_the_hostile_archives_is_imported(signed_in: Visitor) -> None:
    before = row_counts()
    assert import_(signed_in, zipped(document())).status_code == 302
    assert row_counts() == {**before, "notes": 1, "todos": 1}


@pytest.mark.usefixtures("low_limits")
def test_the_longest_items_are_imported_also_as_ascii(signed_in: Visitor) -> None:
    """Each letter of these tags is 12 of JSON, once in the text and once beside it."""
    tags = [chr(0x20000 + number) for number in range(666)]
    note = {**NOTE, "title": "𠀀" * 50, "content": " ".join(f"#{tag}" for tag in tags), "tags": tags}
    todo = {**hostile.TODO, "description": "𠀀" * 200}
    assert import_(signed_in, zipped(document(notes=[note], todos=[todo]))).status_code == 302
    assert signed_in.get("/notes?tag=𠊙").text.count("𠀀" * 50) > 0


@pytest.mark.usefixtures("low_limits")
def test_the_error_names_the_item_and_the_field(signed_in: Visitor) -> None:
    assert "notes 2, title" in import_(signed_in, hostile.note(title=None)).text
    assert "todos 2, due_on" in import_(signed_in, hostile.todo(due_on="")).text


@pytest.mark.usefixtures("low_limits")
def test_a_valid_photo_next_to_an_invalid_note_leaves_no_object(app: Flask, signed_in: Visitor) -> None:
    rows, objects = row_counts(), object_keys(app)
    assert import_(signed_in, with_photo(document(notes=[NOTE, None]))).status_code == 422
    run_queued(app)
    assert row_counts() == rows
    assert object_keys(app) == objects


@pytest.mark.usefixtures("low_limits")
def test_an_import_of_no_file_of_two_archives_or_of_too_much_is_refused(signed_in: Visitor) -> None:
    with same_row_counts():
        two = [zipped(document())] * 2
        for answer in (import_(signed_in), import_(signed_in, *two), signed_in.submit("/mypage/import", archive="x")):
            assert answer.status_code == 422
            assert "Choose one ZIP, or Markdown and text files." in answer.text
        assert import_(signed_in, bytes(3 * MIB)).status_code == 413


@pytest.mark.usefixtures("low_limits")
def test_every_reason_has_an_error_message() -> None:
    assert set(SENTENCES) == set(Reason)
