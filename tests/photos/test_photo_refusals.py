"""Hostile uploads are refused with their reason, photos just inside each limit are accepted, and none costs much.

No file keeps the decoder busy for long or takes much memory (`tools.bench.photos` tells the times), and the processes
of a dyno decode one photo at a time.
"""

import io
import math
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from app.photos import decoding
from app.photos.containers import MAX_PADDING, PhotoRejected, Reason, cheap_to_decode
from app.photos.decoding import MAX_BYTES, decoder, square_webp
from app.rejection import Busy
from tests.child import child
from tests.photos.forged_files import (
    ALL,
    ARITHMETIC,
    FRAMES,
    PROGRESSIVE,
    flat_png,
    hidden,
    jpeg_of,
    png_chunk,
    repeated_scan,
    resized_jpeg,
    scan,
    unusual_photos,
)
from tests.photos.hostile_photos import JPEG_START, costly_photos, hostile_photos
from tests.photos.photo_files import RED, flat, reason_for, red_jpeg, saved


def test_a_hostile_photo_is_refused_with_its_reason() -> None:
    reasons = set()
    for upload in hostile_photos():
        assert reason_for(upload.data) is upload.reason, upload.name
        reasons.add(upload.reason)
    assert reasons == set(Reason) - {Reason.CROP}  # which does not depend on the file


def test_a_truncated_file_is_refused_as_damaged_with_its_cause_for_the_log() -> None:
    for format_ in ("JPEG", "PNG", "GIF", "WEBP"):
        whole = saved(Image.effect_noise((64, 64), 40), format_)
        for length in range(12, len(whole) - 24, 97):
            with pytest.raises(PhotoRejected) as refusal:
                square_webp(whole[:length])
            assert (refusal.value.reason, bool(refusal.value.__cause__)) == (Reason.DAMAGED, True), (format_, length)


def test_a_file_at_the_size_limit_is_accepted_and_one_byte_more_is_refused() -> None:
    good = saved(Image.new("RGB", (64, 64)), "PNG")
    assert square_webp(good.ljust(MAX_BYTES, b"\0"))
    assert reason_for(good.ljust(MAX_BYTES + 1, b"\0")) is Reason.TOO_LARGE


def test_dimensions_just_outside_the_limits_are_refused_and_just_inside_accepted() -> None:
    for size in ((31, 32), (32, 31), (3536, 3536)):
        assert reason_for(flat_png(*size)) is Reason.DIMENSIONS, size
    assert square_webp(flat_png(32, 32))
    assert square_webp(flat_png(3535, 3535))


def test_a_second_frame_header_is_refused_before_anything_is_decoded() -> None:
    """Every decoder refuses it too, but Pillow has allocated the channels of each by then."""
    jpeg = red_jpeg()
    frame = jpeg.index(b"\xff\xc0")
    other = resized_jpeg(jpeg, 6000, 4000)[frame : frame + 19]
    for headers in (b"", jpeg[frame : frame + 19] + other):
        with pytest.raises(ValueError, match="one frame header"):
            cheap_to_decode(jpeg[:frame] + headers + jpeg[frame + 19 :], "JPEG")


def test_a_png_of_a_colour_type_that_there_is_not_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(ValueError, match="no colour type 5"):
        cheap_to_decode(flat_png(64, 64, colour=5), "PNG")


def test_bytes_that_look_like_scan_markers_are_not_counted_as_scans() -> None:
    thumbnails = b"\xff\xe1" + struct.pack(">H", 2 + 4000) + b"\xff\xda" * 2000
    jpeg = saved(Image.new("RGB", (64, 64), RED), "JPEG")
    assert square_webp(jpeg[:2] + thumbnails + jpeg[2:])
    assert square_webp(jpeg + repeated_scan(40))  # decoders do not read past the end marker


def test_24_passes_and_1000_chunks_are_accepted() -> None:
    text = png_chunk(b"tEXt", b"k\0v")
    assert square_webp(repeated_scan(20))
    assert square_webp(flat("JPEG", "CMYK", progressive=True, subsampling=0))  # 24 passes, as libjpeg writes them
    assert square_webp(flat_png(64, 64, extra=text * 997))


