"""Page weight: on a slow phone, the bytes are the waiting time."""

import gzip
from pathlib import Path

import pytest

from app.accounts.models import User
from app.notes import service as notes
from app.notes.listing import PAGE_SIZE
from tests.browser.seed import ENGLISH, KOREAN
from tests.visitor import Visitor

STATIC = Path(__file__).parents[2] / "app/static"
STATIC_LIMIT = 60 * 1024  # bytes, of all files together
NOTES_LIMIT = 4 * 1024
NOTES_LIMIT_PLAIN = 24 * 1024  # which the process renders, and a proxy compresses


def weight(content: bytes) -> int:
    return len(gzip.compress(content, compresslevel=9))


@pytest.mark.smoke
def test_all_static_files_together_are_light() -> None:
    weights = {path: weight(path.read_bytes()) for path in STATIC.rglob("*") if path.is_file()}
    listing = "\n".join(f"{size:6} {path.relative_to(STATIC)}" for path, size in weights.items())
    assert 0 < sum(weights.values()) <= STATIC_LIMIT, listing


@pytest.mark.smoke
def test_a_page_full_of_notes_is_light(app: object, signed_in: Visitor, alice: User) -> None:
    for number in range(PAGE_SIZE):
        text = (*KOREAN, *ENGLISH)[number % 6]
        notes.create_note(alice.id, f"{number} {text}"[:50], f"{number} {text}" * 3)
    page = signed_in.get("/notes").data
    assert page.count(b"<article") == PAGE_SIZE
    assert weight(page) <= NOTES_LIMIT, weight(page)
    assert len(page) <= NOTES_LIMIT_PLAIN
