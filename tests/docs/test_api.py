"""The ten commands of docs/api.md, run one after another against a server."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.accounts import access_tokens
from app.accounts import service as accounts
from tests.conftest import CLIENT, PASSWORD
from tests.deployment.stand_in_site import served
from tests.samples import TAKEN_OUT

PAGE = Path(__file__).parents[2] / "docs/api.md"
WRITTEN = re.findall(r"^curl .*$", PAGE.read_text(), re.MULTILINE)
COMMANDS = [command for command in WRITTEN if not any(f"/{name}" in command for name in TAKEN_OUT)]


@pytest.fixture
def shell(migrated: Flask, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a shell that has a token."""
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    token = access_tokens.make_token(user.id, "curl", ["read", "write"], 30, CLIENT)
    with served(migrated) as url:
        yield {"PATH": os.environ["PATH"], "API": f"{url}/api/v1", "TOKEN": token, "PWD": str(tmp_path)}


def test_every_command_works(shell: dict[str, str], tmp_path: Path) -> None:
    assert len(WRITTEN) == 10
    for command in COMMANDS:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if "Idempotency-Key" in command:
            shell["NOTE"] = str(json.loads(done.stdout)["id"])
    assert (tmp_path / "semicircle.zip").read_bytes().startswith(b"PK")
