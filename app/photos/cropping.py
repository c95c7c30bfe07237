"""Crop a square: where it lies in the file, and which way the picture is turned. Pure.

Readers place the square on the upright picture. A camera stores the picture as it was held, and notes the turn in EXIF.
"""

from dataclasses import dataclass

from PIL import ExifTags, Image

MIN_SIZE = 32  # px; a face in fewer cannot be recognized

Box = tuple[float, float, float, float]  # left, top, right, bottom

# EXIF orientation: what turns the picture upright (CIPA DC-008, tag 274). 1 is upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The same orientations by what they do to the upright picture.
ROTATED = {5, 6, 7, 8}  # rows became columns
MIRRORED_ACROSS = {2, 3, 7, 8}  # left became right
MIRRORED_DOWN = {3, 4, 6, 7}  # top became bottom


class OutsideOfPicture(Exception):
    """The square is too small, or does not lie within the picture."""


@dataclass(frozen=True)
class Crop:
    """A square in px of the upright picture, from its upper left corner."""

    x: int
    y: int
    size: int


def centre(width: int, height: int) -> Box:
    """The largest square in the middle. It is the same one for every orientation."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def in_file(crop: Crop, width: int, height: int, orientation: int) -> Box:
    """Where the square lies among the pixels of the file.

    Args:
        width, height: of the file, in px, before it is turned upright.
        orientation: the EXIF value; unknown ones count as upright.

    Raises:
        OutsideOfPicture
    """
    left, top = (crop.y, crop.x) if orientation in ROTATED else (crop.x, crop.y)
    if min(left, top) < 0 or left + crop.size > width or top + crop.size > height or crop.size < MIN_SIZE:
        raise OutsideOfPicture
    if orientation in MIRRORED_ACROSS:
        left = width - left - crop.size
    if orientation in MIRRORED_DOWN:
        top = height - top - crop.size
    return left, top, left + crop.size, top + crop.size


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of a loaded image (a PNG has EXIF behind its pixels); 1 when it cannot be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in TURNS else 1
    except Exception:  # any, see processing.py; unreadable EXIF is no reason to refuse a photo
        return 1


def upright(square: Image.Image, orientation: int) -> Image.Image:
    """The square, turned upright."""
    turn = TURNS.get(orientation)
    return square if turn is None else square.transpose(turn)
