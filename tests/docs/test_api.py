"""The ten commands of docs/api.md, typed one after another into one shell, against a server."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from app import sync
from app.accounts import access_tokens
from app.accounts import service as accounts
from app.extensions import db
from app.notes import service as notes
from app.notes.models import Note
from tests.conftest import CLIENT, PASSWORD
from tests.database import commit
from tests.deployment.stand_in_site import served
from tests.samples import TAKEN_OUT
from tests.waiting import wait_for_transactions

PAGE = Path(__file__).parents[2] / "docs/api.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
[LOOP] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
HOST, TOKEN = "https://semicircle.example", "sc_…"  # what the page tells the reader to put in


def token_of(name: str) -> tuple[int, str]:
    user = accounts.sign_up(f"{name}@example.com", name, PASSWORD)
    return user.id, access_tokens.make_token(user.id, "curl", ["read", "write"], 30, CLIENT)


@pytest.fixture
def typed(migrated: Flask) -> Iterator[str]:
    """Yield what a reader types who has a site and a token."""
    _user_id, token = token_of("alice")
    with served(migrated) as url:
        lines = "".join(BLOCKS).replace(HOST, url).replace(TOKEN, token).splitlines(keepends=True)
        yield "".join(line for line in lines if not any(f"/{name}" in line for name in TAKEN_OUT))


def test_every_command_works_as_it_is_typed(typed: str, tmp_path: Path) -> None:
    """Nothing is set but by the page; `-u` refuses a variable that is not, and `-e` stops at a command that fails."""
    assert "".join(BLOCKS).count("curl ") == 10
    assert "".join(BLOCKS).count(HOST) == "".join(BLOCKS).count(TOKEN) == 1
    given = {"PATH": os.environ["PATH"]}
    done = subprocess.run(["/bin/sh", "-eu"], cwd=tmp_path, env=given, input=typed, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert (tmp_path / "semicircle.zip").read_bytes().startswith(b"PK")
    note = db.session.scalars(select(Note).where(Note.title == "Moving day")).one()
    assert note.content == "- [x] Book the elevator #home"
    assert note.pinned
    assert note.deleted_at


def test_the_loop_keeps_a_copy(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id, token = token_of("alice")
    loop: dict[str, Any] = {}
    exec(LOOP, loop)  # noqa: S102 - of our page
    first, second = (notes.create_note(user_id, title, "") for title in ("one", "two"))
    copy: dict[str, Any] = {"rows": {}, "since": None}

    def titles() -> dict[int, str]:
        wait_for_transactions()
        loop["sync"]("notes", copy)
        return {row_id: row["title"] for row_id, row in copy["rows"].items()}

    with served(migrated) as url:
        monkeypatch.setenv("API", f"{url}/api/v1")
        monkeypatch.setenv("TOKEN", token)
        assert titles() == {first: "one", second: "two"}
        notes.update_note(user_id, first, "three", "", version=1)
        commit(delete(Note).where(Note.id == second))
        assert titles() == {first: "three"}
        copy["rows"] |= {second: {"title": "of before"}}
        monkeypatch.setattr(sync, "CURSOR_HOLDS", timedelta(days=-1))
        assert titles() == {first: "three"}  # 410, and all from the beginning
