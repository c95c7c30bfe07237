"""Profile photos: the bytes of an upload in, one square WebP out, or a named refusal.

Pure: no request, no database, no storage. What comes out is drawn anew from pixels, so nothing that was hidden in the
upload (EXIF with its GPS position, ICC and XMP, a script or an archive behind the last byte) can reach a reader.
"""

import ctypes
import enum
import io
import threading
import warnings

from PIL import Image, PngImagePlugin

from app.mypage import cropping
from app.mypage.containers import TooComplex, refuse_many_chunks, refuse_many_scans, without_comments
from app.mypage.cropping import Crop

EDGE = 400  # px, width and height of what comes out
QUALITY = 82  # of WebP, 0 to 100

MAX_BYTES = 5 * 1024 * 1024
MIN_SIDE = 32  # px; below that there is no face to see
# By the header; memory grows with the pixels, and no format may take more than 160 MB for the moment of its decoding.
# PNG and GIF take at most 9 bytes a pixel: 12.5 megapixels hold the photos of most phones. WebP takes 16, since its
# decoder holds two canvases; no camera makes it. A JPEG is reduced in decoding, but one in several scans takes 2 bytes
# a channel and pixel before: a CMYK one has four channels, hence its own limit.
MAX_PIXELS = {"JPEG": 25_000_000, "CMYK": 18_000_000, "PNG": 12_500_000, "GIF": 12_500_000, "WEBP": 9_000_000}
MAX_JPEG_MEMORY = 160_000_000  # bytes, with the 4 a pixel of what it is reduced to; narrow ones hardly are
FINE_PIXELS = 12_500_000  # a JPEG of up to so many is reduced less than it could be, which keeps more of its detail

# Compressed text in a PNG may not unpack to more than an upload. Pillow's own limit, 64 MiB, counts characters, which
# take up to four bytes each: 110 kB of iTXt took 300 MB.
PngImagePlugin.MAX_TEXT_MEMORY = MAX_BYTES

# One decode at a time in each process: two of the largest allowed photos would not fit a small dyno side by side.
DECODING = threading.BoundedSemaphore(1)
BUSY_SECONDS = 5.0  # a decode takes less than one; whoever waits longer had better come back


class Reason(enum.StrEnum):
    """Why a photo was refused; the sentence for people is made where it is shown."""

    EMPTY = enum.auto()
    TOO_LARGE = enum.auto()  # more than MAX_BYTES
    NOT_AN_IMAGE = enum.auto()  # neither JPEG, PNG, GIF nor WebP
    DIMENSIONS = enum.auto()  # too many pixels, or a side too short
    TOO_COMPLEX = enum.auto()  # too many scans, segments, chunks or blocks
    DAMAGED = enum.auto()  # truncated, or otherwise not decodable
    CROP = enum.auto()  # the square to be cut out does not lie within the picture


class PhotoRejected(Exception):
    """The upload is not a photo that can be shown; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class PhotoBusy(Exception):
    """Another photo is being decoded; try again in a few seconds."""


def square_webp(data: bytes, crop: Crop | None = None) -> bytes:
    """Check a photo and re-encode a square of it.

    Args:
        data: the uploaded file, whole. Its type is told from its content; names and claimed types are worth nothing.
        crop: the square; without one the largest in the middle.

    Returns:
        A WebP of EDGE x EDGE px, RGB, upright, on white where it was transparent, without metadata. Of an animation,
        the first frame.

    Raises:
        PhotoRejected: with the reason.
        PhotoBusy: the decoder was not free within BUSY_SECONDS.
    """
    if not data:
        raise PhotoRejected(Reason.EMPTY)
    if len(data) > MAX_BYTES:
        raise PhotoRejected(Reason.TOO_LARGE)
    kind = _kind(data)
    if not DECODING.acquire(timeout=BUSY_SECONDS):
        raise PhotoBusy
    try:
        return _encode(_decode(data, kind, crop))
    except PhotoRejected:
        raise
    except TooComplex as error:
        raise PhotoRejected(Reason.TOO_COMPLEX) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoRejected(Reason.DIMENSIONS) from error
    except Exception as error:
        # Not a list: OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error and MemoryError
        # all occur, and Pillow promises none of them. What a stranger's bytes provoke is their fault, not a crash.
        raise PhotoRejected(Reason.DAMAGED) from error
    finally:
        _return_memory()
        DECODING.release()


def _kind(data: bytes) -> str:
    """Pillow's name of the format, by the first bytes. Raises: PhotoRejected."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise PhotoRejected(Reason.NOT_AN_IMAGE)


