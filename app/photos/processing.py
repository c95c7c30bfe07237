"""Profile photos: the bytes of an upload in, one square WebP out, or a named refusal. Pure.

The output is re-encoded from pixels alone. So nothing hidden in the upload reaches a reader: no EXIF with a GPS
position, no ICC or XMP, no script or archive behind the last byte.
"""

import ctypes
import io
import math

from PIL import Image

from app.photos.containers import TooComplex
from app.photos.cropping import Crop
from app.photos.decoder_lock import decoder
from app.photos.decoding import MAX_BYTES, decode, kind_of
from app.photos.rejection import PhotoRejected, Reason

QUALITY = 82  # of WebP, 0 to 100
BUSY_SECONDS = 2.0  # a decode takes half of one; after two a reader had better come back later


def square_webp(data: bytes, crop: Crop | None = None, seconds: float = math.inf) -> bytes:
    """Check a photo and re-encode a square of it.

    Args:
        data: the uploaded file. Its content tells its type; file names and declared types prove nothing.
        crop: the square to cut out; None takes the largest in the middle.
        seconds: how long to wait for the decoder, BUSY_SECONDS at most.

    Returns:
        A WebP of 400 x 400 px: RGB, upright, on white where it was transparent, without metadata. Of an animation, the
        first frame.

    Raises:
        PhotoRejected: with the reason.
        Busy: the decoder was not free within that time.
    """
    if not data:
        raise PhotoRejected(Reason.EMPTY)
    if len(data) > MAX_BYTES:
        raise PhotoRejected(Reason.TOO_LARGE)
    kind = kind_of(data)
    with decoder(min(seconds, BUSY_SECONDS)):
        return _square_webp(data, kind, crop)


def _square_webp(data: bytes, kind: str, crop: Crop | None) -> bytes:
    """Raises: PhotoRejected."""
    try:
        return _encode(decode(data, kind, crop))
    except PhotoRejected:
        raise
    except TooComplex as error:
        raise PhotoRejected(Reason.TOO_COMPLEX) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoRejected(Reason.DIMENSIONS) from error
    except Exception as error:
        # OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error and MemoryError all occur;
        # Pillow's documentation promises none of them. Whatever decoding raises, the upload is at fault.
        raise PhotoRejected(Reason.DAMAGED) from error
    finally:
        _return_memory()


def _encode(square: Image.Image) -> bytes:
    """As WebP, from the pixels alone: so no release of Pillow can copy metadata of the upload."""
    webp = io.BytesIO()
    Image.frombytes("RGB", square.size, square.tobytes()).save(webp, "WEBP", quality=QUALITY, method=4)
    return webp.getvalue()


def _return_memory() -> None:
    """Return freed memory to the system. glibc would keep up to 64 MB of it, and the next decode would come on top.

    It takes a millisecond. Other C libraries have no such function; see mallopt(3), M_TRIM_THRESHOLD.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
