"""A large notebook comes back as it was exported, and neither the export nor the import is held in memory."""

import io
import random
import re
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.notes.models import Note
from app.portability import archive, views
from app.portability import service as portability
from config import TestingConfig
from tests.conftest import PASSWORD, browser_of
from tests.database import commit
from tests.databases import Environment
from tests.visitor import Visitor

NOTES = 12_000
LETTERS = 2000  # of a note: 75 MB of JSON in all
SYLLABLES = [chr(0xAC00 + 4 * number) for number in range(2350)]  # as many as KS X 1001 has; by chance they pack badly
MEMORY = 48 * 1024 * 1024  # bytes beyond what the process had
PROCESS = Path("/proc/self")
COLUMNS = "title, content, tags, pinned, created_at, updated_at"
VERSIONS = """INSERT INTO note_versions SELECT id, 1, title, content, created_at FROM notes WHERE user_id = :owner
    AND id % 4 = 0 ON CONFLICT DO NOTHING"""
# Rows of one that the other has not, or not as often.
DIFFERENT = text(
    f"SELECT count(*) FROM (SELECT {COLUMNS} FROM notes WHERE user_id = :one"
    f" EXCEPT ALL SELECT {COLUMNS} FROM notes WHERE user_id = :other) AS missing"
)


@pytest.mark.minutes
@pytest.mark.timeout(900)
@pytest.mark.skipif(not (PROCESS / "clear_refs").exists(), reason="resets the peak of the memory, as Linux does")
def test_12000_full_notes_come_back_within_bounded_memory(
    migrated_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((portability, "IMPORT_SECONDS"), (views, "ANSWER_SECONDS")):
        monkeypatch.setattr(module, name, 500.0)  # this machine may be busy
    app = create_app(TestingConfig(migrated_environment))
    app.test_client_class = Visitor
    with app.app_context():
        # Their upkeep takes the server minutes, and nothing of the memory that is measured.
        commit(text("DROP INDEX ix_notes_terms, ix_notes_initials, ix_notes_folded"))
        one, other = (accounts.sign_up(f"{name}@example.com", name, PASSWORD) for name in ("one", "other"))
        browsers, ids = (browser_of(app, one), browser_of(app, other)), {"one": one.id, "other": other.id}
        fill(one.id, 1)
    round_trip(*browsers)  # imports what is imported on first use
    with app.app_context():
        for _ in range(NOTES // 500):
            fill(ids["one"], 500)
    (PROCESS / "clear_refs").write_text("5")
    before = peak()
    assert round_trip(*browsers) < archive.MAX_BYTES
    assert peak() - before < MEMORY
    with app.app_context():
        assert db.session.scalar(text("SELECT count(*) FROM notes WHERE user_id = :other"), ids) == NOTES + 1
        assert db.session.scalar(DIFFERENT, ids) == 0


def fill(user_id: int, count: int) -> None:
    texts = ["".join(random.choices(SYLLABLES, k=LETTERS)) for _ in range(count)]  # noqa: S311 - no secret
    commit(insert(Note), [{"user_id": user_id, "title": "메모", "content": each} for each in texts])
    commit(text(VERSIONS), {"owner": user_id})


def round_trip(one: Visitor, other: Visitor) -> int:
    """Import what one exports as the other, and return its bytes."""
    with tempfile.TemporaryFile() as file:
        with one.get("/mypage/export") as answer:
            for part in answer.iter_encoded():
                file.write(part)
        size = file.tell()
        file.seek(0)
        answer = other.submit("/mypage/import", archive=(io.BufferedReader(file), "semicircle.zip"))
        assert answer.status_code == 302
        answer.request.environ["wsgi.input"].close()  # a temporary file of the test client's
        return size


def peak() -> int:
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text())
    return int(kilobytes) * 1024
