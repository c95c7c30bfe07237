"""No file keeps the decoder busy for long: Pillow's reads are counted. `tools.bench.photos` tells the times."""

import io
from contextlib import suppress

import pytest

from app.photos.containers import MAX_PADDING
from app.photos.decoding import PhotoRejected, Reason, square_webp
from tests.photos.costly_photos import JPEG_START, costly_photos
from tests.photos.photo_files import reason_for, red_jpeg

# Python's calls to read. A padding byte takes one; a section a handful.
MOST_READS = 2 * MAX_PADDING


class Counted(io.BytesIO):
    """A file that counts how often it is read from."""

    reads = 0

    def read(self, *arguments: int) -> bytes:  # type: ignore[override]
        Counted.reads += 1
        return super().read(*arguments)


def test_every_costly_photo_is_read_in_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "BytesIO", Counted)
    count = 0
    for upload in costly_photos():
        if "megapixels" in upload.name:  # costs by the pixel, which tools.bench.photos times
            continue
        Counted.reads = 0
        with suppress(PhotoRejected):
            square_webp(upload.data)
        assert Counted.reads < MOST_READS, upload.name
        count += 1
    assert count > 25


SEGMENT = red_jpeg().index(b"\xff\xdb")
SCAN = red_jpeg().index(b"\xff\xda")


@pytest.mark.parametrize("place", [SEGMENT, SCAN], ids=["tables", "scan"])
@pytest.mark.parametrize("unit", [b"\xff", b"\xff\x00", b"\x01"], ids=["FF", "FF 00", "rubbish"])
def test_much_padding_before_a_segment_is_too_complex(place: int, unit: bytes) -> None:
    jpeg = red_jpeg()
    padding = unit * (MAX_PADDING // len(unit) + 1)
    assert reason_for(jpeg[:place] + padding + jpeg[place:]) is Reason.TOO_COMPLEX


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
