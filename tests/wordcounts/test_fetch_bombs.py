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


GROWTH = """
import re
from pathlib import Path
from app.wordcounts.fetch import FetchFailed, fetch
from tests.wordcounts.hostile_answers import bombs
from tests.wordcounts.page_server import PageServer, page

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

answers = list(bombs().values())
pages = {f"/{number}": answer for number, (_, answer) in enumerate(answers)}
with PageServer({"/": page(b"a"), **pages}) as server:
    fetch(server.url(), allowed_servers=server.allowed)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, without what packing the bombs took
    before = peak()
    for path in pages:
        try:
            fetch(server.url(path), allowed_servers=server.allowed)
        except FetchFailed:
            continue
        raise SystemExit(f"accepted: {path}")
    print("megabytes, by all bombs:", peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_all_bombs_together_take_less_than_64_megabytes() -> None:
    """Not by `getrusage`: a child starts with the peak of the process that it was forked from, here pytest's."""
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", GROWTH], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    sys.stdout.write(child.stdout)  # shown by -s, and when it fails
    assert child.returncode == 0, child.stderr
    [growth] = re.findall(r"\d+$", child.stdout, re.MULTILINE)
    assert int(growth) < 64
