"""Export a large notebook, import it into another account, and print as JSON what came of it and what it took.

A process of its own, since the peak of its memory is measured. Run, with the environment of a migrated database:
python -m tests.portability.large_notebook NOTES
"""

import io
import json
import os
import resource
import sys
import tempfile
from typing import IO

from flask import Flask
from sqlalchemy import text

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from app.portability import service as portability
from app.portability import views
from config import TestingConfig
from tests.conftest import PASSWORD, browser_of
from tests.portability import korean_notes
from tests.visitor import Visitor

# Rows of one of the two that the other has not, or not as often.
DIFFERENT = text(
    """
    WITH one AS (SELECT title, content, tags, pinned, created_at, updated_at FROM notes WHERE user_id = :one),
        other AS (SELECT title, content, tags, pinned, created_at, updated_at FROM notes WHERE user_id = :other)
    SELECT (SELECT count(*) FROM (TABLE one EXCEPT ALL TABLE other) AS missing)
        + (SELECT count(*) FROM (TABLE other EXCEPT ALL TABLE one) AS added)
    """
)


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
        korean_notes.fill(ids["one"], 1)
        round_trip(browsers["one"], browsers["other"])  # imports what is imported on first use
        korean_notes.fill(ids["one"], count - 1)
    before = peak()
    size, status = round_trip(browsers["one"], browsers["other"])
    found = {"zip": size, "status": status, "memory": peak() - before, **compared(app, ids)}
    sys.stdout.write(json.dumps(found))


def round_trip(one: Visitor, other: Visitor) -> tuple[int, int]:
    """The bytes of the export, and the status of its import."""
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
    """Bytes. Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
