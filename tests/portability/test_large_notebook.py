"""A large notebook comes back as it was exported, and neither the export nor the import is held in memory.

The peak of the memory is that of a process of its own, which runs this module: it exports a large notebook, imports it
into another account, and prints as JSON what came of it and what it took.
"""

import io
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import pytest
from flask import Flask
from sqlalchemy import insert, text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.notes.models import CONTENT_LENGTH, Note
from app.portability import archive, views
from app.portability import service as portability
from config import TestingConfig
from tests.conftest import PASSWORD, browser_of
from tests.databases import Environment
from tests.visitor import Visitor

ROOT = Path(__file__).parents[2]
NOTES = 12_000  # of the longest: 75 MB of JSON
VOCABULARY = 20_000  # words; a text uses the first ones far more often than the last (Zipf's law)
SYLLABLES = 2350  # those of KS X 1001, which nearly all text has
IN_ONE_INSERT = 500
MEMORY = 48 * 1024 * 1024  # bytes beyond what the process had
COLUMNS = "title, content, tags, pinned, created_at, updated_at"
# Rows of one that the other has not, or not as often.
DIFFERENT = text(
    f"SELECT count(*) FROM (SELECT {COLUMNS} FROM notes WHERE user_id = :one"
    f" EXCEPT ALL SELECT {COLUMNS} FROM notes WHERE user_id = :other) AS missing"
)


@pytest.mark.minutes
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the peak of memory in another unit")
def test_12000_full_notes_come_back_within_bounded_memory(migrated_environment: Environment) -> None:
    environment = {**migrated_environment, "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "tests.portability.test_large_notebook", f"{NOTES}"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["status"] == 302
    assert (found["stored"], found["different"]) == (NOTES, 0)
    assert found["zip"] < archive.MAX_BYTES
    assert found["memory"] < MEMORY


def main(count: int) -> None:
    portability.IMPORT_SECONDS = views.ANSWER_SECONDS = 500.0  # this machine may be busy
    app = create_app(TestingConfig(os.environ))
    app.test_client_class = Visitor
    with app.app_context():
        # Their upkeep takes the server minutes, and nothing of the memory that is measured.
        db.session.execute(text("DROP INDEX ix_notes_terms, ix_notes_initials"))
        db.session.commit()
        users = {name: accounts.sign_up(f"{name}@example.com", name, PASSWORD) for name in ("one", "other")}
        browsers = {name: browser_of(app, user) for name, user in users.items()}
        ids = {name: user.id for name, user in users.items()}
        fill(ids["one"], 1)
        round_trip(browsers["one"], browsers["other"])  # imports what is imported on first use
        fill(ids["one"], count - 1)
    before = peak()
    size, status = round_trip(browsers["one"], browsers["other"])
    found = {"zip": size, "status": status, "memory": peak() - before, **compared(app, ids)}
    sys.stdout.write(json.dumps(found))


def fill(user_id: int, count: int) -> None:
    """Insert notes as long as they may be, in Korean whose words repeat as in prose, so that they pack alike."""
    chance = random.Random(1)  # noqa: S311 - no secret
    words = [
        "".join(chr(0xAC00 + 4 * chance.randrange(SYLLABLES)) for _ in range(chance.choice((2, 3, 3, 4))))
        for _ in range(VOCABULARY)
    ]
    frequencies = list(itertools.accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    for first in range(0, count, IN_ONE_INSERT):
        rows = [
            {
                "user_id": user_id,
                "title": f"메모 {number}",
                "content": " ".join(chance.choices(words, cum_weights=frequencies, k=CONTENT_LENGTH))[:CONTENT_LENGTH],
                "tags": [],
            }
            for number in range(first, min(count, first + IN_ONE_INSERT))
        ]
        db.session.execute(insert(Note), rows)
    db.session.commit()


def round_trip(one: Visitor, other: Visitor) -> tuple[int, int]:
    """Return the bytes of the export, and the status of its import."""
    with tempfile.TemporaryFile() as file:
        download(one, file)
        size = file.tell()
        file.seek(0)
        answer = other.submit("/mypage/import", archive=(io.BufferedReader(file), "semicircle.zip"))
        return size, answer.status_code


def download(browser: Visitor, file: IO[bytes]) -> None:
    with browser.get("/mypage/export") as answer:
        for part in answer.iter_encoded():
            file.write(part)


def compared(app: Flask, ids: dict[str, int]) -> dict[str, int]:
    with app.app_context():
        stored = db.session.execute(text("SELECT count(*) FROM notes WHERE user_id = :other"), ids).scalar_one()
        return {"stored": stored, "different": db.session.execute(DIFFERENT, ids).scalar_one()}


def peak() -> int:
    """Return bytes. Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
