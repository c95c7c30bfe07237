"""Files put together byte by byte, or patched to claim more than they hold.

The bombs are real where that matters (they decode to what their header says) and cost nothing to make: a flat picture
takes hardly any bytes, and its header is patched to claim more.
"""

import struct
import zlib

from PIL import Image

from tests.photos.photo_files import RED, red_jpeg, saved

MEBIBYTE = 1024 * 1024


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def flat_png(width: int, height: int, bits: int = 1, colour: int = 0, channels: int = 1, extra: bytes = b"") -> bytes:
    """A black (or clear) PNG of that many px that decodes; `extra` are chunks to stand before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    row = 1 + (width * bits * channels + 7) // 8
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", deflated_zeros(row * height))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def one_row_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings one row of it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", deflated_zeros(1000))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def deflated_zeros(count: int) -> bytes:
    """That many zero bytes as a zlib stream, without ever holding them: one compressed block, repeated."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(count, MEBIBYTE)
    checksum = (count % 65521) << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + block * blocks + packer.compress(bytes(rest)) + packer.flush() + struct.pack(">I", checksum)


def resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """The same file claiming another size: its pixels end early, which decoders fill with grey."""
    frame = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def repeated_scan(scans: int) -> bytes:
    """A progressive JPEG of 24 megapixels whose last refinement scan is repeated until it has that many."""
    jpeg = resized_jpeg(red_jpeg(progressive=True), 6000, 4000)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (scans - jpeg.count(b"\xff\xda")) + b"\xff\xd9"


def gif_parts() -> tuple[bytes, bytes]:
    """A GIF in two: the screen with its palette, and what begins at its only image."""
    gif = saved(Image.new("L", (64, 64), 200), "GIF")
    start = 13 + 3 * (2 << (gif[10] & 7))
    return gif[:start], gif[start:]


def flat_webp() -> bytes:
    """A lossless WebP of one colour, which takes no bits a pixel, so that it decodes at any size."""
    return saved(Image.new("RGBA", (1, 1), (*RED, 128)), "WEBP", lossless=True)


def resized_webp(webp: bytes, width: int, height: int) -> bytes:
    """A lossless WebP claiming another size (14 bits each, less one, from bit 0 of the four bytes at 21)."""
    (bits,) = struct.unpack_from("<I", webp, 21)
    return webp[:21] + struct.pack("<I", bits >> 28 << 28 | (height - 1) << 14 | (width - 1)) + webp[25:]


def riff(*chunks: bytes) -> bytes:
    """A WebP container around whole chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk with its length, padded to an even one."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
