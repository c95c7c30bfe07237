"""Decode a square of an untrusted image, within limits of pixels and memory. Pure.

A small file can hold a huge image (decompression bomb), so its header is checked before its pixels are decoded.
"""

import io
import warnings

from PIL import Image, PngImagePlugin

from app.photos import cropping
from app.photos.containers import refuse_costly_scans, refuse_many_chunks, unpacked_png_size, without_comments
from app.photos.cropping import Crop
from app.photos.rejection import PhotoRejected, Reason

# The major brand of a HEIC or AVIF photo (ISO/IEC 23008-12, 10.2 and B.4; AVIF 1.1, 6.2); videos have others. They are
# not read, since their header does not bound what is decoded: of an AVIF of 1.8 kB that says 100 x 100, Pillow decoded
# 144 megapixels, in 298 MB. A parser of ours would have to come first. Browsers that read them send a JPEG (photo.js).
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}

EDGE = 400  # px, width and height of what comes out

MAX_BYTES = 5 * 1024 * 1024
UPLOAD_LIMIT = MAX_BYTES + 1024 * 1024  # with the rest of the form; a file slightly above gets a sentence
MIN_SIDE = 32  # px; a face in fewer cannot be recognized
# Pixels, by the header. Memory grows with them, and decoding may take at most 160 MB.
# PNG and GIF take up to 9 bytes a pixel; 12.5 megapixels hold the photos of most phones. WebP takes 16, since its
# decoder holds two canvases, but no camera writes it. A JPEG is reduced while it is decoded. One in several scans takes
# 2 bytes a channel and pixel before that; a CMYK one has four channels, hence its own limit.
MAX_PIXELS = {"JPEG": 25_000_000, "CMYK": 18_000_000, "PNG": 12_500_000, "GIF": 12_500_000, "WEBP": 9_000_000}
# A PNG costs time by the byte that it unpacks to: 12.5 megapixels of three colours, or 9 of three and alpha.
MAX_UNPACKED_PNG = 37_500_000
MAX_JPEG_MEMORY = 160_000_000  # bytes, including 4 a pixel of the reduced image; a narrow image is hardly reduced
PREMULTIPLIED = {"RGBA": "RGBa", "LA": "La"}  # Pillow's modes
STRAIGHT = {premultiplied: mode for mode, premultiplied in PREMULTIPLIED.items()}
REDUCING_GAP = 2.0  # the filter gets an image of at least twice EDGE, so that no blocks are visible
STRIP = 256  # px, the height of a strip, which is converted in the processor's cache
FINE_PIXELS = 12_500_000  # a JPEG of up to so many pixels is reduced less than it could be, to keep more detail

# Pillow's own limit for compressed text in a PNG, 64 MiB, counts characters of up to four bytes each: 110 kB of iTXt
# took 300 MB. Text may not unpack to more than an upload.
PngImagePlugin.MAX_TEXT_MEMORY = MAX_BYTES


def kind_of(data: bytes) -> str:
    """Pillow's name of the format, from the magic number. Raises: PhotoRejected."""
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


def decode(data: bytes, kind: str, crop: Crop | None) -> Image.Image:
    """The square of the first frame: EDGE x EDGE px, RGB, upright.

    Not thread-safe, since it changes the warning filters of all threads.

    Raises:
        PhotoRejected, TooComplex, and whatever Pillow raises about a damaged image.
    """
    if kind == "JPEG":
        refuse_costly_scans(data)
    elif kind == "PNG":
        refuse_many_chunks(data)
        if unpacked_png_size(data) > MAX_UNPACKED_PNG:
            raise PhotoRejected(Reason.DIMENSIONS)
    elif kind == "GIF":
        data = without_comments(data)
    with warnings.catch_warnings():
        # Pillow warns of a bomb between its two limits; here that is an error. Its other warnings are about metadata,
        # which is dropped anyway: many cameras write EXIF that Pillow doubts, and their photos are good.
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
    """By the header, before anything is decoded; `most` is in pixels. Raises: PhotoRejected."""
    if min(image.size) < MIN_SIDE or image.width * image.height > most:
        raise PhotoRejected(Reason.DIMENSIONS)


def _reduce(image: Image.Image, crop: Crop | None) -> float:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8 of its size where EDGE px or more are left of the square.

    A small square of a large picture comes out less sharp, since decoding all of it would take too much memory.

    Returns:
        The reduction: 2, 4, 8, or 1 for none.

    Raises:
        PhotoRejected
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


def _box(crop: Crop | None, width: int, height: int, orientation: int) -> cropping.Box:
    """Where the square lies in the file. Raises: PhotoRejected."""
    if crop is None:
        return cropping.centre(width, height)
    try:
        return cropping.in_file(crop, width, height, orientation)
    except cropping.OutsideOfPicture as error:
        raise PhotoRejected(Reason.CROP) from error


def _resize(image: Image.Image, square: cropping.Box) -> Image.Image:
    """The square alone, as EDGE x EDGE px. The image is averaged over blocks of pixels first, then filtered."""
    times = max(1, int((square[2] - square[0]) / EDGE / REDUCING_GAP))
    reduced = _reduce_strips(image, times)
    left, top, right, bottom = (edge / times for edge in square)
    box = (left, top, min(right, reduced.width), min(bottom, reduced.height))
    square_alone = reduced.resize((EDGE, EDGE), Image.Resampling.LANCZOS, box)
    return square_alone.convert(STRAIGHT.get(square_alone.mode, square_alone.mode))


def _reduce_strips(image: Image.Image, times: int) -> Image.Image:
    """1/times of the width and height. Strip by strip: to convert all at once would cost as much as to decode it."""
    rows = -(-STRIP // times) * times
    reduced = None
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip = _premultiplied(_averageable(strip)).reduce(times)
        if reduced is None:
            reduced = Image.new(strip.mode, (strip.width, -(-image.height // times)))
        reduced.paste(strip, (0, top // times))
    assert reduced is not None  # noqa: S101 - an image has a row
    return reduced


def _premultiplied(image: Image.Image) -> Image.Image:
    """The image with its colours multiplied by the alpha: a transparent pixel's must not bleed into its neighbours."""
    return image.convert(PREMULTIPLIED[image.mode]) if image.mode in PREMULTIPLIED else image


def _averageable(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resized. Palette indices, single bits and 16-bit greys cannot be averaged."""
    if image.mode == "I;16":
        return image.point(lambda grey: grey * (1 / 256)).convert("L")  # convert alone would clip at 255
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode in ("1", "P") else image


def _on_white(image: Image.Image) -> Image.Image:
    """The image as RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")
