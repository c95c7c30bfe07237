"""Hostile uploads are refused with their reason, and photos just inside each limit are accepted."""

import struct

import pytest
from PIL import Image

from app.photos.containers import PhotoRejected, Reason
from app.photos.decoding import MAX_BYTES, square_webp
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
    scan,
)
from tests.photos.hostile_photos import hostile_photos
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
        for length in range(12, len(whole) - 24, 41):
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
