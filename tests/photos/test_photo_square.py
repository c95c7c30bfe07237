"""An accepted photo is stored as an upright square, the centre or the crop, in its colours, without metadata."""

import io
import struct
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from app.photos.containers import Reason
from app.photos.decoding import EDGE, Crop, square_webp
from tests.photos.forged_files import animations, largest_photos, resized_jpeg, unusual_photos
from tests.photos.photo_files import (
    BLUE,
    GREEN,
    PAYLOAD,
    RED,
    YELLOW,
    Photo,
    exif,
    near,
    pixel,
    reason_for,
    red_jpeg,
    saved,
    square,
)


@pytest.mark.parametrize("kind", [pytest.param(largest_photos, marks=pytest.mark.minutes), unusual_photos, animations])
def test_an_accepted_photo_becomes_a_square_without_metadata(kind: Callable[[], Iterator[Photo]]) -> None:
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


WIDE = (640, 480)  # px as stored; the upright image is 480 x 640 in orientations 5 to 8
LARGE = (2401, 1803)  # a JPEG of it is decoded at a half where its square is large


@cache
def picture(size: tuple[int, int]) -> Image.Image:
    """Return an image (size in px) whose parts all differ, in every orientation."""
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    drawing = ImageDraw.Draw(image)
    width, height = size
    drawing.rectangle((0, 0, width * 0.4, height * 0.3), fill=RED)
    drawing.ellipse((width * 0.6, height * 0.1, width * 0.9, height * 0.5), fill=GREEN)
    drawing.rectangle((width * 0.1, height * 0.5, width * 0.3, height * 0.95), fill=BLUE)
    drawing.line((width * 0.4, height * 0.9, width, height * 0.6), fill=YELLOW, width=width // 20)
    return image


@cache
def file_of(format_: str, orientation: int = 1, size: tuple[int, int] = WIDE) -> bytes:
    return saved(picture(size), format_, exif=exif(orientation))


def upright(data: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def difference(data: bytes, upright: Image.Image, crop: Crop) -> float:
    """Return how much the stored square differs from Pillow's crop: the largest mean of a channel, 0 to 255."""
    square = upright.crop((crop.x, crop.y, crop.x + crop.size, crop.y + crop.size))
    expected = square.resize((400, 400), Image.Resampling.LANCZOS)
    stored = Image.open(io.BytesIO(square_webp(data, crop)))
    return max(ImageStat.Stat(ImageChops.difference(stored, expected)).mean)


def test_the_crop_is_the_square_of_the_upright_image_also_when_that_is_reduced_in_decoding() -> None:
    for file in [*product(["JPEG"], range(1, 9), [WIDE]), ("PNG", 6, WIDE), ("WEBP", 6, WIDE), ("JPEG", 7, LARGE)]:
        data = file_of(*file)
        whole = upright(data)
        for crop in (Crop(180, 70, 290), Crop(31, 201, 33)) if file[2] == WIDE else (Crop(97, 53, 1700),):
            assert difference(data, whole, crop) < 4, (file, crop)


def test_a_small_crop_of_a_large_jpeg_keeps_lines_of_one_pixel() -> None:
    side = 4 * EDGE  # of which all would be decoded at a half
    data = saved(Image.frombytes("L", (side, side), b"\x00\xff" * (side * side // 2)), "JPEG")
    assert difference(data, upright(data), Crop(900, 700, EDGE)) < 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_default_crop_is_the_centre(orientation: int) -> None:
    data = file_of("JPEG", orientation)
    middle = Crop(0, 80, 480) if orientation > 4 else Crop(80, 0, 480)
    assert square_webp(data) == square_webp(data, middle)


def test_a_small_crop_of_the_largest_jpeg_is_accepted() -> None:
    assert square_webp(resized_jpeg(red_jpeg(), 5000, 5000), Crop(4900, 4900, 100))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_crop_outside_of_the_image_or_too_small_is_refused(orientation: int) -> None:
    data = file_of("PNG", orientation)
    width, height = WIDE if orientation < 5 else WIDE[::-1]
    edges = [Crop(width - 99, 0, 100), Crop(0, height - 99, 100), Crop(-1, 0, 100), Crop(0, -1, 100)]
    sizes = [Crop(0, 0, min(width, height) + 1), Crop(0, 0, 10**20), Crop(0, 0, 31), Crop(100, 100, -64)]
    for crop in (*edges, *sizes, Crop(10**20, 10**20, 100)):
        assert reason_for(data, crop) is Reason.CROP, crop
    for crop in (Crop(width - 32, 0, 32), Crop(0, height - 32, 32), Crop(width - 480, height - 480, 480)):
        assert square_webp(data, crop)  # it touches the edges
