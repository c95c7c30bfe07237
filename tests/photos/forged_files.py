"""Image files built byte by byte, or patched to claim a larger size than they contain.

Where it matters, the decompression bombs are real: they decode to the size in their header. They are cheap to make,
because an image of one colour compresses to a few bytes, and its header can be patched to claim more pixels.
"""

import struct
import zlib

from PIL import Image

from tests.photos.photo_files import RED, red_jpeg, saved

MEBIBYTE = 1024 * 1024


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return one PNG chunk with its length and checksum."""
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
    pixels = png_chunk(b"IDAT", deflated_zeros(1000))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


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
    """Return a WebP container that holds these complete chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk with its length, padded to an even length."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
