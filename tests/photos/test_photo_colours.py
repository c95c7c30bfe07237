"""The colours of a photo survive: kept in every mode, averaged in reducing, on white where they are clear."""

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
def test_it_keeps_the_colours_of_a_jpeg(image: Image.Image, expected: tuple[int, ...]) -> None:
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
def test_it_keeps_the_colours_of_a_png_and_shows_white_behind_it(
    image: Image.Image, options: dict[str, object], expected: tuple[int, ...]
) -> None:
    assert near(pixel(square(image, "PNG", **options), 200, 200), expected)


def test_it_keeps_the_transparency_of_a_gif_with_comments_before_it() -> None:
    image = Image.new("RGB", (64, 64), RED).quantize(4)
    assert near(pixel(square(image, "GIF", comment=b"hello" * 100, transparency=0), 200, 200), WHITE)


@pytest.mark.parametrize("mode", ["I;16", "1", "P", "LA", "RGBA", "RGB"])
def test_it_reduces_every_mode_by_averaging(mode: str) -> None:
    """Stripes finer than a pixel of the result become their mean, not one of them or a palette index between."""
    dark, light = (0x0000, 0xFFFF) if mode == "I;16" else (0, 255)
    image = Image.new("I;16" if mode == "I;16" else "L", (2000, 2000), dark)
    for x in range(0, 2000, 2):
        image.paste(light, (x, 0, x + 1, 2000))
    if mode != "I;16":
        image = image.convert(mode)
    assert near(pixel(square(image), 200, 200), (128, 128, 128))


def test_it_does_not_let_hidden_colours_bleed_out_of_transparent_parts() -> None:
    """A clear pixel may hold any colour; averaged with its neighbours as it stands, it would give them a fringe."""
    image = Image.new("RGBA", (1600, 1600), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 800, 1600))
    red, green, blue = pixel(square(image), 200, 200)
    assert red > 240
    assert abs(green - blue) < 12
