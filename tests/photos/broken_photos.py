"""Corrupt uploads: each starts like a photo, but none can be decoded."""

import struct
from collections.abc import Iterator

from app.photos.decoding import Reason
from tests.photos.forged_files import flat_png, gif_parts, one_row_png, png_chunk, resized_jpeg, riff, webp_chunk
from tests.photos.photo_files import PAYLOAD, HostilePhoto, exif, hostile, textured


def broken_photos() -> Iterator[HostilePhoto]:
    """Yield corrupt files of every format. All must be refused as damaged."""
    yield from _broken_jpegs()
    yield from _broken_pngs()
    yield from _broken_gifs()
    yield from _broken_webps()


def _broken_jpegs() -> Iterator[HostilePhoto]:
    jpeg = textured("JPEG")
    tables, frame = jpeg.index(b"\xff\xc4"), jpeg.index(b"\xff\xc0")
    length = int.from_bytes(jpeg[frame + 2 : frame + 4])
    header = jpeg[frame : frame + 2 + length]
    huge = b"\xff\xc0\xff\xf8\x08\x00\x40\x00\x40\x03" + b"\x01\x11\x00" * 21_840
    for name, data in (
        ("JPEG magic before PHP", b"\xff\xd8\xff\xe0<?php system($_GET['c']); ?>"),
        ("JPEG with a broken Huffman table", jpeg[: tables + 5] + b"\xff" * 16 + jpeg[tables + 21 :]),
        ("JPEG of 12 bits", jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :]),
        ("JPEG of two channels", jpeg[: frame + 9] + b"\x02" + jpeg[frame + 10 :]),
        ("JPEG without pixels across", resized_jpeg(jpeg, 0, 200)),
        ("JPEG without pixels down", resized_jpeg(jpeg, 200, 0)),
        ("JPEG with two frames", jpeg[:frame] + header + jpeg[frame:]),
        ("JPEG with 70 huge frame headers", jpeg[:frame] + huge * 70 + jpeg[frame:]),
        ("JPEG without a frame", jpeg[:frame] + jpeg[frame + len(header) :]),
        ("JPEG with a segment longer than itself", jpeg[:4] + b"\xff\xff" + jpeg[6:100]),
    ):
        yield hostile(name, "broken.jpg", data, Reason.DAMAGED)


def _broken_pngs() -> Iterator[HostilePhoto]:
    png = textured("PNG")
    pixels = png.index(b"IDAT") + 4
    signature, header, end = png[:8], png[8:33], png[-12:]
    nameless = png_chunk(b"\0\0\0\0", b"")
    animation = png_chunk(b"acTL", b"\0\0\0\x02\0\0\0\0")
    outside = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 4000, 4000, 90, 90, 1, 1, 0, 0))
    for name, data in (
        ("PNG with corrupt pixels", png[: pixels + 500] + bytes(500) + png[pixels + 1000 :]),
        ("PNG with a wrong header checksum", png[:29] + bytes(4) + png[33:]),
        ("PNG without pixels across", one_row_png(0, 64)),
        ("PNG without pixels down", one_row_png(64, 0)),
        ("PNG with one row of many", one_row_png(640, 640)),
        ("PNG without IDAT", signature + header + end),
        ("PNG of an end alone", signature + end),
        ("PNG of 3 bits", flat_png(64, 64, bits=3)),
        ("PNG with a nameless chunk", signature + header + nameless + png[33:]),
        ("PNG with a chunk of 2^31 bytes", signature + header + b"\x7f\xff\xff\xfftEXt" + png[33:]),
        ("animated PNG with a frame outside", signature + header + animation + outside + png[33:]),
    ):
        yield hostile(name, "broken.png", data, Reason.DAMAGED)


def _broken_gifs() -> Iterator[HostilePhoto]:
    screen, image = gif_parts()
    # After an empty extension, Pillow reads the comma as a length and then parses the comments that follow.
    false_image = b"!\x01\0," + bytes(44) + b"\0!\xfe" + b"\x01A" * 2_500_000 + b"\0"
    for name, data in (
        ("GIF and script in one", b"GIF89a/*" + PAYLOAD + b"*/=1;" + PAYLOAD),
        ("GIF without an image", screen + b";"),
        ("GIF of comments alone", screen + b"!\xfe\x05hello\0;"),
        ("GIF with junk between its blocks", screen + bytes(100) + image),
        ("GIF with an impossible code size", screen + image[:10] + b"\x0e" + image[11:]),
        ("GIF with 2,500,000 comments behind a false image", screen + false_image + image),
        ("GIF with an image of no size", screen + b",\0\0\0\0\0\0\0\0\0\x02\0;"),
    ):
        yield hostile(name, "broken.gif", data, Reason.DAMAGED)


def _broken_webps() -> Iterator[HostilePhoto]:
    lossy, lossless = textured("WEBP"), textured("WEBP", lossless=True)
    extended = webp_chunk(b"VP8X", bytes(4) + b"\x3f\0\0\x3f\0\0")
    for name, data in (
        ("WebP with a RIFF size too large", lossy[:4] + b"\xff\xff\xff\x7f" + lossy[8:]),
        ("WebP with a RIFF size of 0", lossy[:4] + bytes(4) + lossy[8:]),
        ("WebP without an image", riff(extended)),
        ("WebP with metadata alone", riff(extended, webp_chunk(b"EXIF", exif(6)))),
        ("WebP of an unknown chunk", riff(webp_chunk(b"VP9 ", bytes(100)))),
        ("WebP whose canvas is not its image", riff(extended, lossy[12:])),
        ("lossless WebP with corrupt pixels", lossless[:60] + b"\xff" * 400 + lossless[460:]),
        ("lossy WebP with a corrupt frame header", lossy[:23] + bytes(3) + lossy[26:]),
    ):
        yield hostile(name, "broken.webp", data, Reason.DAMAGED)
