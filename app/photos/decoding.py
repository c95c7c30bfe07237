"""Decode a square of an untrusted image within limits of pixels, memory and time, and encode it anew. Pure.

A small file can hold a huge image (decompression bomb), so its header is checked before its pixels are decoded. The
output is encoded from pixels alone. So nothing hidden in the upload reaches a reader: no EXIF with a GPS position, no
ICC or XMP, no script or archive behind the last byte.
"""

import ctypes
import fcntl
import io
import math
import re
import struct
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from app.photos.containers import PhotoRejected, Reason, cheap_to_decode
from app.rejection import Busy

# The major brand of a HEIC or AVIF photo (ISO/IEC 23008-12, 10.2 and B.4; AVIF 1.1, 6.2); videos have others. They are
# not read, since their header does not bound what is decoded: of an AVIF of 1.8 kB that says 100 x 100, Pillow decoded
# 144 megapixels, in 298 MB. A parser of ours would have to come first. Browsers that read them send a JPEG (photo.js).
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}

EDGE = 400  # px, width and height of what comes out
QUALITY = 82  # of WebP, 0 to 100

MAX_BYTES = 5 * 1024 * 1024
UPLOAD_LIMIT = MAX_BYTES + 1024 * 1024  # with the rest of the form; a file slightly above gets a sentence
MIN_SIDE = 32  # px; a face in fewer cannot be recognized
# Pixels, by the header. Memory grows with them, and decoding may take at most 160 MB.
# PNG and GIF take up to 9 bytes a pixel; 12.5 megapixels hold the photos of most phones. WebP takes 16, since its
# decoder holds two canvases, but no camera writes it. A JPEG is reduced while it is decoded. One in several scans takes
# 2 bytes a channel and pixel before that; a CMYK one has four channels, hence its own limit.
MAX_PIXELS = {"JPEG": 25_000_000, "CMYK": 18_000_000, "PNG": 12_500_000, "GIF": 12_500_000, "WEBP": 9_000_000}
MAX_JPEG_MEMORY = 160_000_000  # bytes, including 4 a pixel of the reduced image; a narrow image is hardly reduced
PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}  # Pillow's modes
STRAIGHT = {premultiplied: mode for mode, premultiplied in PREMULTIPLIED.items()}
REDUCING_GAP = 2.0  # the filter gets an image of at least twice EDGE, so that no blocks are visible
FINE_PIXELS = 12_500_000  # a JPEG of up to so many pixels is reduced less than it could be, to keep more detail

# Pillow's own limit for compressed text in a PNG, 64 MiB, counts characters of up to four bytes each: 110 kB of iTXt
# took 300 MB. Text may not unpack to more than an upload.
PngImagePlugin.MAX_TEXT_MEMORY = MAX_BYTES

# EXIF orientation: what turns the picture upright (CIPA DC-008, tag 274). 1 is upright. Readers place the square on the
# upright picture; a camera stores the picture as it was held.
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

SRGB = ImageCms.createProfile("sRGB")

# Tags of many stages (multiProcessElementsType, ICC.1 10.17), which are run for each colour, and may be the same bytes:
# 80 kB took 4 s. Browsers do not read them, but the tables or curves that such a profile has too.
STAGES = re.compile(rb"D2B(?=[0-3])")
# Types of tables (ICC.1 10.10 to 10.12), for which littlecms takes all memory before it looks for the bytes.
TABLES = re.compile(rb"mft[12]|mAB ")
MOST_TABLES = 100  # as many as littlecms reads tags

# The lock file is read only, and all processes of a dyno have it; one of /tmp could be somebody else's.
LOCK_FILE = Path(__file__)
POLL_SECONDS = 0.02  # flock has no timeout; a decode takes half a second
BUSY_SECONDS = 2.0  # after two seconds a reader had better come back later

Box = tuple[float, float, float, float]  # left, top, right, bottom


class Crop(NamedTuple):
    """A square in px of the upright picture, from its upper left corner."""

    x: int
    y: int
    size: int


