"""Photos as a browser uploads them, and what becomes of them: a reason to refuse them, or a square.

They are generated, so the repository holds no binary files.
"""

import io
from typing import NamedTuple

import pytest
from PIL import Image

from app.photos.containers import PhotoRejected, Reason
from app.photos.decoding import Crop, square_webp

RED, GREEN, BLUE, YELLOW = (220, 20, 20), (20, 180, 20), (20, 20, 220), (230, 220, 20)
GPS = {1: "N", 2: (37.0, 33.0, 59.0), 3: "E", 4: (126.0, 58.0, 41.0)}  # Seoul; must not remain in any stored photo
PAYLOAD = b"<script>alert(document.cookie)</script>"
ARCHIVE = b"PK\x03\x04" + PAYLOAD


class Photo(NamedTuple):
    name: str
    data: bytes


class HostilePhoto(NamedTuple):
    """Say of a file why it must be refused."""

    name: str
    data: bytes
    reason: Reason


def oriented_photo(orientation: int) -> bytes:
    """Return a JPEG of 640 x 480 px as a camera stores it, with a GPS position."""
    return saved(Image.linear_gradient("L").resize((640, 480)).convert("RGB"), "JPEG", exif=exif(orientation))


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "Maker"
    tags.get_ifd(0x8825).update(GPS)
    return tags.tobytes()


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def flat(format_: str, mode: str = "RGB", size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    return saved(Image.new(mode, size), format_, **options)


def red_jpeg(**options: object) -> bytes:
    return saved(Image.new("RGB", (64, 64), RED), "JPEG", **options)


def textured(format_: str, **options: object) -> bytes:
    """Return a file with enough pixel data that it can be truncated or corrupted in the middle of it."""
    return saved(Image.effect_noise((200, 200), 40), format_, **options)


def frames(format_: str) -> bytes:
    second = Image.new("RGB", (64, 64), BLUE)
    return saved(Image.new("RGB", (64, 64), RED), format_, save_all=True, append_images=[second], duration=100)


def reason_for(data: bytes, crop: Crop | None = None) -> Reason:
    """Return the reason for the refusal. The test fails if the photo is accepted."""
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(data, crop)
    return refusal.value.reason


def square(image: Image.Image, format_: str = "PNG", **options: object) -> Image.Image:
    return Image.open(io.BytesIO(square_webp(saved(image, format_, **options))))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = image.getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], expected: tuple[int, ...], off: int = 12) -> bool:
    """Tell if two colours are nearly equal. Lossy WebP and JPEG change a flat colour by a few steps."""
    return len(colour) == len(expected) and all(abs(a - b) <= off for a, b in zip(colour, expected, strict=True))
