"""An accepted photo is stored as its upright centre: one square without EXIF or other metadata."""

import io
import struct
from collections.abc import Iterator

import pytest
from PIL import Image

from app.photos.decoding import square_webp
from tests.photos.accepted_photos import accepted_photos
from tests.photos.photo_files import BLUE, GREEN, PAYLOAD, RED, YELLOW, Photo, exif, name_of, oriented_photo
from tests.photos.photo_outcomes import near, pixel, square


def webp_chunks(webp: bytes) -> Iterator[bytes]:
    """Yield the names of all chunks, and check that they fill the file to its last byte."""
    assert webp[:4] + webp[8:12] == b"RIFFWEBP"
    assert struct.unpack_from("<I", webp, 4) == (len(webp) - 8,)
    position = 12
    while position < len(webp):
        (length,) = struct.unpack_from("<I", webp, position + 4)
        yield webp[position : position + 4]
        position += 8 + length + length % 2
    assert position == len(webp)


@pytest.mark.parametrize("upload", list(accepted_photos()), ids=name_of)
def test_an_accepted_photo_becomes_a_square_without_metadata(upload: Photo) -> None:
    webp = square_webp(upload.data)
    assert list(webp_chunks(webp)) == [b"VP8 "]  # no EXIF, ICCP, XMP or ANIM, and no byte after it
    assert PAYLOAD not in webp
    with Image.open(io.BytesIO(webp)) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (400, 400))
        assert not image.getexif()
        assert image.info.keys().isdisjoint({"exif", "icc_profile", "xmp"})


def test_the_uploaded_photo_contains_a_gps_position() -> None:
    """Otherwise its absence in the stored photo, which the test above asserts, would prove nothing."""
    assert Image.open(io.BytesIO(oriented_photo(1))).getexif().get_ifd(0x8825)[2] == (37.0, 33.0, 59.0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_of_every_orientation_is_turned_upright(orientation: int) -> None:
    image = Image.open(io.BytesIO(square_webp(oriented_photo(orientation))))
    corners = [pixel(image, x, y) for y in (20, 380) for x in (20, 380)]
    assert [near(*pair) for pair in zip(corners, (RED, GREEN, BLUE, YELLOW), strict=True)] == [True] * 4, corners


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_other_formats_with_exif_orientation_are_turned_upright(format_: str) -> None:
    """The image is stored rotated: with orientation 6, the left of the file is the top of the scene."""
    stored = Image.new("RGB", (400, 400), BLUE)
    stored.paste(RED, (0, 0, 200, 400))
    image = square(stored, format_, exif=exif(6))
    assert near(pixel(image, 200, 50), RED)
    assert near(pixel(image, 200, 350), BLUE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_invalid_exif_orientation_is_ignored(orientation: int) -> None:
    stored = Image.new("RGB", (400, 400), BLUE)
    stored.paste(RED, (0, 0, 400, 200))
    image = square(stored, "JPEG", exif=exif(orientation))
    assert near(pixel(image, 50, 50), RED)
    assert near(pixel(image, 350, 50), RED)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("portrait", [False, True], ids=["landscape", "portrait"])
def test_the_centre_of_the_photo_is_cropped(format_: str, portrait: bool) -> None:
    image = Image.new("RGB", (1500, 500), RED)
    image.paste(GREEN, (500, 0, 1000, 500))
    image.paste(BLUE, (1000, 0, 1500, 500))
    result = square(image.transpose(Image.Transpose.TRANSPOSE) if portrait else image, format_)
    assert [near(pixel(result, x, y), GREEN) for x in (4, 200, 395) for y in (4, 200, 395)] == [True] * 9


def test_a_small_photo_is_enlarged() -> None:
    assert near(pixel(square(Image.new("RGB", (32, 40), GREEN)), 200, 200), GREEN)


def test_the_centre_of_a_jpeg_strip_that_cannot_be_reduced_is_cropped() -> None:
    strip = Image.new("RGB", (8000, 90), RED)
    strip.paste(GREEN, (3900, 0, 4100, 90))
    assert near(pixel(square(strip, "JPEG"), 200, 200), GREEN)


@pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP"])
def test_the_first_frame_of_an_animation_is_stored(format_: str) -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 64), BLUE)], "duration": 100}
    assert near(pixel(square(Image.new("RGB", (64, 64), RED), format_, **frames), 200, 200), RED)


def test_the_same_photo_always_gives_the_same_square() -> None:
    assert square_webp(oriented_photo(6)) == square_webp(oriented_photo(6))
