"""An accepted photo is stored as its upright centre: one square in its colours, on white, without metadata."""

import io
import struct
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from app.photos.decoding import square_webp
from tests.photos.accepted_photos import animations, largest_photos, unusual_modes, with_metadata
from tests.photos.photo_files import (
    BLUE,
    GREEN,
    PAYLOAD,
    RED,
    YELLOW,
    Photo,
    exif,
    name_of,
    near,
    oriented_photo,
    pixel,
    square,
)


@pytest.mark.parametrize("upload", list(largest_photos()), ids=name_of)
def test_a_photo_of_the_largest_becomes_a_square_without_metadata(upload: Photo) -> None:
    check_square(square_webp(upload.data))


@pytest.mark.parametrize("kind", [unusual_modes, with_metadata, animations])
def test_an_unusual_photo_becomes_a_square_without_metadata(kind: Callable[[], Iterator[Photo]]) -> None:
    for upload in kind():
        check_square(square_webp(upload.data))


def check_square(webp: bytes) -> None:
    # One chunk to the end of the file: no EXIF, ICCP, XMP or ANIM, and no byte after it.
    assert (webp[:4], webp[8:16], struct.unpack_from("<I", webp, 4)) == (b"RIFF", b"WEBPVP8 ", (len(webp) - 8,))
    (length,) = struct.unpack_from("<I", webp, 16)
    assert len(webp) == 20 + length + length % 2
    assert PAYLOAD not in webp
    with Image.open(io.BytesIO(webp)) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (400, 400))


def test_a_jpeg_of_every_orientation_is_turned_upright() -> None:
    for orientation in range(1, 9):
        image = Image.open(io.BytesIO(square_webp(oriented_photo(orientation))))
        corners = [pixel(image, x, y) for y in (20, 380) for x in (20, 380)]
        assert all(map(near, corners, (RED, GREEN, BLUE, YELLOW))), (orientation, corners)


def test_an_invalid_exif_orientation_is_ignored() -> None:
    stored = Image.new("RGB", (400, 400), BLUE)
    stored.paste(RED, (0, 0, 400, 200))
    for orientation in (0, 9):
        image = square(stored, "JPEG", exif=exif(orientation))
        assert [near(pixel(image, x, 50), RED) for x in (50, 350)] == [True, True], orientation


def test_the_centre_of_a_jpeg_strip_that_cannot_be_reduced_is_cropped() -> None:
    strip = Image.new("RGB", (8000, 90), RED)
    strip.paste(GREEN, (3900, 0, 4100, 90))
    assert near(pixel(square(strip, "JPEG"), 200, 200), GREEN)


def test_the_first_frame_of_an_animation_is_stored() -> None:
    for photo in animations():
        assert near(pixel(Image.open(io.BytesIO(square_webp(photo.data))), 200, 200), RED), photo.name


WHITE = (255, 255, 255)


def test_jpeg_colours_are_kept() -> None:
    assert near(pixel(square(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"), 200, 200), (255, 0, 0))
    assert near(pixel(square(Image.new("L", (64, 64), 77), "JPEG"), 200, 200), (77, 77, 77))


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (Image.new("I;16", (64, 64), 0x8000), {}, (128, 128, 128)),
        (Image.new("I;16", (64, 64), 0xFFFF), {}, WHITE),
        (Image.new("I;16", (64, 64), 0x8000), {"transparency": 0x8000}, (128, 128, 128)),
        (Image.new("1", (64, 64), 1), {}, WHITE),
        (Image.new("LA", (64, 64), (0, 128)), {}, (127, 127, 127)),
        (Image.new("RGBA", (64, 64), (255, 0, 0, 128)), {}, (255, 127, 127)),
        (Image.new("RGBA", (64, 64), (0, 0, 0, 0)), {}, WHITE),
        (Image.new("RGB", (64, 64), RED), {"transparency": RED}, WHITE),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {}, GREEN),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {"transparency": 0}, WHITE),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {"transparency": b"\x80" * 4}, (137, 217, 137)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_png_colours_are_kept_and_transparency_becomes_white(
    image: Image.Image, options: dict[str, object], expected: tuple[int, ...]
) -> None:
    assert near(pixel(square(image, "PNG", **options), 200, 200), expected)


def test_gif_transparency_after_a_comment_becomes_white() -> None:
    image = Image.new("RGB", (64, 64), RED).quantize(4)
    assert near(pixel(square(image, "GIF", comment=b"hello" * 100, transparency=0), 200, 200), WHITE)


@pytest.mark.parametrize("mode", ["I;16", "1", "P", "LA", "RGBA", "RGB"])
def test_every_mode_is_reduced_by_averaging(mode: str) -> None:
    """Stripes thinner than a result pixel become their mean colour, not one stripe or a mean palette index."""
    dark, light = (0x0000, 0xFFFF) if mode == "I;16" else (0, 255)
    image = Image.new("I;16" if mode == "I;16" else "L", (2000, 2000), dark)
    for x in range(0, 2000, 2):
        image.paste(light, (x, 0, x + 1, 2000))
    if mode != "I;16":
        image = image.convert(mode)
    assert near(pixel(square(image), 200, 200), (128, 128, 128))


def test_colours_of_transparent_pixels_do_not_bleed() -> None:
    """A transparent pixel may hold any colour. Averaging that colour in would give its neighbours a fringe."""
    image = Image.new("RGBA", (1600, 1600), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 800, 1600))
    red, green, blue = pixel(square(image), 200, 200)
    assert red > 240
    assert abs(green - blue) < 12
