"""The profile photo of the demo account: a half moon over hills at dusk, drawn. Pure."""

import io

from PIL import Image, ImageDraw

SIDE = 800  # px; what is shown has half as many, so edges come out smooth
DUSK = ((0.0, (29, 58, 92)), (0.55, (201, 116, 90)), (1.0, (246, 201, 139)))  # height, from the top: colour
MOON, FAR, NEAR, STAR = "#fdf1cf", "#244a4a", "#163230", "#ffffff"
FAR_HILLS = ((0, 590), (170, 470), (320, 560), (480, 460), (640, 570), (800, 480))
NEAR_HILLS = ((0, 670), (200, 570), (400, 650), (600, 540), (800, 640))
STARS = ((120, 120, 6), (640, 110, 7), (690, 270, 5), (190, 280, 5), (330, 80, 5))  # x, y, radius


def draw() -> bytes:
    """A PNG."""
    picture = _sky()
    pen = ImageDraw.Draw(picture)
    for x, y, radius in STARS:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), STAR)
    pen.pieslice((240, 100, 560, 420), 60, 240, MOON)  # lit from the left below, where the sun went down
    for hills, colour in ((FAR_HILLS, FAR), (NEAR_HILLS, NEAR)):
        pen.polygon([*hills, (SIDE, SIDE), (0, SIDE)], colour)
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _sky() -> Image.Image:
    """A column of one pixel's width, stretched."""
    column = Image.new("RGB", (1, SIDE))
    for y in range(SIDE):
        column.putpixel((0, y), _colour(y / SIDE))
    return column.resize((SIDE, SIDE))


def _colour(height: float) -> tuple[int, ...]:
    """Linear interpolation between the two nearest colours of DUSK."""
    upper = max(stop for stop in DUSK if stop[0] <= height)
    lower = min(stop for stop in DUSK if stop[0] > height)
    part = (height - upper[0]) / (lower[0] - upper[0])
    return tuple(round(a + (b - a) * part) for a, b in zip(upper[1], lower[1], strict=True))
