"""The history of a note: each edit keeps what it said before, to be read, compared and brought back by its owner."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.notes import selection, service
from app.notes.models import VERSIONS_KEPT, NoteVersion
from app.notes.sharing import share_note
from app.notes.texts import EXCERPT_LENGTH, tick_of
from tests.api.conftest import program_of
from tests.conftest import browser_of
from tests.notes.test_put_away import age
from tests.portability.exports import document_of, export, import_
from tests.visitor import Visitor

TASK = "- [ ] three"
Door = Callable[[Visitor, User, int], object]


@pytest.fixture
def note_id(alice: User) -> int:
    """Return the id of a note beside which another one has a history too."""
    other = service.create_note(alice.id, "other", "one")
    service.update_note(alice.id, other, "other", "two", 1)
    return service.create_note(alice.id, "Books", TASK)


def history(note_id: int) -> list[tuple[int, str, str]]:
    """Return what is kept of a note, the newest first."""
    kept = select(NoteVersion.version, NoteVersion.title, NoteVersion.content).where(NoteVersion.note_id == note_id)
    return [tuple(row) for row in db.session.execute(kept.order_by(NoteVersion.version.desc()))]  # type: ignore[misc]


def edit(alice: User, note_id: int, *contents: str) -> None:
    for content in contents:
        service.update_note(alice.id, note_id, "Books", content, service.get_note(alice.id, note_id).version)


def send(browser: Visitor, note_id: int, version: int = 1, **fields: str) -> int:
    fields = {"title": "Books", "content": "four", "version": f"{version}"} | fields
    return browser.submit(f"/notes/{note_id}", **fields).status_code


def by_a_program(browser: Visitor, alice: User, note_id: int, body: object, version: int = 1) -> int:
    program = program_of(browser.application, alice, "write")
    return int(program.patch(f"/notes/{note_id}", body, If_Match=f'"{version}"').status_code)


def by_the_outbox(browser: Visitor, note_id: int, version: int) -> int:
    fields = {"csrf_token": browser.csrf_token(), "title": "Books", "content": "four", "version": f"{version}"}
    return browser.post(f"/notes/{note_id}", data=fields, headers={"Accept": "application/json"}).status_code


def from_the_trash(browser: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    send(browser, note_id, from_trash="1")


def tick(browser: Visitor, note_id: int) -> int:
    return browser.submit(f"/notes/{note_id}/task", task=str(tick_of([TASK], 0))).status_code


EDITS: dict[str, Door] = {
    "the editor": lambda browser, _, note_id: send(browser, note_id),
    "its title alone": lambda browser, _, note_id: send(browser, note_id, title="Buch", content=TASK),
    "twice, as its answer was lost": lambda browser, _, note_id: [send(browser, note_id) for _ in range(2)],
    "the outbox": lambda browser, _, note_id: by_the_outbox(browser, note_id, 1),
    "the page of a conflict, out of the trash": from_the_trash,
    "a program": lambda browser, alice, note_id: by_a_program(browser, alice, note_id, {"content": "four"}),
    "a tag for several": lambda browser, _, note_id: browser.submit(
        "/notes/select", note=[f"{note_id}"], action="tag", tag="read"
    ),
}
NO_EDITS: dict[str, Door] = {
    "the same text": lambda browser, _, note_id: send(browser, note_id, content=TASK),
    "a tick": lambda browser, _, note_id: tick(browser, note_id),
    "a stale version": lambda browser, _, note_id: send(browser, note_id, 7),
    "a stale version of the outbox": lambda browser, _, note_id: by_the_outbox(browser, note_id, 7),
    "a stale version of a program": lambda browser, alice, note_id: by_a_program(
        browser, alice, note_id, {"content": "four"}, 7
    ),
    "one too long": lambda browser, _, note_id: send(browser, note_id, content="x" * 20_001),
    "the text that it has, by a program": lambda browser, alice, note_id: by_a_program(
        browser, alice, note_id, {"content": TASK}
    ),
    "a tag that it has": lambda browser, alice, note_id: selection.tag_notes(alice.id, [note_id], "books"),
    "a pin": lambda browser, alice, note_id: service.pin_note(alice.id, note_id, pinned=True),
    "the archive": lambda browser, alice, note_id: service.archive_note(alice.id, note_id, archived=True),
    "the trash": lambda browser, alice, note_id: service.delete_note(alice.id, note_id),
}


@pytest.mark.parametrize("door", EDITS)
def test_each_edit_keeps_what_the_note_said_whatever_door_it_comes_by(
    signed_in: Visitor, alice: User, note_id: int, door: str
) -> None:
    saved_at = service.get_note(alice.id, note_id).updated_at
    EDITS[door](signed_in, alice, note_id)
    version = 2 if "trash" in door else 1  # which counts as well
    assert history(note_id) == [(version, "Books", TASK)]
    assert db.session.scalar(select(NoteVersion.saved_at).where(NoteVersion.note_id == note_id)) == saved_at
    assert service.get_note(alice.id, note_id).version == version + 1


@pytest.mark.parametrize("door", NO_EDITS)
def test_what_is_no_edit_or_is_refused_keeps_nothing(signed_in: Visitor, alice: User, note_id: int, door: str) -> None:
    if "tag" in door:
        service.update_note(alice.id, note_id, "#books", TASK, 1)
    before = history(note_id)
    NO_EDITS[door](signed_in, alice, note_id)
    assert history(note_id) == before


def test_an_edit_behind_ticks_keeps_the_text_with_the_ticks(signed_in: Visitor, alice: User, note_id: int) -> None:
    tick(signed_in, note_id)
    edit(alice, note_id, "four")
    assert history(note_id) == [(2, "Books", "- [x] three")]


@pytest.mark.parametrize("tagged", [False, True])
def test_the_newest_are_kept_of_each_note_and_an_older_one_is_404(
    signed_in: Visitor, alice: User, note_id: int, tagged: bool
) -> None:
    other = service.create_note(alice.id, "other", "one")
    edit(alice, other, "two")
    edit(alice, note_id, *map(str, range(2, VERSIONS_KEPT + 3)))
    if tagged:
        selection.tag_notes(alice.id, [other, note_id], "read")
    newest = VERSIONS_KEPT + 1 + tagged
    assert [version for version, *_ in history(note_id)] == [*range(newest, newest - VERSIONS_KEPT, -1)]
    assert [version for version, *_ in history(other)] == ([2, 1] if tagged else [1])
    oldest = newest - VERSIONS_KEPT
    for version, status in ((oldest + 1, 200), (oldest, 404)):
        assert signed_in.get(f"/notes/{note_id}/history/{version}").status_code == status
    assert signed_in.submit(f"/notes/{note_id}/history/{oldest}", version=f"{newest + 1}").status_code == 404
    assert len(history(note_id)) == VERSIONS_KEPT


def test_the_page_of_the_note_leads_to_the_list_which_leads_to_each_version(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    assert "/history" not in signed_in.get(f"/notes/{note_id}").text
    assert "There are no earlier versions." in signed_in.get(f"/notes/{note_id}/history").text
    edit(alice, note_id, "<b>" + "x" * EXCERPT_LENGTH)
    assert f'href="/notes/{note_id}/history">1 earlier version</a>' in signed_in.get(f"/notes/{note_id}").text
    edit(alice, note_id, "five")
    assert f'href="/notes/{note_id}/history">2 earlier versions</a>' in signed_in.get(f"/notes/{note_id}").text
    page = signed_in.get(f"/notes/{note_id}/history").text
    assert re.findall(rf'href="/notes/{note_id}/history/(\d+)"', page) == ["2", "1"]
    assert "&lt;b&gt;xxx" in page
    assert "x" * (EXCERPT_LENGTH - 3) in page
    assert "x" * (EXCERPT_LENGTH - 2) not in page


def test_a_version_stands_beside_the_note_as_it_is_now(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.update_note(alice.id, note_id, "Buch", f"{TASK}\n<b>", 1)
    page = signed_in.get(f"/notes/{note_id}/history/1").text
    for shown in (
        *("<del><bdi>Books</bdi></del>", "<ins><bdi>Buch</bdi></ins>"),
        '<ins><span class="visually-hidden">Only in the note now: </span>&lt;b&gt;</ins>',
        'name="version" value="2"',
    ):
        assert shown in page
    assert "Only in this version" not in page
    service.update_note(alice.id, note_id, "Books", TASK, 2)
    same = signed_in.get(f"/notes/{note_id}/history/1").text
    assert "The note says the same now." in same
    assert 'name="version"' not in same


def test_it_is_brought_back_as_a_new_version_and_the_history_undoes_that(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    edit(alice, note_id, "four")
    for version, seen in ((1, 2), (2, 3), (2, 3)):  # the last one twice, as its answer was lost
        answer = signed_in.submit(f"/notes/{note_id}/history/{version}", version=f"{seen}")
        assert answer.location == f"/notes/{note_id}"
    assert "Restored the version of " in signed_in.get(f"/notes/{note_id}").text
    note = service.get_note(alice.id, note_id)
    assert (note.content, note.version) == ("four", 4)
    assert history(note_id) == [(3, "Books", TASK), (2, "Books", "four"), (1, "Books", TASK)]


def test_a_note_that_was_edited_meanwhile_is_409_and_shown_as_it_is_now(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    edit(alice, note_id, "four", "five")
    before = history(note_id)
    answer = signed_in.submit(f"/notes/{note_id}/history/1", version="2")
    assert answer.status_code == 409
    assert "This note was changed in the meantime." in answer.text
    assert 'name="version" value="3"' in answer.text
    assert "five</ins>" in answer.text
    assert (history(note_id), service.get_note(alice.id, note_id).content) == (before, "five")


@pytest.mark.parametrize("version", ["", "-1", "x", "1.0", "١", "9" * 10])
def test_a_version_that_no_page_sent_is_422(signed_in: Visitor, alice: User, note_id: int, version: str) -> None:
    edit(alice, note_id, "four")
    assert signed_in.submit(f"/notes/{note_id}/history/1", version=version).status_code == 422
    assert (history(note_id), service.get_note(alice.id, note_id).version) == ([(1, "Books", TASK)], 2)


def test_in_the_trash_it_is_404_and_comes_back_with_the_note(
    app: Flask, signed_in: Visitor, alice: User, note_id: int
) -> None:
    edit(alice, note_id, "four")
    program = program_of(app, alice)
    service.delete_note(alice.id, note_id)
    for path in (f"/notes/{note_id}/history", f"/notes/{note_id}/history/1"):
        assert signed_in.get(path).status_code == 404
        assert program.get(path.replace("history", "versions")).status_code == 404
    assert signed_in.submit(f"/notes/{note_id}/history/1", version="2").status_code == 404
    assert "/history" not in signed_in.get(f"/notes/{note_id}").text
    assert history(note_id) == [(1, "Books", TASK)]
    service.restore_note(alice.id, note_id)
    assert signed_in.get(f"/notes/{note_id}/history/1").status_code == 200


@pytest.mark.parametrize("how", ["for good", "empty", "purge"])
def test_it_goes_with_the_note(alice: User, note_id: int, how: str) -> None:
    edit(alice, note_id, "four")
    service.delete_note(alice.id, note_id)
    if how == "for good":
        service.delete_note_for_good(alice.id, note_id)
    elif how == "empty":
        service.empty_trash(alice.id)
    else:
        age(note_id, days=31)
        service.purge_deleted_notes(0)
    assert history(note_id) == []
    assert db.session.scalars(select(NoteVersion.content)).all() == ["one"]  # of the other note


def test_neither_a_shared_page_nor_an_export_has_it_and_an_import_begins_none(
    app: Flask, signed_in: Visitor, client: Visitor, alice: User, bob: User, note_id: int
) -> None:
    edit(alice, note_id, "four")
    page = client.get(f"/s/{share_note(alice.id, note_id)}").text
    assert "/history" not in page
    assert "three" not in page
    exported = export(signed_in)
    assert "three" not in str(document_of(exported))
    kept = db.session.scalars(select(NoteVersion.note_id)).all()
    assert import_(browser_of(app, bob), exported).status_code == 302
    assert db.session.scalars(select(NoteVersion.note_id)).all() == kept


def test_a_program_lists_and_reads_it(app: Flask, alice: User, note_id: int) -> None:
    edit(alice, note_id, "x" * 500, "five")
    program = program_of(app, alice, "notes:read")
    found = program.get(f"/notes/{note_id}/versions").json["versions"]
    assert [(each["version"], each["content"]) for each in found] == [(2, "x" * EXCERPT_LENGTH), (1, TASK)]
    whole = program.get(f"/notes/{note_id}/versions/2").json
    assert whole == {**found[0], "content": "x" * 500}
    assert whole["saved_at"].endswith("Z")
    for missing in (3, 2**31, 2**63 - 1):
        assert program.get(f"/notes/{note_id}/versions/{missing}").status_code == 404
    assert program_of(app, alice, "notes:write").get(f"/notes/{note_id}/versions").status_code == 403
