"""A large notebook comes back as it was exported, and neither the export nor the import is held in memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.portability import archive
from tests.databases import Environment

ROOT = Path(__file__).parents[2]
NOTES = 12_000  # of the longest: 75 MB of JSON. Of 20,000 notes bench.portability tells the time and the memory
MEMORY = 48 * 1024 * 1024  # bytes beyond what the process had


@pytest.mark.minutes
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the peak of memory in another unit")
def test_12000_full_notes_come_back_within_bounded_memory(migrated_environment: Environment) -> None:
    environment = {**migrated_environment, "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "tests.portability.large_notebook", f"{NOTES}"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["status"] == 302
    assert (found["stored"], found["different"]) == (NOTES, 0)
    assert found["zip"] < archive.MAX_BYTES
    assert found["memory"] < MEMORY