def square_webp(data: bytes, crop: Crop | None = None, seconds: float = math.inf) -> bytes:
    """Return a square of a photo as a WebP of 400 x 400 px: RGB, upright, on white, without metadata.

    Args:
        data: the uploaded file. Its content tells its type; file names and declared types prove nothing.
        crop: the square to cut out; None takes the largest in the middle.
        seconds: how long to wait for the decoder, BUSY_SECONDS at most.

    Raises: PhotoRejected; Busy, when the decoder was not free within that time.
    """
    if not data:
        raise PhotoRejected(Reason.EMPTY)
    if len(data) > MAX_BYTES:
        raise PhotoRejected(Reason.TOO_LARGE)
    kind = _kind_of(data)
    with decoder(min(seconds, BUSY_SECONDS)):
        try:
            return _encode(_decode(data, kind, crop))
        except PhotoRejected:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PhotoRejected(Reason.DIMENSIONS) from error
        except Exception as error:
            # OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error and MemoryError all
            # occur; Pillow's documentation promises none of them. Whatever decoding raises, the upload is at fault.
            raise PhotoRejected(Reason.DAMAGED) from error
        finally:
            _return_memory()


def _kind_of(data: bytes) -> str:
    """Return Pillow's name of the format, from the magic number. Raises: PhotoRejected."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
        raise PhotoRejected(Reason.HEIF)
    raise PhotoRejected(Reason.NOT_AN_IMAGE)


@contextmanager
def decoder(seconds: float) -> Iterator[None]:
    """Hold the decoder, against all threads and processes. Raises: Busy, when it was never free meanwhile.

    A dyno has no memory for two of the largest photos at a time. The kernel frees a file's lock (flock) when its holder
    dies; a semaphore that processes share would stay taken.
    """
    give_up = time.monotonic() + seconds
    with LOCK_FILE.open("rb") as file:  # reopened, since a lock belongs to an open file; closing it frees the lock
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise Busy from None
                time.sleep(POLL_SECONDS)
        yield


def _decode(data: bytes, kind: str, crop: Crop | None) -> Image.Image:
    """Return the square of the first frame. It is not thread-safe, since it changes the warning filters of all threads.

    Raises: PhotoRejected, and whatever Pillow raises about a damaged image.
    """
    data = cheap_to_decode(data, kind)
    with warnings.catch_warnings():
        # Pillow warns of a bomb between its two limits; here that is an error. Its other warnings are about metadata,
        # which is dropped: many cameras write EXIF that Pillow doubts.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            # By the header, before anything is decoded.
            width, height = image.size
            if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS["CMYK" if image.mode == "CMYK" else kind]:
                raise PhotoRejected(Reason.DIMENSIONS)
            reduction = _reduce(image, crop) if kind == "JPEG" else 1
            image.load()
            orientation = _orientation_of(image)
            left, top, right, bottom = (edge / reduction for edge in _box_in_file(crop, width, height, orientation))
            square = _on_white(_resize(image, (left, top, right, bottom)), image.info)
            return square.transpose(TURNS[orientation]) if orientation in TURNS else square


def _reduce(image: Image.Image, crop: Crop | None) -> float:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 of its size where EDGE px are left of the square. Return 2, 4, 8, or 1.

    Of a large picture always, for lack of memory: a small square comes out less sharp. Raises: PhotoRejected.
    """
    width, pixels = image.width, image.width * image.height
    side = crop.size if crop else min(image.size)
    times = side // (2 * EDGE) if pixels <= FINE_PIXELS else side // EDGE
    if crop and pixels > FINE_PIXELS:
        times = max(times, 4)
    drafted = image.draft(None, (width // times, image.height // times)) if 2 <= times <= min(image.size) else None
    if 2 * len(image.getbands()) * pixels + 4 * image.width * image.height > MAX_JPEG_MEMORY:
        raise PhotoRejected(Reason.DIMENSIONS)
    return width / drafted[1][2] if drafted else 1  # as the decoder says: it rounds up


def _orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded image (a PNG has EXIF behind its pixels); 1 if it cannot be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in TURNS else 1
    except Exception:  # any, see square_webp; unreadable EXIF is no reason to refuse a photo
        return 1


def _box_in_file(crop: Crop | None, width: int, height: int, orientation: int) -> Box:
    """Find the square, or the largest in the middle, among the pixels of the file. Raises: PhotoRejected."""
    if crop is None:
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side
    left, top = (crop.y, crop.x) if orientation in ROTATED else (crop.x, crop.y)
    if min(left, top) < 0 or left + crop.size > width or top + crop.size > height or crop.size < MIN_SIDE:
        raise PhotoRejected(Reason.CROP)
    if orientation in MIRRORED_ACROSS:
        left = width - left - crop.size
    if orientation in MIRRORED_DOWN:
        top = height - top - crop.size
    return left, top, left + crop.size, top + crop.size


def _resize(image: Image.Image, square: Box) -> Image.Image:
    """Cut out the square as EDGE x EDGE px. The image is averaged over blocks of pixels first, then filtered."""
    image = _averageable(image)
    if image.mode in PREMULTIPLIED:  # Pillow would do so too, lest transparent colours bleed, but ignore the gap then
        image = image.convert(PREMULTIPLIED[image.mode])
    resized = image.resize((EDGE, EDGE), Image.Resampling.LANCZOS, square, REDUCING_GAP)
    return resized.convert(STRAIGHT.get(resized.mode, resized.mode))


def _averageable(image: Image.Image) -> Image.Image:
    """Convert to a mode that can be resized. Palette indices, single bits and 16-bit greys cannot be averaged."""
    if image.mode == "I;16":
        return image.point(lambda grey: grey * (1 / 256)).convert("L")  # convert alone would clip at 255
    if image.mode == "1":
        image = image.convert("L")
    if "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image.convert("RGB") if image.mode == "P" else image


def _on_white(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
    """Convert to sRGB, on white where the image is transparent. `info`: what Pillow read from the file."""
    if image.mode not in PREMULTIPLIED:
        return _to_srgb(image, info)
    *_, alpha = image.split()
    white = Image.new("RGB", image.size, "white")
    white.paste(_to_srgb(image.convert(image.mode[:-1]), info), mask=alpha)
    return white


def _to_srgb(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
    """Convert an image without alpha by its ICC profile, as a browser does (colour management).

    A profile that is broken or for other channels is ignored.
    """
    try:
        profile = STAGES.sub(b"old", info.get("icc_profile") or b"")
        if not profile or not _is_bounded(profile):
            return image.convert("RGB")
        if image.mode == "L" and profile[16:20] == b"RGB ":  # a grey copy of a photo often keeps its profile
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, struct.error):
        converted = None
    return converted or image.convert("RGB")


def _is_bounded(profile: bytes) -> bool:
    """Tell if each table of the profile has as many cells as it has bytes for. Raises: struct.error."""
    if len(TABLES.findall(profile)) > MOST_TABLES:
        return False
    for found in TABLES.finditer(profile):
        inputs, outputs, grid, colours = struct.unpack_from(">8xBBB13xI", profile, found.start())
        points = [grid] * inputs  # in each direction
        if found[0] == b"mAB ":
            start = found.start() + colours
            points = list(profile[start : start + inputs]) if colours else []
        if outputs * math.prod(points) > len(profile):
            return False
    return True


def _encode(square: Image.Image) -> bytes:
    """Encode the pixels alone: so no release of Pillow can copy metadata of the upload."""
    webp = io.BytesIO()
    Image.frombytes("RGB", square.size, square.tobytes()).save(webp, "WEBP", quality=QUALITY, method=4)
    return webp.getvalue()


def _return_memory() -> None:
    """Return freed memory to the system (malloc_trim(3)): glibc would keep up to 64 MB, on top of the next decode.

    Other C libraries have no such function.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