def _decode(data: bytes, kind: str, crop: Crop | None) -> Image.Image:
    """The square of the first frame: EDGE x EDGE px, RGB, upright. Raises: PhotoRejected, TooComplex, and more."""
    if kind == "JPEG":
        refuse_many_scans(data)
    elif kind == "PNG":
        refuse_many_chunks(data)
    elif kind == "GIF":
        data = without_comments(data)
    with warnings.catch_warnings():  # swaps the filters of all threads; DECODING sees to it that one at a time does
        # Between its two limits Pillow only warns of a bomb. Its other warnings are about metadata, of which nothing is
        # kept: many a camera writes EXIF that Pillow has doubts about, and those are good photos.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            _refuse_dimensions(image, MAX_PIXELS["CMYK" if image.mode == "CMYK" else kind])
            width, height = image.size
            reduction = _reduce(image, crop) if kind == "JPEG" else 1
            image.load()
            orientation = cropping.orientation_of(image)
            left, top, right, bottom = (edge / reduction for edge in _box(crop, width, height, orientation))
            return cropping.upright(_on_white(_resize(image, (left, top, right, bottom))), orientation)


def _refuse_dimensions(image: Image.Image, most: int) -> None:
    """Nothing is decoded yet; `most` is in pixels. Raises: PhotoRejected."""
    if min(image.size) < MIN_SIDE or image.width * image.height > most:
        raise PhotoRejected(Reason.DIMENSIONS)


def _reduce(image: Image.Image, crop: Crop | None) -> float:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8, where EDGE px or more are left of the square; returns 2, 4, 8, else 1.

    A small square of a large picture comes out less sharp rather than not at all. Raises: PhotoRejected.
    """
    width, pixels = image.width, image.width * image.height
    side = crop.size if crop else min(image.size)
    times = side // (2 * EDGE) if pixels <= FINE_PIXELS else side // EDGE
    if crop and pixels > FINE_PIXELS:
        times = max(times, 4)
    drafted = image.draft(None, (width // times, image.height // times)) if 2 <= times <= min(image.size) else None
    if 2 * len(image.getbands()) * pixels + 4 * image.width * image.height > MAX_JPEG_MEMORY:
        raise PhotoRejected(Reason.DIMENSIONS)
    return width / drafted[1][2] if drafted else 1  # what the decoder says: its last column may be a part of one


def _box(crop: Crop | None, width: int, height: int, orientation: int) -> cropping.Box:
    """Where the square lies in the file. Raises: PhotoRejected."""
    if crop is None:
        return cropping.centre(width, height)
    try:
        return cropping.in_file(crop, width, height, orientation)
    except cropping.OutsideOfPicture as error:
        raise PhotoRejected(Reason.CROP) from error


def _resize(image: Image.Image, square: cropping.Box) -> Image.Image:
    """The square alone, as EDGE x EDGE px."""
    return _averageable(image).resize((EDGE, EDGE), Image.Resampling.LANCZOS, square, reducing_gap=2.0)


def _averageable(image: Image.Image) -> Image.Image:
    """The image in a mode that resizing can average, which palette indices, single bits and 16-bit greys are not."""
    if image.mode == "I;16":
        return image.point(lambda grey: grey * (1 / 256)).convert("L")  # convert alone would clip at 255
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode in ("1", "P") else image


def _on_white(image: Image.Image) -> Image.Image:
    """RGB; white shows where the image is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def _encode(square: Image.Image) -> bytes:
    """As WebP, from the pixels alone, so that no release of Pillow finds metadata to copy from the upload."""
    webp = io.BytesIO()
    Image.frombytes("RGB", square.size, square.tobytes()).save(webp, "WEBP", quality=QUALITY, method=4)
    return webp.getvalue()


def _return_memory() -> None:
    """Give back what a decode freed: of that, glibc keeps up to 64 MB for itself, on top of which the next one comes.

    It takes a millisecond. Other C libraries have no such function (mallopt(3), M_TRIM_THRESHOLD).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
