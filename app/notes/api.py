"""Serve /notes: list, search, tags, archive, trash; create, edit by version, pin, archive, delete, restore."""

from datetime import datetime

from flask import request, url_for
from flask_babel import gettext as _
from pydantic import Field, RootModel
from werkzeug.wrappers import Response

from app.api.document import NEXT, Answer, caller, created, has_signed_token, operation
from app.api.messages import all_checked, answer, checked, cursor_of, key_of, objects, page, parsed_cursor
from app.copies import Changes, answer_changes, answer_row, hold
from app.keyset import Cursor
from app.notes import cursor, listing, service, versions
from app.notes.forms import NoteForm
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH
from app.notes.models import Note as Model
from app.notes.search import Search
from app.rejection import RowNotFound
from app.schemas import MOST_ITEMS, Body, IdempotencyKey, IfMatch, IfNoneMatch, Page, Since
from app.web.errors import Problem
from app.web.request_size import accepts_long_text, accepts_upload

# 100 notes of 2,000 code points, of which JSON may write each as 12 letters, or 12 notes of 20,000.
BATCH_BYTES = 3 * 1024 * 1024
TITLE = Field("", json_schema_extra={"maxLength": TITLE_LENGTH}, examples=["Moving day"])
CONTENT = Field("", json_schema_extra={"maxLength": CONTENT_LENGTH}, examples=["- [ ] Book the elevator #home"])


class Note(Answer):
    id: int
    title: str
    content: str = Field(description="Markdown")
    tags: list[str] = Field(description="those in the text, in lower case and without #")
    pinned: bool
    version: int = Field(description="each change adds one; the ETag of the note is this in quotes")
    created_at: datetime
    updated_at: datetime = Field(description="when its text was edited last")
    changed_at: datetime = Field(description="when anything of it changed last")
    archived_at: datetime | None
    deleted_at: datetime | None = Field(description="in the trash since then; deleted for good after 30 days")


class NotePage(Answer):
    notes: list[Note]
    next: str | None = NEXT


class NoteChanges(Answer, Changes):
    notes: list[Note] = Field(description="as they are now, also those in the archive and the trash")


class Version(Answer):
    version: int
    title: str
    content: str = Field(description="in the list its beginning")
    saved_at: datetime = Field(description="since when the note had said so")


class Versions(Answer):
    versions: list[Version]


class AddedNote(Body):
    """A title or a text, or both."""

    title: str = TITLE
    content: str = CONTENT


class Batch(RootModel[list[AddedNote]]):
    """All of them are created, or none."""

    root: list[AddedNote] = Field(min_length=1, max_length=MOST_ITEMS)


class ChangedNote(AddedNote):
    """Fields that are left out stay as they are."""


class NoteQuery(Page):
    q: str = Field("", description="words and #tags that a note has, also one of the archive")
    tag: str = Field("", description="a tag, without #; it narrows q, or the list, which has no archived notes")
    limit: int = Field(
        listing.PAGE_SIZE, ge=1, le=listing.MOST_ROWS, description="notes on the page; with q at most 20"
    )


@operation("GET", "/notes", "notes:read", NotePage)
def list_notes(query: NoteQuery) -> Response:
    """List notes: pinned ones first, then the newest; a search by words begins with the most relevant"""
    after = parsed_cursor("cursor", query.cursor, cursor.parse_cursor) or cursor.START
    found, older = listing.list_rows(caller().id, after, Search.parse(query.q, query.tag), query.limit)
    return page("notes", objects(found), older)


@operation("POST", "/notes", "notes:write", Note, 201, may=[410], tells=["ETag", "Location"])
@accepts_long_text(by=has_signed_token)
def create_note(body: AddedNote, headers: IdempotencyKey) -> Response:
    """Create a note"""
    form = checked(NoteForm, body.model_dump())
    note_id = service.create_note(caller().id, form.title.data, form.content.data, key_of(headers))
    with created():
        return whole(note_id, 201, Location=url_for("api.show_note", note_id=note_id))


@operation("POST", "/notes/batch", "notes:write", NotePage, 201, may=[410])
@accepts_upload(BATCH_BYTES, by=has_signed_token)
def create_notes(body: Batch, headers: IdempotencyKey) -> Response:
    """Create up to 100 notes at once"""
    forms = all_checked(NoteForm, {f"#/{number}": note.model_dump() for number, note in enumerate(body.root)})
    texts = [(form.title.data, form.content.data) for form in forms]
    return several(service.create_notes(caller().id, texts, key_of(headers)), 201)


@operation("GET", "/notes/changes", "notes:read", NoteChanges, may=[410])
def list_note_changes(query: Since) -> Response:
    """List what changed since you asked last, the oldest change first; at first all notes, 100 a page"""
    return answer_changes(query, listing.FEED, "notes", Note.model_fields)


