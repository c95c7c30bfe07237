"""Photos of every mode keep their colours, are averaged when reduced, and get a white background."""

import pytest
from PIL import Image

from tests.photos.photo_files import BLUE, GREEN, RED
from tests.photos.photo_outcomes import near, pixel, square

WHITE = (255, 255, 255)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("CMYK", (64, 64), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("L", (64, 64), 77), (77, 77, 77)),
    ],
    ids=["CMYK", "grey"],
)
def test_jpeg_colours_are_kept(image: Image.Image, expected: tuple[int, ...]) -> None:
    assert near(pixel(square(image, "JPEG"), 200, 200), expected)


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (Image.new("I;16", (64, 64), 0x8000), {}, (128, 128, 128)),
        (Image.new("I;16", (64, 64), 0x1234), {}, (18, 18, 18)),
        (Image.new("I;16", (64, 64), 0xFFFF), {}, WHITE),
        (Image.new("I;16", (64, 64), 0x8000), {"transparency": 0x8000}, (128, 128, 128)),
        (Image.new("1", (64, 64), 1), {}, WHITE),
        (Image.new("1", (64, 64), 0), {}, (0, 0, 0)),
        (Image.new("LA", (64, 64), (0, 128)), {}, (127, 127, 127)),
        (Image.new("LA", (64, 64), (0, 0)), {}, WHITE),
        (Image.new("RGBA", (64, 64), (255, 0, 0, 255)), {}, (255, 0, 0)),
        (Image.new("RGBA", (64, 64), (255, 0, 0, 128)), {}, (255, 127, 127)),
        (Image.new("RGBA", (64, 64), (0, 0, 0, 0)), {}, WHITE),
        (Image.new("RGB", (64, 64), RED), {"transparency": RED}, WHITE),
        (Image.new("RGB", (64, 64), RED), {"transparency": BLUE}, RED),
        (Image.new("L", (64, 64), 50), {"transparency": 50}, WHITE),
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
