"""Photos as a browser would upload them, drawn here: nothing binary is kept in the repository."""

import io
from dataclasses import dataclass

from PIL import Image

from app.photos.rejection import Reason

RED, GREEN, BLUE, YELLOW = (220, 20, 20), (20, 180, 20), (20, 20, 220), (230, 220, 20)
GPS = {1: "N", 2: (37.0, 33.0, 59.0), 3: "E", 4: (126.0, 58.0, 41.0)}  # Seoul: what must never come out again
PAYLOAD = b"<script>alert(document.cookie)</script>"
ARCHIVE = b"PK\x03\x04" + PAYLOAD
TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Photo:
    """A file as a browser would upload it."""

    name: str
    filename: str
    data: bytes
    content_type: str


@dataclass(frozen=True)
class HostilePhoto(Photo):
    """One to refuse, and why."""

    reason: Reason


def photo(name: str, filename: str, data: bytes) -> Photo:
    """With the type that a browser tells from the name."""
    return Photo(name, filename, data, content_type(filename))


def hostile(name: str, filename: str, data: bytes, reason: Reason) -> HostilePhoto:
    """The same, with the reason it must be given."""
    return HostilePhoto(name, filename, data, content_type(filename), reason)


def name_of(upload: Photo) -> str:
    """For the ids of parametrized tests."""
    return upload.name


def content_type(filename: str) -> str:
    """As browsers do it: from the ending alone."""
    return TYPES.get(filename.rpartition(".")[2], "application/octet-stream")


def oriented_photo(orientation: int) -> bytes:
    """A JPEG that, seen upright, is red, green / blue, yellow in its four quarters, and that tells where it was taken.

    Args:
        orientation: the EXIF value, 1 to 8. Painted after the standard's own words (CIPA DC-008, tag 274), which say
            which side of the scene the first row and the first column of the file show.
    """
    colours = {"top left": RED, "top right": GREEN, "bottom left": BLUE, "bottom right": YELLOW}
    opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
    rows = ["top", "top", "bottom", "bottom", "left", "right", "right", "left"]
    columns = ["left", "right", "right", "left", "top", "top", "bottom", "bottom"]
    row, column = rows[orientation - 1], columns[orientation - 1]
    image = Image.new("RGB", (640, 480))
    for top, side in ((0, row), (240, opposite[row])):
        for left, other in ((0, column), (320, opposite[column])):
            corner = f"{side} {other}" if f"{side} {other}" in colours else f"{other} {side}"
            image.paste(colours[corner], (left, top, left + 320, top + 240))
    return saved(image, "JPEG", exif=exif(orientation), quality=95)


def exif(orientation: int) -> bytes:
    """EXIF as a phone writes it: orientation, the maker and where it was taken."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "Maker"
    tags.get_ifd(0x8825).update(GPS)
    return tags.tobytes()


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    """The image as a file of Pillow's format `format_`."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def flat(format_: str, mode: str = "RGB", size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    """A file of one colour."""
    return saved(Image.new(mode, size), format_, **options)


def red_jpeg(**options: object) -> bytes:
    """The plainest photo that is accepted."""
    return saved(Image.new("RGB", (64, 64), RED), "JPEG", **options)


def textured(format_: str, **options: object) -> bytes:
    """A file with enough pixel data to be cut or broken in the midst of it."""
    return saved(Image.effect_noise((200, 200), 40), format_, **options)


def frames(format_: str) -> bytes:
    """Two frames, red and blue."""
    second = Image.new("RGB", (64, 64), BLUE)
    return saved(Image.new("RGB", (64, 64), RED), format_, save_all=True, append_images=[second], duration=100)