@operation("GET", "/notes/<id:note_id>", "notes:read", Note, may=[404], tells=["ETag"])
def show_note(note_id: int, headers: IfNoneMatch) -> Response:
    """Read a note, also one of the archive or the trash"""
    return whole(note_id, headers=headers)


@operation("PATCH", "/notes/<id:note_id>", "notes:write", Note, may=[404, 428], tells=["ETag"])
@accepts_long_text(by=has_signed_token)
def change_note(note_id: int, body: ChangedNote, headers: IfMatch) -> Response:
    """Edit a note, if it is as it was when you read it

    412 has the note as it is now in current.
    """
    if headers.if_match is None:
        sentence = _("Send the ETag of the note that your edit started from, in If-Match.")
        raise Problem(428, _("If-Match is missing"), sentence)
    held(note_id, headers)
    note = listing.get_row(caller().id, note_id)
    if note.deleted_at:
        raise RowNotFound
    form = checked(NoteForm, {"title": note.title, "content": note.content, **body.model_dump(exclude_unset=True)})
    text = form.title.data, form.content.data
    if text != (note.title, note.content):
        service.update_note(caller().id, note_id, *text, note.version)
    return whole(note_id)


@operation("GET", "/notes/<id:note_id>/versions", "notes:read", Versions, may=[404])
def list_versions(note_id: int) -> Response:
    """List what a note said before its last 20 edits, the newest first"""
    return answer({"versions": objects(versions.list_versions(caller().id, note_id))})


@operation("GET", "/notes/<id:note_id>/versions/<id:version>", "notes:read", Version, may=[404])
def show_version(note_id: int, version: int) -> Response:
    """Read a note as it was; to bring that back, edit the note"""
    found = versions.get_version(caller().id, note_id, version)
    return answer({name: getattr(found, name) for name in Version.model_fields})


@operation("PUT, DELETE", "/notes/<id:note_id>/pin", "notes:write", may=[404])
def note_pin(note_id: int, headers: IfMatch) -> None:
    """Pin a note (PUT), or unpin it (DELETE)"""
    held(note_id, headers)
    service.pin_note(caller().id, note_id, pinned=request.method == "PUT")


@operation("PUT, DELETE", "/notes/<id:note_id>/archive", "notes:write", may=[404])
def note_archive(note_id: int, headers: IfMatch) -> None:
    """Put a note into the archive (PUT), or take it out (DELETE)"""
    held(note_id, headers)
    service.archive_note(caller().id, note_id, archived=request.method == "PUT")


@operation("DELETE", "/notes/<id:note_id>", "notes:write", may=[404])
def delete_note(note_id: int, headers: IfMatch) -> None:
    """Move a note to the trash; with If-Match, if it is as it was when you read it"""
    held(note_id, headers)
    service.delete_note(caller().id, note_id)


@operation("POST", "/notes/<id:note_id>/restore", "notes:write", Note, may=[404], tells=["ETag"])
def restore_note(note_id: int, headers: IfMatch) -> Response:
    """Restore a note from the trash"""
    held(note_id, headers)
    service.restore_note(caller().id, note_id)
    return whole(note_id)


@operation("GET", "/notes/archive", "notes:read", NotePage)
def list_archive(query: Page) -> Response:
    """List the archive, what was put away last first"""
    found, older = service.list_archive(caller().id, cursor_of(query, service.PUT_AWAY_BOUNDS))
    return several([note.id for note in found], older=older)


@operation("GET", "/notes/trash", "notes:read", NotePage)
def list_trash(query: Page) -> Response:
    """List the trash, what was deleted last first"""
    found, older = service.list_trash(caller().id, cursor_of(query, service.PUT_AWAY_BOUNDS))
    return several([note.id for note in found], older=older)


@operation("DELETE", "/notes/trash/<id:note_id>", "notes:write", may=[404])
def delete_note_for_good(note_id: int, headers: IfMatch) -> None:
    """Delete a note of the trash for good"""
    held(note_id, headers)
    service.delete_note_for_good(caller().id, note_id)


def several(ids: list[int], status: int = 200, older: Cursor | None = None) -> Response:
    return page("notes", objects(listing.rows_of(caller().id, ids)), older, status)


def whole(note_id: int, status: int = 200, headers: IfNoneMatch | None = None, **more: str) -> Response:
    return answer_row(listing.get_row(caller().id, note_id)._asdict(), status, headers, **more)


def held(note_id: int, headers: IfMatch) -> None:
    hold(Model, note_id, headers, lambda: listing.get_row(caller().id, note_id)._asdict())
