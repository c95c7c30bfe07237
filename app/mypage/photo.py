"""Profile photos: the bytes of an upload in, one square WebP out, or a named refusal.

Pure: no request, no database, no storage. What comes out is drawn anew from pixels, so nothing that was hidden in the
upload (EXIF with its GPS position, ICC and XMP, a script or an archive behind the last byte) can reach a reader.
"""

import enum
import io
import threading
import warnings

from PIL import ExifTags, Image, PngImagePlugin

from app.mypage.containers import TooComplex, refuse_many_chunks, refuse_many_scans, without_comments

EDGE = 400  # px, width and height of what comes out
QUALITY = 82  # of WebP, 0 to 100

MAX_BYTES = 5 * 1024 * 1024
MIN_SIDE = 32  # px; below that there is no face to see
# By the header; memory grows with the pixels. A progressive JPEG takes 2 bytes a channel and pixel before it can be
# reduced (a CMYK one has four channels, hence its own limit), PNG and GIF take at most 9 bytes a pixel, and WebP 16,
# since its decoder holds two canvases: the largest WebP takes 200 MB for the moment of its decoding, the others less.
MAX_PIXELS = {"JPEG": 25_000_000, "CMYK": 18_000_000, "PNG": 12_500_000, "GIF": 12_500_000, "WEBP": 12_500_000}
MAX_DECODED_PIXELS = 12_500_000  # what is left of them once a JPEG is reduced in decoding; narrow ones hardly are

# Compressed text in a PNG may not unpack to more than an upload. Pillow's own limit, 64 MiB, counts characters, which
# take up to four bytes each: 110 kB of iTXt took 300 MB.
PngImagePlugin.MAX_TEXT_MEMORY = MAX_BYTES

# One decode at a time in each process: two of the largest allowed photos would not fit a small dyno side by side.
DECODING = threading.BoundedSemaphore(1)
BUSY_SECONDS = 5.0  # a decode takes less than one; whoever waits longer had better come back

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


class Reason(enum.StrEnum):
    """Why a photo was refused; the sentence for people is made where it is shown."""

    EMPTY = enum.auto()
    TOO_LARGE = enum.auto()  # more than MAX_BYTES
    NOT_AN_IMAGE = enum.auto()  # neither JPEG, PNG, GIF nor WebP
    DIMENSIONS = enum.auto()  # too many pixels, or a side too short
    TOO_COMPLEX = enum.auto()  # too many scans, segments, chunks or blocks
    DAMAGED = enum.auto()  # truncated, or otherwise not decodable


class PhotoRejected(Exception):
    """The upload is not a photo that can be shown; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class PhotoBusy(Exception):
    """Another photo is being decoded; try again in a few seconds."""


def square_webp(data: bytes) -> bytes:
    """Check a photo and re-encode its centre as a square.

    Args:
        data: the uploaded file, whole. Its type is told from its content; names and claimed types are worth nothing.

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
        return _encode(_decode(data, kind))
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


def _decode(data: bytes, kind: str) -> Image.Image:
    """The centre of the first frame: EDGE x EDGE px, RGB, upright. Raises: PhotoRejected, TooComplex, and more."""
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
            image.draft(None, (2 * EDGE, 2 * EDGE))  # JPEG alone: decode at 1/2, 1/4 or 1/8, never below this size
            _refuse_dimensions(image, MAX_DECODED_PIXELS)
            image.load()
            return _upright(_on_white(_centre(image)), image)


def _refuse_dimensions(image: Image.Image, most: int) -> None:
    """Nothing is decoded yet; `most` is in pixels. Raises: PhotoRejected."""
    if min(image.size) < MIN_SIDE or image.width * image.height > most:
        raise PhotoRejected(Reason.DIMENSIONS)


def _centre(image: Image.Image) -> Image.Image:
    """The largest square in the middle, resized to EDGE x EDGE px."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = (left, top, left + side, top + side)
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


def _upright(square: Image.Image, original: Image.Image) -> Image.Image:
    """Turned as the original's EXIF says: last, when there are few pixels left to turn."""
    try:
        turn = TURNS.get(original.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # again not a list; EXIF that cannot be read is no reason to refuse a photo
        return square
    return square if turn is None else square.transpose(turn)


def _encode(square: Image.Image) -> bytes:
    """As WebP, from the pixels alone, so that no release of Pillow finds metadata to copy from the upload."""
    webp = io.BytesIO()
    Image.frombytes("RGB", square.size, square.tobytes()).save(webp, "WEBP", quality=QUALITY, method=4)
    return webp.getvalue()
