"""The ten commands of docs/api.md, typed one after another into one shell, against a server."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts import access_tokens
from app.accounts import service as accounts
from app.extensions import db
from app.notes.models import Note
from tests.conftest import CLIENT, PASSWORD
from tests.deployment.stand_in_site import served
from tests.samples import TAKEN_OUT

PAGE = Path(__file__).parents[2] / "docs/api.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
HOST, TOKEN = "https://semicircle.example", "sc_…"  # what the page tells the reader to put in


@pytest.fixture
def typed(migrated: Flask) -> Iterator[str]:
    """Yield what a reader types who has a site and a token."""
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    token = access_tokens.make_token(user.id, "curl", ["read", "write"], 30, CLIENT)
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
