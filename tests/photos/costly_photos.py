"""Files of up to 5 MiB that are cheap to make and would keep a decoder busy (algorithmic complexity attack).

One a bound of app/photos/containers.py and decoding.py, and of what is within them one a kind of work.
"""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from app.photos.decoding import MAX_BYTES
from tests.photos.forged_files import (
    ALL,
    ARITHMETIC,
    HUFFMAN,
    PROGRESSIVE,
    SAME,
    ZEROS,
    few_random_bytes,
    flat_png,
    gif_parts,
    hidden,
    jpeg_of,
    png_chunk,
    refined,
    riff,
    scan,
    webp_chunk,
)
from tests.photos.photo_files import Photo, red_jpeg, saved

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
ROOM = MAX_BYTES - 100_000  # bytes
HONEST_QUALITY = 70  # of the largest honest photo: what 5 MiB hold


def largest_honest_photo() -> bytes:
    """Return the costliest photo of a camera that we accept: progressive, 25 megapixels, full colour, 5 MiB."""
    noise = Image.effect_noise((1666, 1666), 40).resize((5000, 5000))
    return saved(Image.merge("RGB", [noise] * 3), "JPEG", quality=HONEST_QUALITY, progressive=True, subsampling=0)


def filled(unit: bytes, start: bytes, end: bytes) -> bytes:
    """Put as many units between start and end as an upload may hold."""
    return start + unit * ((ROOM - len(start) - len(end)) // len(unit)) + end


def costly_photos() -> Iterator[Photo]:
    for photos in (_jpegs_of_scans(), _jpegs(), _pngs(), _gifs(), _webps()):
        yield from (Photo(name, data) for name, data in photos.items())


def _jpegs_of_scans() -> dict[str, bytes]:
    """Return JPEGs of many scans. The accepted ones have as many passes as may be, and so what remains of the cost."""
    few, again = few_random_bytes(1800), scan((1,), (1, 63), 0x10, SAME[:300])
    everything = [scan((1,), (0, 63), 0, b""), *[scan(ALL, (0, 63), 0, bytes(2 * len(SAME)))] * 7]
    behind = hidden(again * (60_000 // len(again)))
    return {
        "JPEG, 25 megapixels in 8 scans of DC": jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 0, SAME)] * 8),
        "JPEG, 25 megapixels in 8 scans of everything": jpeg_of(HUFFMAN, everything),
        "JPEG, 25 megapixels refined 18 times": jpeg_of(PROGRESSIVE, refined(18, ZEROS)),
        "JPEG, 25 megapixels refined 28 times": jpeg_of(PROGRESSIVE, refined(28, few)),
        "JPEG, arithmetic coding": jpeg_of(ARITHMETIC, [scan(ALL, (0, 63), 0, few)]),
        "JPEG, scans hidden behind FF 01": jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 1, SAME), behind]),
    }


def _jpegs() -> dict[str, bytes]:
    jpeg = red_jpeg()
    tables, scan = jpeg.index(b"\xff\xdb"), jpeg.index(b"\xff\xda")
    body = scan + 2 + struct.unpack_from(">H", jpeg, scan + 2)[0]  # where the scan's data begins
    huffman = jpeg.index(b"\xff\xc4")
    dht = jpeg[huffman : huffman + 2 + struct.unpack_from(">H", jpeg, huffman + 2)[0]]
    return {
        "JPEG, padding before the first segment": filled(b"\xff", JPEG_START, jpeg[2:]),
        "JPEG, padding in the scan": filled(b"\xff", jpeg[:body], jpeg[body:]),
        "JPEG, FF 00 in the scan": filled(b"\xff\x00", jpeg[:-2], JPEG_END),
        "JPEG, FF 01 before the tables": filled(b"\xff\x01", jpeg[:tables], jpeg[tables:]),
        "JPEG, empty application segments": filled(b"\xff\xe5\x00\x02", jpeg[:tables], jpeg[tables:]),
        "JPEG, 900 Huffman tables": jpeg[:scan] + dht * 900 + jpeg[scan:],
        "JPEG, 900 EXIF segments": jpeg[:2] + (b"\xff\xe1\x15\x00Exif\0\0" + bytes(5368)) * 900 + jpeg[2:],
        "JPEG, 5 MiB behind the end": filled(b"\xff\xd8", jpeg, b""),
    }


