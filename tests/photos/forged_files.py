"""Image files built byte by byte, or patched to claim a larger size than they contain.

Where it matters, the decompression bombs are real: they decode to the size in their header. They are cheap to make,
because an image of one colour compresses to a few bytes, and its header can be patched to claim more pixels.
"""

import random
import struct
import zlib
from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw

from tests.photos.photo_files import PAYLOAD, RED, Photo, exif, flat, frames, red_jpeg, saved

MEBIBYTE = 1024 * 1024

# JPEGs built scan by scan (ITU T.81, annex B), in ways that no encoder would choose.
HUFFMAN, PROGRESSIVE, ARITHMETIC = 0xC0, 0xC2, 0xC9
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # SOF0 to SOF15
ALL = (1, 2, 3)  # channels

# One code of one bit for a DC coefficient that does not change; for AC coefficients one bit skips 16 zeros, and two
# begin a run of up to 32,767 blocks without any.
TABLES = b"\xff\xc4\x00\x14\x00\x01" + bytes(16) + b"\xff\xc4\x00\x15\x10\x01\x01" + bytes(14) + b"\xf0\xe0"
ZEROS = bytes(225_000)  # what is skipped in 390,625 blocks, four codes each, and some more
SAME = bytes(146_500)  # one code for each of 3 × 390,625 blocks


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def flat_png(width: int, height: int, bits: int = 1, colour: int = 0, channels: int = 1, extra: bytes = b"") -> bytes:
    """Return a valid black (or transparent) PNG; sizes are in px. `extra` holds chunks to put before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    row = 1 + (width * bits * channels + 7) // 8
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", deflated_zeros(row * height))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def one_row_png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size in px but contains only 1000 bytes of pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", deflated_zeros(1000)) + png_chunk(b"IEND", b"")


def deflated_zeros(count: int) -> bytes:
    """Return `count` zero bytes as a zlib stream, built from one repeated block to save memory."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(count, MEBIBYTE)
    checksum = (count % 65521) << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + block * blocks + packer.compress(bytes(rest)) + packer.flush() + struct.pack(">I", checksum)


def resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """Return the file with another size (px) in its header. Decoders fill the missing pixels with grey."""
    frame = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def repeated_scan(scans: int) -> bytes:
    """Return a progressive JPEG of 24 megapixels, with its last scan repeated until it has `scans` scans."""
    jpeg = resized_jpeg(red_jpeg(progressive=True), 6000, 4000)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (scans - jpeg.count(b"\xff\xda")) + b"\xff\xd9"


def gif_parts() -> tuple[bytes, bytes]:
    """Return a GIF in two parts: the screen with its palette, and everything from its only image on."""
    gif = saved(Image.new("L", (64, 64), 200), "GIF")
    start = 13 + 3 * (2 << (gif[10] & 7))
    return gif[:start], gif[start:]


def flat_webp() -> bytes:
    """Return a lossless WebP of one colour. It needs no bits per pixel, so it decodes at any claimed size."""
    return saved(Image.new("RGBA", (1, 1), (*RED, 128)), "WEBP", lossless=True)


def resized_webp(webp: bytes, width: int, height: int) -> bytes:
    """Return the lossless WebP with another size (14 bits each, minus one, from bit 0 of byte 21)."""
    (bits,) = struct.unpack_from("<I", webp, 21)
    return webp[:21] + struct.pack("<I", bits >> 28 << 28 | (height - 1) << 14 | (width - 1)) + webp[25:]


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk with its length, padded to an even length."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def jpeg_of(frame: int, scans: Sequence[bytes], side: int = 5000) -> bytes:
    """Return a JPEG of three channels without subsampling, `side` px wide and high, with a frame of SOF0 to SOF15."""
    quantization = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    header = struct.pack(">BBHBHHB", 0xFF, frame, 17, 8, side, side, 3) + b"".join(
        bytes([channel, 0x11, 0]) for channel in ALL
    )
    return b"\xff\xd8" + quantization + header + TABLES + b"".join(scans) + b"\xff\xd9"


def scan(channels: Sequence[int], band: tuple[int, int], bits: int, data: bytes) -> bytes:
    """Return one scan of the coefficients of `band`. `bits`: its successive approximation, before and after."""
    header = bytes([len(channels)]) + b"".join(bytes([channel, 0]) for channel in channels) + bytes([*band, bits])
    return b"\xff\xda" + struct.pack(">H", 2 + len(header)) + header + data


def refined(count: int, data: bytes) -> list[bytes]:
    """Return 4 first scans and `count` that refine them, which look at every coefficient of a channel once more."""
    first = [scan((channel,), (1, 63), 1, data) for channel in ALL]
    more = [scan((1 + number % 3,), (1, 63), 0x10, data) for number in range(count)]
    return [scan(ALL, (0, 0), 1, data[: len(SAME)]), *first, *more]


def few_random_bytes(count: int) -> bytes:
    """Return the same bytes at every call, none of them FF."""
    chosen = random.Random(1)  # noqa: S311 - a file, not a secret
    return bytes(chosen.randrange(0xFF) for _ in range(count))


def hidden(scans: bytes, code: int = 0x01) -> bytes:
    """Return the scans behind a marker that has no length, and two bytes that look like one."""
    return bytes([0xFF, code]) + struct.pack(">H", 2 + len(scans)) + scans


