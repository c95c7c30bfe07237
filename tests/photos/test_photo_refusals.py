"""Uploads that are refused, each with its reason, and what is still taken just inside every limit."""

import struct

import pytest
from PIL import Image, ImageFile

from app.photos.decoding import MAX_BYTES
from app.photos.processing import square_webp
from app.photos.rejection import PhotoRejected, Reason
from tests.photos.forged_files import flat_png, png_chunk, repeated_scan
from tests.photos.hostile_photos import hostile_photos
from tests.photos.photo_files import RED, HostilePhoto, name_of, saved
from tests.photos.photo_outcomes import reason_for

HOSTILE = list(hostile_photos())


def test_hostile_photos_are_many_and_distinct() -> None:
    assert len(HOSTILE) >= 100
    assert len({upload.name for upload in HOSTILE}) == len({upload.data for upload in HOSTILE}) == len(HOSTILE)
    assert {upload.reason for upload in HOSTILE} == set(Reason) - {Reason.CROP}  # no matter of the file


@pytest.mark.parametrize("upload", HOSTILE, ids=name_of)
def test_it_refuses(upload: HostilePhoto) -> None:
    assert reason_for(upload.data) is upload.reason


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
def test_it_refuses_a_file_cut_anywhere_before_its_last_pixels(format_: str) -> None:
    whole = saved(Image.effect_noise((64, 64), 40), format_)
    for length in range(12, len(whole) - 24, 7):
        assert reason_for(whole[:length]) is Reason.DAMAGED, length


def test_it_never_completes_truncated_files() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("format_", ["TIFF", "BMP", "ICO", "PPM", "TGA", "SGI", "AVIF", "JPEG2000"])
def test_it_refuses_good_images_of_other_formats(format_: str) -> None:
    assert reason_for(saved(Image.new("RGB", (64, 64)), format_)) is Reason.NOT_AN_IMAGE


def test_it_refuses_one_byte_above_the_limit_and_takes_the_limit() -> None:
    good = saved(Image.new("RGB", (64, 64)), "PNG")
    assert square_webp(good.ljust(MAX_BYTES, b"\0"))
    assert reason_for(good.ljust(MAX_BYTES + 1, b"\0")) is Reason.TOO_LARGE


@pytest.mark.parametrize(("width", "height"), [(31, 32), (32, 31), (3536, 3536), (12_500_001, 32)])
def test_it_refuses_dimensions_just_outside_the_limits(width: int, height: int) -> None:
    assert reason_for(flat_png(width, height)) is Reason.DIMENSIONS


@pytest.mark.parametrize(("width", "height"), [(32, 32), (32, 10_000), (3535, 3535)])
def test_it_takes_dimensions_just_inside_the_limits(width: int, height: int) -> None:
    assert square_webp(flat_png(width, height))


def test_it_counts_scans_not_bytes_that_look_like_scans() -> None:
    thumbnails = b"\xff\xe1" + struct.pack(">H", 2 + 4000) + b"\xff\xda" * 2000
    jpeg = saved(Image.new("RGB", (64, 64), RED), "JPEG")
    assert square_webp(jpeg[:2] + thumbnails + jpeg[2:])
    assert square_webp(jpeg + repeated_scan(40))  # behind the end, which no decoder reads


def test_it_takes_32_scans_and_1000_chunks() -> None:
    text = png_chunk(b"tEXt", b"k\0v")
    assert square_webp(repeated_scan(32))
    assert square_webp(flat_png(64, 64, extra=text * 997))


def test_a_cause_is_kept_for_the_log() -> None:
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(saved(Image.effect_noise((64, 64), 40), "PNG")[:500])
    assert refusal.value.__cause__ is not None
