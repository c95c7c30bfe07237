"""No file keeps the decoder busy for long or takes much memory. `tools.bench.photos` tells the times."""

import io
import re
import subprocess
import sys
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from app.photos.containers import MAX_PADDING, PhotoRejected, Reason
from app.photos.decoding import square_webp
from tests.photos.costly_photos import JPEG_START, costly_photos
from tests.photos.photo_files import reason_for, red_jpeg

# Python's calls to read. A padding byte takes one; a section a handful.
MOST_READS = 2 * MAX_PADDING


class Counted(io.BytesIO):
    """Count how often a file is read from."""

    reads = 0

    def read(self, *arguments: int) -> bytes:  # type: ignore[override]
        Counted.reads += 1
        return super().read(*arguments)


def test_every_costly_photo_is_read_in_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "BytesIO", Counted)
    in_pieces = [upload for upload in costly_photos() if "megapixels" not in upload.name]  # those cost by the pixel
    assert len(in_pieces) > 25
    for upload in in_pieces:
        Counted.reads = 0
        with suppress(PhotoRejected):
            square_webp(upload.data)
        assert Counted.reads < MOST_READS, upload.name


SEGMENT = red_jpeg().index(b"\xff\xdb")
SCAN = red_jpeg().index(b"\xff\xda")


def test_much_padding_before_a_segment_is_too_complex() -> None:
    jpeg = red_jpeg()
    for place, unit in product((SEGMENT, SCAN), (b"\xff", b"\xff\x00", b"\xff\xd0", b"\x01")):
        padding = unit * (MAX_PADDING // len(unit) + 1)
        assert reason_for(jpeg[:place] + padding + jpeg[place:]) is Reason.TOO_COMPLEX, (place, unit)


def test_much_padding_is_counted_over_all_segments_and_behind_the_scan() -> None:
    jpeg = red_jpeg()
    half = b"\xff" * (MAX_PADDING // 2 + 2)
    assert reason_for(jpeg[:SEGMENT] + half + jpeg[SEGMENT:SCAN] + half + jpeg[SCAN:]) is Reason.TOO_COMPLEX
    assert reason_for(jpeg[:SEGMENT] + half + jpeg[SEGMENT:-2] + half + jpeg[-2:]) is Reason.TOO_COMPLEX


def test_the_padding_that_a_camera_writes_is_accepted() -> None:
    jpeg = red_jpeg()
    few = b"\xff" * 4096
    for padded in (JPEG_START + few + jpeg[2:], jpeg[:SCAN] + few + jpeg[SCAN:], jpeg[:-2] + few + jpeg[-2:]):
        assert square_webp(padded)
    assert square_webp(jpeg + b"\xff" * 100_000)  # behind the end is not part of the image


ROOT = Path(__file__).parents[2]

PEAK_MEMORY = """
import re
from pathlib import Path
from app.photos.containers import PhotoRejected
from app.photos.decoding import square_webp
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
