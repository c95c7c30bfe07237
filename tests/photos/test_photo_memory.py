"""The peak memory of hostile photos and of the largest allowed ones, measured in a separate process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PEAK_MEMORY = """
import re
from pathlib import Path
from app.photos.decoding import PhotoRejected, square_webp
from tests.photos.accepted_photos import largest_photos
from tests.photos.hostile_photos import hostile_photos

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

print("megabytes, at the start:", peak())
for upload in hostile_photos():
    try:
        square_webp(upload.data)
    except PhotoRejected:
        continue
    raise SystemExit(f"accepted: {upload.name}")
print("megabytes, after the hostile ones:", peak())
for upload in largest_photos():
    square_webp(upload.data)
print("megabytes, after the largest allowed:", peak())
"""


@pytest.mark.servers
@pytest.mark.minutes
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_peak_memory_stays_below_300_megabytes_for_every_photo() -> None:
    """One process decodes all photos, with the whole application imported.

    `getrusage` cannot measure this: a child process inherits the peak of the process that forked it, here pytest's.
    """
    command = [sys.executable, "-W", "error", "-c", PEAK_MEMORY]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    sys.stdout.write(child.stdout)  # shown by -s, and when it fails
    assert child.returncode == 0, child.stderr
    peaks = [int(number) for number in re.findall(r"\d+$", child.stdout, re.MULTILINE)]
    assert len(peaks) == 3
    assert max(peaks) < 300