def test_only_a_jpeg_that_is_baseline_extended_or_progressive_in_huffman_coding_is_accepted() -> None:
    """Else every decoder of libjpeg is another one to keep busy. Cameras and browsers write none of the others."""
    dc, ac = scan(ALL, (0, 0), 0, bytes(64)), scan((1,), (1, 63), 0, bytes(64))
    for frame in FRAMES:
        photo = jpeg_of(frame, [dc, ac] if frame == PROGRESSIVE else [scan(ALL, (0, 63), 0, bytes(64))], side=64)
        if frame in (0xC0, 0xC1, 0xC2):
            assert square_webp(photo), hex(frame)
        else:
            assert reason_for(photo) is Reason.TOO_COMPLEX, hex(frame)


def test_scans_behind_a_marker_without_a_length_are_counted() -> None:
    """Such a marker stands alone. What follows looks like a length, but libjpeg goes on reading right behind it."""
    dc, more = scan(ALL, (0, 0), 1, bytes(64)), scan((1,), (1, 63), 0x10, b"")
    frame = jpeg_of(ARITHMETIC, [], side=64)[2:-2]
    for code in (0x01, 0xBF):
        assert reason_for(jpeg_of(PROGRESSIVE, [dc, hidden(more * 30, code)], side=64)) is Reason.TOO_COMPLEX
        assert reason_for(b"\xff\xd8" + hidden(frame, code) + red_jpeg()[2:]) in (Reason.TOO_COMPLEX, Reason.DAMAGED)


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
    assert len(in_pieces) > 20
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
from contextlib import suppress
from pathlib import Path
from app.photos.containers import PhotoRejected
from app.photos.decoding import square_webp
from tests.photos.forged_files import largest_photos
from tests.photos.hostile_photos import hostile_photos

for upload in hostile_photos():
    with suppress(PhotoRejected):
        square_webp(upload.data)
for upload in largest_photos():
    square_webp(upload.data)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.servers
@pytest.mark.minutes
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_peak_memory_stays_below_300_megabytes_for_every_photo() -> None:
    """In a process of its own, with the whole application imported."""
    command = [sys.executable, "-W", "error", "-c", PEAK_MEMORY]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 300


def test_the_decoder_is_waited_for_no_longer_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, seconds in ((0.01, math.inf), (math.inf, 0.01), (math.inf, -5.0)):
        monkeypatch.setattr(decoding, "BUSY_SECONDS", most)
        started = time.monotonic()
        with decoder(0), pytest.raises(Busy):
            square_webp(flat_png(64, 64), seconds=seconds)
        assert time.monotonic() - started < 2
        assert square_webp(flat_png(64, 64), seconds=seconds)  # a free one needs no waiting


def test_a_busy_decoder_does_not_delay_refusals_that_need_no_decoding() -> None:
    with decoder(0):
        assert reason_for(b"") is Reason.EMPTY
        assert reason_for(b"text") is Reason.NOT_AN_IMAGE
        assert reason_for(bytes(MAX_BYTES + 1)) is Reason.TOO_LARGE


def test_the_decoder_is_released_after_success_and_after_refusal() -> None:
    for data in (flat_png(64, 64), flat_png(1, 1), flat_png(64, 64)[:60]):
        with suppress(PhotoRejected):
            square_webp(data)
        with decoder(0):
            pass


def test_another_process_has_the_decoder_until_it_dies() -> None:
    with holding_process() as holder:
        with pytest.raises(Busy):
            square_webp(flat_png(64, 64), seconds=0)
        holder.kill()
        holder.wait()
        assert square_webp(flat_png(64, 64), seconds=0)


@contextmanager
def holding_process() -> Iterator[subprocess.Popen[str]]:
    hold = (
        "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(100)"
    )
    with child([sys.executable, "-c", hold, str(decoding.LOCK_FILE)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


@pytest.mark.parametrize("action", ["error", "ignore"])
def test_warning_filters_do_not_change_the_result_and_no_warning_escapes(action: str) -> None:
    warned_of = [upload for upload in hostile_photos() if "Pillow warns" in upload.name]
    unreadable = [upload for upload in unusual_photos() if "unreadable" in upload.name]
    with warnings.catch_warnings(record=True) as escaped:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters)
        assert [reason_for(upload.data) for upload in warned_of] == [Reason.DIMENSIONS] * 2
        assert all(square_webp(upload.data) for upload in unreadable)
        assert warnings.filters == before
    assert escaped == []
    assert len(unreadable) == 2
