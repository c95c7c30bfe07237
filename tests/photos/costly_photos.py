"""Files of up to 5 MiB that are cheap to make and would keep a decoder busy (algorithmic complexity attack)."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from app.photos.decoding import MAX_BYTES
from tests.photos.forged_files import (
    ALL,
    ARITHMETIC,
    ARITHMETIC_PROGRESSIVE,
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
    repeated_scan,
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


def _jpegs() -> Iterator[Photo]:
    jpeg = red_jpeg()
    tables = jpeg.index(b"\xff\xdb")
    scan = jpeg.index(b"\xff\xda")
    body = scan + 2 + struct.unpack_from(">H", jpeg, scan + 2)[0]  # where the scan's data begins
    dht_at = jpeg.index(b"\xff\xc4")
    dht = jpeg[dht_at : dht_at + 2 + struct.unpack_from(">H", jpeg, dht_at + 2)[0]]
    dqt = jpeg[tables : tables + 2 + struct.unpack_from(">H", jpeg, tables + 2)[0]]
    empty = b"\xff\xe5\x00\x02"
    for name, data in (
        ("JPEG, padding before the first segment", filled(b"\xff", JPEG_START, jpeg[2:])),
        ("JPEG, padding in the scan", filled(b"\xff", jpeg[:body], jpeg[body:])),
        ("JPEG, padding before the end", filled(b"\xff", jpeg[:-2], JPEG_END)),
        ("JPEG, FF 00 in the scan", filled(b"\xff\x00", jpeg[:-2], JPEG_END)),
        ("JPEG, restart markers in the scan", filled(b"\xff\xd0", jpeg[:-2], JPEG_END)),
        ("JPEG, FF 01 before the tables", filled(b"\xff\x01", jpeg[:tables], jpeg[tables:])),
        ("JPEG, empty application segments", filled(empty, jpeg[:tables], jpeg[tables:])),
        ("JPEG, 900 segments of 5 kB", jpeg[:tables] + (b"\xff\xe5\x15\x00" + bytes(5374)) * 900 + jpeg[tables:]),
        ("JPEG, 900 Huffman tables", jpeg[:scan] + dht * 900 + jpeg[scan:]),
        ("JPEG, 900 quantization tables", jpeg[:scan] + dqt * 900 + jpeg[scan:]),
        ("JPEG, 900 EXIF segments", jpeg[:2] + (b"\xff\xe1\x15\x00Exif\0\0" + bytes(5368)) * 900 + jpeg[2:]),
        ("JPEG, 900 ICC segments", jpeg[:2] + (b"\xff\xe2\x15\x00ICC_PROFILE\0\1\1" + bytes(5360)) * 900 + jpeg[2:]),
        ("JPEG, 5 MiB behind the end", filled(b"\xff\xd8", jpeg, b"")),
    ):
        yield Photo(name, data)


def _jpegs_of_scans() -> Iterator[Photo]:
    """Yield JPEGs of many scans. The accepted ones have as many passes as may be, and so what remains of the cost."""
    few = few_random_bytes(1800)
    plain = scan((1,), (0, 63), 0, b"")
    both = scan(ALL, (0, 63), 0, bytes(2 * len(SAME)))
    again = scan((1,), (1, 63), 0x10, SAME[:300])
    behind = hidden(again * (60_000 // len(again)))
    for name, data in (
        ("JPEG, 25 megapixels in 8 scans of DC", jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 0, SAME)] * 8)),
        ("JPEG, 25 megapixels refined 18 times", jpeg_of(PROGRESSIVE, refined(18, ZEROS))),
        ("JPEG, 25 megapixels in 8 scans of everything", jpeg_of(HUFFMAN, [plain] + [both] * 7)),
        ("JPEG, 25 megapixels refined 28 times", jpeg_of(PROGRESSIVE, refined(28, few))),
        ("JPEG, arithmetic coding, one scan", jpeg_of(ARITHMETIC, [scan(ALL, (0, 63), 0, few)])),
        ("JPEG, arithmetic coding, refined 4 times", jpeg_of(ARITHMETIC_PROGRESSIVE, refined(4, few))),
        ("JPEG, arithmetic coding, refined 28 times", jpeg_of(ARITHMETIC_PROGRESSIVE, refined(28, few))),
        ("JPEG, scans hidden behind FF 01", jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 1, SAME), behind])),
        ("JPEG, 20 scans of 24 megapixels", repeated_scan(20)),
    ):
        yield Photo(name, data)


def _pngs() -> Iterator[Photo]:
    idat = zlib.compress(bytes((1 + 64 * 3) * 64))
    head = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    end = png_chunk(b"IEND", b"")
    tiny = b"".join(png_chunk(b"IDAT", idat[at : at + 1]) for at in range(len(idat)))
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(5000)))
    for name, data in (
        ("PNG of 12 megapixels of one colour", flat_png(3500, 3500, bits=8, colour=2, channels=3)),
        ("PNG of 12 megapixels, one colour transparent", _with_transparency(3500, colour=2, channels=3, values=6)),
        ("PNG of 12 megapixels, transparent palette", _with_transparency(3500, colour=3, channels=1, values=256)),
        ("PNG of 12 megapixels with alpha", flat_png(3500, 3500, bits=8, colour=6, channels=4)),
        ("PNG of 9 megapixels with alpha", flat_png(3050, 3050, bits=8, colour=6, channels=4)),
        ("PNG of 9 megapixels, grey, alpha, 16 bits", flat_png(3050, 3050, bits=16, colour=4, channels=2)),
        ("PNG of 6 megapixels, 16 bits", flat_png(2490, 2490, bits=16, colour=2, channels=3)),
        ("PNG of 4 megapixels with alpha, 16 bits", flat_png(2150, 2150, bits=16, colour=6, channels=4)),
        ("PNG, 12 megapixels interlaced", _interlaced_png()),
        ("PNG, IDAT of single bytes", head + tiny + end),
        ("PNG, empty IDAT", filled(png_chunk(b"IDAT", b""), head, png_chunk(b"IDAT", idat) + end)),
        ("PNG, 900 empty IDAT", head + png_chunk(b"IDAT", b"") * 900 + png_chunk(b"IDAT", idat) + end),
        ("PNG, empty deflate blocks", head + png_chunk(b"IDAT", _empty_blocks(bytes((1 + 64 * 3) * 64))) + end),
        ("PNG, 900 compressed texts", head + text * 900 + png_chunk(b"IDAT", idat) + end),
        ("PNG, 5 MiB behind the end", head + png_chunk(b"IDAT", idat) + end + bytes(ROOM)),
    ):
        yield Photo(name, data)


def _with_transparency(side: int, colour: int, channels: int, values: int) -> bytes:
    palette = png_chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    extra = palette + png_chunk(b"tRNS", bytes(values))
    return flat_png(side, side, bits=8, colour=colour, channels=channels, extra=extra)


def _empty_blocks(pixels: bytes) -> bytes:
    """Return a zlib stream of a million empty blocks, and then the pixels."""
    packer = zlib.compressobj(9, wbits=-15)
    block = b"\x00\x00\x00\xff\xff"  # stored, not the last, of length 0
    stream = block * 900_000 + packer.compress(pixels) + packer.flush()
    return b"\x78\xda" + stream + struct.pack(">I", zlib.adler32(pixels))


def _interlaced_png() -> bytes:
    """Interlaced: seven passes over the pixels."""
    header = struct.pack(">IIBBBBB", 3500, 3500, 8, 2, 0, 0, 1)
    size = 0
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for x, y, dx, dy in passes:
        columns, rows = -(-(3500 - x) // dx), -(-(3500 - y) // dy)
        size += rows * (1 + 3 * columns)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(size))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _gifs() -> Iterator[Photo]:
    screen, image = gif_parts()
    size = image[:10] + image[10:11]  # the image's descriptor, and the width of its codes
    clear = bytes([255]) + _codes(256, 9, 226)  # a sub-block of clear codes
    for name, data in (
        ("GIF of 12 megapixels", saved(Image.new("L", (3500, 3500)), "GIF")),
        ("GIF, clear codes alone", filled(clear, screen + size, b"\0;")),
        ("GIF, sub-blocks of one byte", filled(b"\x01\x00", screen + size, b"\0;")),
        ("GIF, 5 MiB of empty images", filled(b",\0\0\0\0\x40\0\x40\0\0\x08\0", screen, b";")),
        ("GIF, 5 MiB behind the image", filled(b"!\xfe\x01A\0", screen + image[:-1], b";")),
        ("GIF, 900 extensions of 5 kB", screen + (b"!\xfe" + (b"\xff" + bytes(255)) * 20 + b"\0") * 45 + image),
    ):
        yield Photo(name, data)


def _codes(code: int, bits: int, count: int) -> bytes:
    """Return LZW codes, packed from the lowest bit on, in 255 bytes."""
    number = sum(code << (bits * place) for place in range(count))
    return number.to_bytes(256, "little")[:255]


def _webps() -> Iterator[Photo]:
    webp = saved(Image.new("RGB", (64, 64)), "WEBP", lossless=True)[12:]
    canvas = bytes([63, 0, 0]) * 2  # 64 x 64, each minus one
    extended = webp_chunk(b"VP8X", bytes(4) + canvas)
    frame = webp_chunk(b"ANMF", bytes(6) + canvas + bytes(4) + webp)
    moving = webp_chunk(b"VP8X", bytes([2, 0, 0, 0]) + canvas) + webp_chunk(b"ANIM", bytes(6))
    junk = webp_chunk(b"junk", b"")
    for name, data in (
        ("WebP, empty chunks behind", riff(extended, webp, junk * (ROOM // 8))),
        ("WebP, empty chunks before", riff(extended, junk * (ROOM // 8), webp)),
        ("WebP, frames alone", riff(moving, frame * (ROOM // len(frame)))),
        ("WebP, one of 9 megapixels", saved(Image.new("RGB", (3000, 3000)), "WEBP", lossless=True)),
    ):
        yield Photo(name, data)


def costly_photos() -> Iterator[Photo]:
    for photos in (_jpegs_of_scans, _jpegs, _pngs, _gifs, _webps):
        yield from photos()
