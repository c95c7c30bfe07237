"""What an import refuses: one sentence, 422, and nothing stored, neither rows nor a photo."""

import io
import re

import pytest
from flask import Flask
from PIL import Image

from app.portability.forms import SENTENCES
from app.portability.rejection import Reason
from tests.bucket import object_keys
from tests.database import row_counts
from tests.portability import hostile_archives as hostile
from tests.portability.exports import import_, packed
from tests.queued import run_queued
from tests.visitor import Visitor


@pytest.mark.parametrize("name", hostile.ARCHIVES)
def test_it_refuses(signed_in: Visitor, name: str) -> None:
    reason, archive = hostile.ARCHIVES[name]
    before = row_counts()
    answer = import_(signed_in, archive())
    assert answer.status_code == 422
    [error] = re.findall(r'<p class="error" id="archive-error">(.*?)</p>', answer.text)
    sentence = str(SENTENCES[reason]).partition(" %(place)s")[0]
    assert error.startswith(sentence)
    assert row_counts() == before


def test_what_the_archives_are_made_of_comes_in(signed_in: Visitor) -> None:
    assert import_(signed_in, hostile.zipped(hostile.document())).status_code == 302
    counts = row_counts()
    assert (counts["notes"], counts["todos"], counts["results"]) == (1, 1, 1)


def test_it_says_where(signed_in: Visitor) -> None:
    assert "notes 2, title" in import_(signed_in, hostile.note(title=None)).text


def test_a_sound_photo_beside_a_broken_note_leaves_no_object(app: Flask, signed_in: Visitor) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (400, 400), "teal").save(photo, "WEBP")
    rows, objects = row_counts(), object_keys(app)
    document = hostile.document(notes=[hostile.NOTE, None])
    assert import_(signed_in, packed({"photo.webp": photo.getvalue(), "semicircle.json": document})).status_code == 422
    run_queued(app)
    assert row_counts() == rows
    assert object_keys(app) == objects


@pytest.mark.parametrize("count", [0, 2])
def test_it_takes_one_file(signed_in: Visitor, count: int) -> None:
    before = row_counts()
    answer = import_(signed_in, *[hostile.zipped(hostile.document())] * count)
    assert answer.status_code == 422
    assert "Choose one ZIP file." in answer.text
    assert row_counts() == before


def test_text_in_place_of_a_file(signed_in: Visitor) -> None:
    assert signed_in.submit("/mypage/import", archive="x").status_code == 422


def test_a_body_over_the_limit_is_413(signed_in: Visitor) -> None:
    assert import_(signed_in, bytes(7 * 2**20)).status_code == 413


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