def _pngs() -> dict[str, bytes]:
    idat = zlib.compress(bytes((1 + 64 * 3) * 64))
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    pixels, end = png_chunk(b"IDAT", idat), png_chunk(b"IEND", b"")
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(5000)))
    palette = png_chunk(b"PLTE", bytes(768)) + png_chunk(b"tRNS", bytes(256))
    return {
        "PNG of 12 megapixels, transparent palette": flat_png(3500, 3500, bits=8, colour=3, extra=palette),
        "PNG of 12 megapixels with alpha": flat_png(3500, 3500, bits=8, colour=6, channels=4),
        "PNG of 9 megapixels with alpha": flat_png(3050, 3050, bits=8, colour=6, channels=4),
        "PNG of 4 megapixels with alpha, 16 bits": flat_png(2150, 2150, bits=16, colour=6, channels=4),
        "PNG, IDAT of single bytes": head + b"".join(png_chunk(b"IDAT", bytes([byte])) for byte in idat) + end,
        "PNG, empty IDAT": filled(png_chunk(b"IDAT", b""), head, pixels + end),
        "PNG, empty deflate blocks": head + png_chunk(b"IDAT", _empty_blocks(bytes((1 + 64 * 3) * 64))) + end,
        "PNG, 900 compressed texts": head + text * 900 + pixels + end,
        "PNG, 5 MiB behind the end": head + pixels + end + bytes(ROOM),
    }


def _empty_blocks(pixels: bytes) -> bytes:
    """Return a zlib stream of a million empty blocks, and then the pixels."""
    packer = zlib.compressobj(9, wbits=-15)
    block = b"\x00\x00\x00\xff\xff"  # stored, not the last, of length 0
    stream = block * 900_000 + packer.compress(pixels) + packer.flush()
    return b"\x78\xda" + stream + struct.pack(">I", zlib.adler32(pixels))


def _gifs() -> dict[str, bytes]:
    screen, image = gif_parts()
    size = image[:11]  # the image's descriptor, and the width of its codes
    codes = sum(256 << (9 * place) for place in range(226)).to_bytes(256, "little")[:255]  # LZW, nine bits each
    return {
        "GIF of 12 megapixels": saved(Image.new("L", (3500, 3500)), "GIF"),
        "GIF, clear codes alone": filled(b"\xff" + codes, screen + size, b"\0;"),
        "GIF, sub-blocks of one byte": filled(b"\x01\x00", screen + size, b"\0;"),
        "GIF, 5 MiB of empty images": filled(b",\0\0\0\0\x40\0\x40\0\0\x08\0", screen, b";"),
        "GIF, 900 extensions of 5 kB": screen + (b"!\xfe" + (b"\xff" + bytes(255)) * 20 + b"\0") * 45 + image,
    }


def _webps() -> dict[str, bytes]:
    webp = saved(Image.new("RGB", (64, 64)), "WEBP", lossless=True)[12:]
    canvas = bytes([63, 0, 0]) * 2  # 64 x 64, each minus one
    frame = webp_chunk(b"ANMF", bytes(6) + canvas + bytes(4) + webp)
    moving = webp_chunk(b"VP8X", bytes([2, 0, 0, 0]) + canvas) + webp_chunk(b"ANIM", bytes(6))
    junk = webp_chunk(b"junk", b"") * (ROOM // 8)
    return {
        "WebP, empty chunks before": riff(webp_chunk(b"VP8X", bytes(4) + canvas), junk, webp),
        "WebP, frames alone": riff(moving, frame * (ROOM // len(frame))),
        "WebP, one of 9 megapixels": saved(Image.new("RGB", (3000, 3000)), "WEBP", lossless=True),
    }
