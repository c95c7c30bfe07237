"""The result of an upload: the reason for its refusal, or the stored square and its pixels."""

import io

import pytest
from PIL import Image

from app.photos.decoding import PhotoRejected, Reason, square_webp
from tests.photos.photo_files import saved


def reason_for(data: bytes) -> Reason:
    """Return the reason for the refusal. The test fails if the photo is accepted."""
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(data)
    return refusal.value.reason


def square(image: Image.Image, format_: str = "PNG", **options: object) -> Image.Image:
    """Return the square that is stored for this image."""
    return Image.open(io.BytesIO(square_webp(saved(image, format_, **options))))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = image.getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Return whether two colours are nearly equal. Lossy WebP and JPEG change a flat colour by a few steps."""
    return len(colour) == len(expected) and all(abs(a - b) <= 12 for a, b in zip(colour, expected, strict=True))
