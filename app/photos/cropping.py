"""The square that is cut out of a picture: where it lies in the file, which way it is turned. Pure.

People place the square on the picture as they see it, upright; a camera writes it as it was held, and says so in EXIF.
"""

from dataclasses import dataclass

from PIL import ExifTags, Image

MIN_SIZE = 32  # px; below that there is no face to see

Box = tuple[float, float, float, float]  # left, top, right, bottom

# EXIF orientation -> what turns the picture upright (CIPA DC-008, tag 274); 1 is upright already.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The same orientations by what the file does to the upright picture.
LYING = {5, 6, 7, 8}  # its rows are columns
MIRRORED_ACROSS = {2, 3, 7, 8}  # its left is the end
MIRRORED_DOWN = {3, 4, 6, 7}  # its top is the end


class OutsideOfPicture(Exception):
    """The square is too small, or does not lie within the picture."""


@dataclass(frozen=True)
class Crop:
    """A square in px of the upright picture, counted from its upper left corner."""

    x: int
    y: int
    size: int


def centre(width: int, height: int) -> Box:
    """The largest square in the middle, which is the same one whichever way the picture lies."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def in_file(crop: Crop, width: int, height: int, orientation: int) -> Box:
    """Where the square lies among the pixels of the file.

    Args:
        width, height: of the file, in px, before it is turned upright.
        orientation: the EXIF value; what the standard does not know counts as upright.

    Raises:
        OutsideOfPicture
    """
    left, top = (crop.y, crop.x) if orientation in LYING else (crop.x, crop.y)
    if min(left, top) < 0 or left + crop.size > width or top + crop.size > height or crop.size < MIN_SIZE:
        raise OutsideOfPicture
    if orientation in MIRRORED_ACROSS:
        left = width - left - crop.size
    if orientation in MIRRORED_DOWN:
        top = height - top - crop.size
    return left, top, left + crop.size, top + crop.size


def orientation_of(image: Image.Image) -> int:
    """As the EXIF of a loaded image says: a PNG has it behind its pixels. 1 when it says nothing that can be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in TURNS else 1
    except Exception:  # not a list, see photo.py; EXIF that cannot be read is no reason to refuse a photo
        return 1


def upright(square: Image.Image, orientation: int) -> Image.Image:
    """The square turned as it is to be seen."""
    turn = TURNS.get(orientation)
    return square if turn is None else square.transpose(turn)