def largest_photos() -> Iterator[Photo]:
    """Yield the photos that need the most memory of those allowed in each format."""
    yield Photo("JPEG of 25 megapixels", resized_jpeg(red_jpeg(), 5000, 5000))
    full_colour = red_jpeg(progressive=True, subsampling=0)
    yield Photo("progressive JPEG of 25 megapixels", resized_jpeg(full_colour, 5000, 5000))
    yield Photo("progressive JPEG, a 9:1 strip of 25 megapixels", resized_jpeg(full_colour, 15240, 1640))
    yield Photo("progressive JPEG, a strip decoded at a half", resized_jpeg(full_colour, 14275, 1599))
    yield Photo("progressive JPEG, a narrow one decoded whole", resized_jpeg(full_colour, 20020, 799))
    print_colour = flat("JPEG", "CMYK", progressive=True, subsampling=0)
    yield Photo("progressive CMYK JPEG of 18 megapixels", resized_jpeg(print_colour, 4240, 4240))
    yield Photo("RGB PNG of 12.5 megapixels", flat_png(3535, 3535, bits=8, colour=2, channels=3))
    yield Photo("RGBA PNG of 9.3 megapixels", flat_png(3061, 3061, bits=8, colour=6, channels=4))
    yield Photo("16-bit RGBA PNG of 4.6 megapixels", flat_png(2165, 2165, bits=16, colour=6, channels=4))
    yield Photo("16-bit grey PNG of 12.5 megapixels", flat_png(3535, 3535, bits=16, colour=0, channels=1))
    yield Photo("transparent GIF of 12.5 megapixels", flat("GIF", "P", (3535, 3535), transparency=3))
    yield Photo("lossless WebP of 9 megapixels", resized_webp(flat_webp(), 3000, 3000))
    yield Photo("JPEG whose EXIF claims 500 MB", _with_exif_of_one_block(tags=500, block=MEBIBYTE))


def unusual_photos() -> Iterator[Photo]:
    """Yield valid photos with more in them than pixels, or in ways of JPEG and WebP that few programs write."""
    image = Image.new("RGB", (300, 200), RED)
    png = saved(image, "PNG", exif=exif(6))
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\x7f" * 9
    yield Photo("12-megapixel phone photo with GPS", _phone_photo())
    yield Photo("JPEG with ICC, XMP and EXIF", saved(image, "JPEG", **_metadata()))
    yield Photo("PNG with ICC and EXIF", saved(image, "PNG", **_metadata()))
    yield Photo("WebP with ICC, XMP and EXIF", saved(image, "WEBP", **_metadata()))
    yield Photo("JPEG with unreadable EXIF", saved(image, "JPEG", exif=broken_exif))
    yield Photo("WebP with unreadable EXIF", saved(image, "WEBP", exif=b"Exif\0\0nonsense"))
    yield Photo("PNG with a script behind it", png + PAYLOAD)
    yield Photo("PNG with a script in a text chunk", png[:33] + png_chunk(b"tEXt", PAYLOAD) + png[33:])
    yield Photo("GIF with a comment", saved(image, "GIF", comment=PAYLOAD))
    yield Photo("JPEG with a script in a comment", saved(image, "JPEG", comment=PAYLOAD))
    yield Photo("JPEG with restart markers", saved(image, "JPEG", restart_marker_rows=1))
    # None of these bytes starts a segment, although each seems to be followed by a length of 2.
    stuffed = b"\xff\x00\x00\x02" * 1500 + b"\xff\xd0\x00\x02" * 1500
    yield Photo("JPEG full of stuffed bytes", red_jpeg()[:-2] + stuffed + b"\xff\xd9")
    yield Photo("lossless WebP", saved(image, "WEBP", lossless=True))


def _with_exif_of_one_block(tags: int, block: int) -> bytes:
    """Return a JPEG whose EXIF tags all point at the same bytes. Pillow 12.0 copies the bytes for each tag."""
    end = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", tag, 7, block, end) for tag in range(tags))
    tiff = b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4 + block)
    pieces = [b"Exif\0\0" + tiff[start : start + 65_000] for start in range(0, len(tiff), 65_000)]
    segments = [b"\xff\xe1" + struct.pack(">H", 2 + len(piece)) + piece for piece in pieces]
    return b"\xff\xd8" + b"".join(segments) + red_jpeg()[2:]


def _metadata() -> dict[str, bytes]:
    return {"icc_profile": b"ICC" + bytes(500), "exif": exif(1), "xmp": b"<x:xmpmeta>" + PAYLOAD + b"</x:xmpmeta>"}


def _phone_photo() -> bytes:
    """Return a detailed JPEG of 4032x3024 px with EXIF and a GPS position."""
    image = Image.radial_gradient("L").resize((4032, 3024)).convert("RGB")
    ImageDraw.Draw(image).ellipse((1500, 900, 2500, 2100), fill=RED)
    return saved(image, "JPEG", exif=exif(6))


def animations() -> Iterator[Photo]:
    yield Photo("animated PNG", frames("PNG"))
    yield Photo("animated GIF", frames("GIF"))
    yield Photo("animated WebP", frames("WEBP"))
    yield Photo("MPO, two JPEGs in one file", frames("MPO"))
