"""The crop that the user chose: the stored square equals Pillow's crop of the upright image."""

import io
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from app.photos.decoding import Crop, PhotoRejected, Reason, square_webp
from tests.photos.photo_files import BLUE, GREEN, RED, YELLOW, exif, saved

ORIENTATIONS = range(1, 9)
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


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_the_crop_is_the_square_of_the_upright_image(orientation: int, format_: str) -> None:
    data = file_of(format_, orientation)
    for crop in (Crop(0, 0, 300), Crop(180, 70, 290), Crop(31, 201, 33)):
        assert difference(data, upright(data), crop) < 4, crop


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_crop_of_a_large_jpeg_is_correct_when_it_is_reduced_in_decoding(orientation: int) -> None:
    data = file_of("JPEG", orientation, LARGE)
    whole = upright(data)
    for crop in (Crop(97, 53, 1700), Crop(97, 53, 300)):
        assert difference(data, whole, crop) < 4, crop


def test_a_shifted_crop_differs_by_more_than_the_limit() -> None:
    """Otherwise the limit in the tests above would prove nothing."""
    data = file_of("PNG")
    stored = Image.open(io.BytesIO(square_webp(data, Crop(10, 0, 300))))
    beside = Image.open(io.BytesIO(square_webp(data, Crop(0, 0, 300))))
    assert max(ImageStat.Stat(ImageChops.difference(stored, beside)).mean) > 4


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_default_crop_is_the_centre(orientation: int) -> None:
    data = file_of("JPEG", orientation)
    middle = Crop(0, 80, 480) if orientation > 4 else Crop(80, 0, 480)
    assert square_webp(data) == square_webp(data, middle)


def test_a_small_crop_of_the_largest_jpeg_is_accepted() -> None:
    data = saved(Image.new("RGB", (5000, 5000), GREEN), "JPEG")
    stored = Image.open(io.BytesIO(square_webp(data, Crop(4900, 4900, 100))))
    assert stored.size == (400, 400)


OUTSIDE: dict[str, Callable[[int, int], Crop]] = {
    "beyond the right edge": lambda width, height: Crop(width - 99, 0, 100),
    "beyond the lower edge": lambda width, height: Crop(0, height - 99, 100),
    "left of it": lambda width, height: Crop(-1, 0, 100),
    "above it": lambda width, height: Crop(0, -1, 100),
    "wider than it": lambda width, height: Crop(0, 0, min(width, height) + 1),
    "as large as its longer side": lambda width, height: Crop(0, 0, max(width, height)),
    "beside it": lambda width, height: Crop(width, 0, 100),
    "below it": lambda width, height: Crop(0, height, 100),
    "far away": lambda width, height: Crop(10**20, 10**20, 10**20),
    "too small": lambda width, height: Crop(0, 0, 31),
    "nothing": lambda width, height: Crop(0, 0, 0),
    "less than nothing": lambda width, height: Crop(100, 100, -64),
}


@pytest.mark.parametrize("where", OUTSIDE)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_a_crop_outside_the_image_or_too_small_is_refused(where: str, orientation: int, format_: str) -> None:
    data = file_of(format_, orientation)
    crop = OUTSIDE[where](*(WIDE if orientation < 5 else WIDE[::-1]))
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(data, crop)
    assert refusal.value.reason is Reason.CROP


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_crop_that_touches_the_edges_is_accepted(orientation: int) -> None:
    data = file_of("JPEG", orientation)
    width, height = WIDE if orientation < 5 else WIDE[::-1]
    for crop in (Crop(width - 32, 0, 32), Crop(0, height - 32, 32), Crop(width - 480, height - 480, 480)):
        assert square_webp(data, crop)
