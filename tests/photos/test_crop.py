"""The crop that the user chose: the stored square equals Pillow's crop of the upright image."""

import io
from functools import cache
from itertools import product

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from app.photos.decoding import Crop, Reason, square_webp
from tests.photos.photo_files import BLUE, GREEN, RED, YELLOW, exif, reason_for, saved

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
    small, large = (Crop(0, 0, 300), Crop(180, 70, 290), Crop(31, 201, 33)), (Crop(97, 53, 1700), Crop(97, 53, 300))
    files = [*product(["JPEG"], range(1, 9), [WIDE]), ("PNG", 6, WIDE), ("WEBP", 6, WIDE)]
    for file in [*files, ("JPEG", 1, LARGE), ("JPEG", 7, LARGE)]:
        data = file_of(*file)
        whole = upright(data)
        for crop in small if file[2] == WIDE else large:
            assert difference(data, whole, crop) < 4, (file, crop)


def test_a_shifted_crop_differs_by_more_than_the_limit() -> None:
    """Otherwise the limit in the tests above would prove nothing."""
    data = file_of("PNG")
    stored = Image.open(io.BytesIO(square_webp(data, Crop(10, 0, 300))))
    beside = Image.open(io.BytesIO(square_webp(data, Crop(0, 0, 300))))
    assert max(ImageStat.Stat(ImageChops.difference(stored, beside)).mean) > 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_default_crop_is_the_centre(orientation: int) -> None:
    data = file_of("JPEG", orientation)
    middle = Crop(0, 80, 480) if orientation > 4 else Crop(80, 0, 480)
    assert square_webp(data) == square_webp(data, middle)


def test_a_small_crop_of_the_largest_jpeg_is_accepted() -> None:
    data = saved(Image.new("RGB", (5000, 5000), GREEN), "JPEG")
    stored = Image.open(io.BytesIO(square_webp(data, Crop(4900, 4900, 100))))
    assert stored.size == (400, 400)


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
