"""A refused import answers 422 with one error message and stores neither rows nor a photo."""

import io
import re
from html import unescape

import pytest
from flask import Flask

from app.accounts.models import User
from app.extensions import db
from app.portability import archive
from app.portability import service as portability
from app.portability.archive import MIB, ArchiveRejected, Reason
from app.portability.forms import SENTENCES
from tests.bucket import object_keys
from tests.database import row_counts, same_row_counts
from tests.portability import hostile_archives as hostile
from tests.portability.exports import import_, with_photo
from tests.queued import run_queued
from tests.visitor import Visitor


@pytest.fixture(autouse=True)
def _low_limits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set limits that an archive exceeds in milliseconds. test_large_notebook.py has the real ones."""
    monkeypatch.setattr(archive, "MAX_BYTES", MIB)
    monkeypatch.setattr(archive, "MAX_DIRECTORY", MIB // 4)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1_000)
    monkeypatch.setattr(archive, "MAX_JSON", 8 * MIB)
    monkeypatch.setattr(portability, "MAX_ITEMS", 600)
    monkeypatch.setattr(app.view_functions["portability.import_"], "upload_limit", 2 * MIB)


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


@pytest.mark.parametrize("name", ["nothing", "a bomb", "a field twice", "a title of 51", "no photo as a photo"])
def test_the_page_tells_the_reason_and_stores_nothing(signed_in: Visitor, name: str) -> None:
    reason, archive_of = hostile.ARCHIVES[name]
    with same_row_counts():
        answer = import_(signed_in, archive_of())
        assert answer.status_code == 422
        [error] = re.findall(r'<p class="error" id="archive-error">(.*?)</p>', answer.text)
        assert unescape(error).startswith(str(SENTENCES[reason]).partition(" %(place)s")[0])


def test_the_valid_base_of_the_hostile_archives_is_imported(signed_in: Visitor) -> None:
    before = row_counts()
    assert import_(signed_in, hostile.zipped(hostile.document())).status_code == 302
    assert row_counts() == {**before, "notes": 1, "todos": 1}


def test_the_longest_items_are_imported_also_as_ascii(signed_in: Visitor) -> None:
    """Each letter of these tags is 12 of JSON, once in the text and once beside it."""
    tags = [chr(0x20000 + number) for number in range(666)]
    note = {**hostile.NOTE, "title": "𠀀" * 50, "content": " ".join(f"#{tag}" for tag in tags), "tags": tags}
    todo = {**hostile.TODO, "description": "𠀀" * 200}
    assert import_(signed_in, hostile.zipped(hostile.document(notes=[note], todos=[todo]))).status_code == 302
    assert signed_in.get("/notes?tag=𠊙").text.count("𠀀" * 50) > 0


def test_the_error_names_the_item_and_the_field(signed_in: Visitor) -> None:
    assert "notes 2, title" in import_(signed_in, hostile.note(title=None)).text
    assert "todos 2, description" in import_(signed_in, hostile.todo(description=" ")).text


def test_a_valid_photo_next_to_an_invalid_note_leaves_no_object(app: Flask, signed_in: Visitor) -> None:
    rows, objects = row_counts(), object_keys(app)
    assert import_(signed_in, with_photo(hostile.document(notes=[hostile.NOTE, None]))).status_code == 422
    run_queued(app)
    assert row_counts() == rows
    assert object_keys(app) == objects


def test_an_import_without_exactly_one_file_of_a_size_is_refused(signed_in: Visitor) -> None:
    with same_row_counts():
        two = [hostile.zipped(hostile.document())] * 2
        for answer in (import_(signed_in), import_(signed_in, *two), signed_in.submit("/mypage/import", archive="x")):
            assert answer.status_code == 422
            assert "Choose one ZIP file." in answer.text
        assert import_(signed_in, bytes(3 * MIB)).status_code == 413


def test_every_reason_has_an_error_message() -> None:
    assert set(SENTENCES) == set(Reason)
