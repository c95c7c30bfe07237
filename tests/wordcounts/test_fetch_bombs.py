"""Compressed bombs: refused at once, and never unpacked into memory."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.wordcounts.fetch_outcomes import failure
from tests.wordcounts.hostile_answers import bombs
from tests.wordcounts.page_server import answering

ROOT = Path(__file__).parents[2]
BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str) -> None:
    code, answer = BOMBS[name]
    started = time.monotonic()
    with answering(answer) as server:
        assert failure(server).code == code
    assert time.monotonic() - started < 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_all_bombs_together_take_less_than_64_megabytes() -> None:
    child = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bench.bombs"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    growth = re.findall(r": (\d+) MB$", child.stdout, re.MULTILINE)
    assert len(growth) == len(BOMBS)
    assert max(map(int, growth)) < 64, child.stdout
