"""Generated uploads that must be refused, each with the expected reason."""

import hashlib
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from app.photos.containers import Reason
from app.photos.decoding import MAX_BYTES
from tests.photos.forged_files import (
    ALL,
    MEBIBYTE,
    PROGRESSIVE,
    deflated_zeros,
    flat_png,
    flat_webp,
    gif_parts,
    jpeg_of,
    one_row_png,
    png_chunk,
    repeated_scan,
    resized_jpeg,
    resized_webp,
    riff,
    scan,
    webp_chunk,
)
from tests.photos.photo_files import ARCHIVE, PAYLOAD, HostilePhoto, flat, frames, red_jpeg, saved, textured

BOX = b"\x00\x00\x00\x1cftyp%b\x00\x00\x00\x00mif1" + bytes(200)


def hostile_photos() -> Iterator[HostilePhoto]:
    """Yield uploads with unique names, in less than a second and with little memory."""
    damaged = (
        _truncated() | _decompression_bombs() | _broken_jpegs() | _broken_pngs() | _broken_gifs() | _broken_webps()
    )
    for reason, photos in (
        (Reason.EMPTY, {"nothing at all": b""}),
        (Reason.NOT_AN_IMAGE, _other_file_types()),
        (Reason.HEIF, {brand: BOX % brand.encode() for brand in ("heic", "mif1", "avif")}),
        (Reason.TOO_LARGE, {"good JPEG, one byte too long": red_jpeg().ljust(MAX_BYTES + 1, b"\0")}),
        (Reason.DIMENSIONS, _wrong_dimensions()),
        (Reason.TOO_COMPLEX, _too_complex()),
        (Reason.DAMAGED, damaged),
    ):
        yield from (HostilePhoto(name, data, reason) for name, data in photos.items())


def _other_file_types() -> dict[str, bytes]:
    return {
        "garbage": hashlib.shake_256(b"noise").digest(20_000),
        "SVG with a script": b'<svg xmlns="http://www.w3.org/2000/svg">' + PAYLOAD + b"</svg>",
        "ZIP": ARCHIVE,
        "WAV, a RIFF but no WebP": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200),
        "JPEG behind a blank": b" " + red_jpeg(),
    }


def _truncated() -> dict[str, bytes]:
    png, gif, webp = flat("PNG"), flat("GIF"), flat("WEBP")
    return {
        "JPEG of a start alone": b"\xff\xd8\xff",
        "PNG without its end": png[:-12],
        "GIF of six bytes": gif[:6],
        "WebP of a RIFF header alone": webp[:12],
    }


def _wrong_dimensions() -> dict[str, bytes]:
    big_screen = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"
    small_screen = b"GIF89a\x40\0\x40\0\0\0\0,\0\0\0\0%b\0\x02\x02\x44\x01\0;"
    canvas = riff(webp_chunk(b"VP8X", bytes(4) + b"\xff" * 6), flat_webp()[12:])
    lossy = saved(Image.new("RGB", (64, 64)), "WEBP")
    animated = b"\0\0\0\x02\0\0\0\0"
    return {
        **{f"{format_} of 1x1": flat(format_, size=(1, 1)) for format_ in ("JPEG", "PNG", "GIF", "WEBP")},
        "JPEG of 25.01 megapixels": resized_jpeg(red_jpeg(), 5001, 5001),
        "JPEG strip of 25 megapixels that can hardly be reduced": resized_jpeg(red_jpeg(), 15634, 1599),
        "JPEG strip that cannot be reduced": resized_jpeg(red_jpeg(), 20050, 799),
        "CMYK JPEG of 18.1 megapixels": resized_jpeg(flat("JPEG", "CMYK"), 4255, 4255),
        "RGBA PNG of 9.4 megapixels": flat_png(3062, 3062, bits=8, colour=6, channels=4),
        "16-bit RGBA PNG of 4.7 megapixels": flat_png(2166, 2166, bits=16, colour=6, channels=4),
        "PNG of 100 megapixels, which Pillow warns of": flat_png(10_000, 10_000),
        "PNG of 2^31-1 squared": one_row_png(2**31 - 1, 2**31 - 1),
        "PNG whose pixels overflow 32 bits to 0": one_row_png(2**16, 2**16),
        "animated PNG of 400 megapixels": flat_png(20_000, 20_000, extra=png_chunk(b"acTL", animated)),
        "GIF of 65535x65535 in 29 bytes": big_screen,
        "GIF of 12.6 megapixels": flat("GIF", "L", (3550, 3550)),
        "GIF with a frame of 100 megapixels, which Pillow warns of": small_screen % (b"\x10\x27" * 2),
        "animated GIF of 25 megapixels": frames("GIF").replace(b"\x40\0\x40\0", b"\x88\x13\x88\x13"),
        "lossless WebP of 9.1 megapixels": resized_webp(flat_webp(), 3020, 3020),
        "lossy WebP of 16383x16383": lossy[:26] + b"\xff\x3f\xff\x3f" + lossy[30:],
        "WebP with a canvas of 2^24 squared": canvas,
    }


def _too_complex() -> dict[str, bytes]:
    text = png_chunk(b"tEXt", b"k\0v")
    screen, image = gif_parts()
    return {
        "JPEG of 21 scans, which are 25 passes": repeated_scan(21),
        "JPEG of 9 scans of three channels": jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 0, b"")] * 9, 64),
        "JPEG of 200,000 comments": b"\xff\xd8" + b"\xff\xfe\0\x04hi" * 200_000 + red_jpeg()[2:],
        "PNG of 100,000 texts": flat_png(64, 64, extra=text * 100_000),
        "PNG of 1,001 chunks": flat_png(64, 64, extra=text * 998),
        "GIF comment of 2,500,000 pieces": screen + b"!\xfe" + b"\x01A" * 2_500_000 + b"\0" + image,
    }


def _decompression_bombs() -> dict[str, bytes]:
    zeros = deflated_zeros(200 * MEBIBYTE)
    # With one emoji in it, Python stores every letter of the text in four bytes.
    wide = zlib.compress(("a" * (MEBIBYTE - 8) + "\U0001f600").encode())
    texts = b"".join(png_chunk(b"iTXt", b"key%d\0\x01\0\0\0" % number + wide) for number in range(60))
    chunks = {
        "PNG with 200 MB of zTXt": png_chunk(b"zTXt", b"key\0\0" + zeros),
        "PNG with 200 MB of iTXt": png_chunk(b"iTXt", b"key\0\x01\0\0\0" + zeros),
        "PNG with 60 iTXt of 4 MB each": texts,
        "PNG with 200 MB of iCCP": png_chunk(b"iCCP", b"profile\0\0" + zeros),
    }
    return {name: flat_png(64, 64, extra=extra) for name, extra in chunks.items()}


def _broken_jpegs() -> dict[str, bytes]:
    jpeg = textured("JPEG")
    tables, frame = jpeg.index(b"\xff\xc4"), jpeg.index(b"\xff\xc0")
    huge = b"\xff\xc0\xff\xf8\x08\x00\x40\x00\x40\x03" + b"\x01\x11\x00" * 21_840
    return {
        "JPEG magic before PHP": b"\xff\xd8\xff\xe0<?php system($_GET['c']); ?>",
        "JPEG with a broken Huffman table": jpeg[: tables + 5] + b"\xff" * 16 + jpeg[tables + 21 :],
        "JPEG of 12 bits": jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :],
        "JPEG without pixels across": resized_jpeg(jpeg, 0, 200),
        "JPEG with 70 huge frame headers": jpeg[:frame] + huge * 70 + jpeg[frame:],
        "JPEG with a segment longer than itself": jpeg[:4] + b"\xff\xff" + jpeg[6:100],
    }


def _broken_pngs() -> dict[str, bytes]:
    png = textured("PNG")
    pixels = png.index(b"IDAT") + 4
    signature, header, end = png[:8], png[8:33], png[-12:]
    nameless = png_chunk(b"\0\0\0\0", b"")
    animation = png_chunk(b"acTL", b"\0\0\0\x02\0\0\0\0")
    outside = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 4000, 4000, 90, 90, 1, 1, 0, 0))
    return {
        "PNG with corrupt pixels": png[: pixels + 500] + bytes(500) + png[pixels + 1000 :],
        "PNG without pixels across": one_row_png(0, 64),
        "PNG with one row of many": one_row_png(640, 640),
        "PNG without IDAT": signature + header + end,
        "PNG with a nameless chunk": signature + header + nameless + png[33:],
        "PNG with a chunk of 2^31 bytes": signature + header + b"\x7f\xff\xff\xfftEXt" + png[33:],
        "animated PNG with a frame outside": signature + header + animation + outside + png[33:],
    }


def _broken_gifs() -> dict[str, bytes]:
    screen, image = gif_parts()
    # After an empty extension, Pillow reads the comma as a length and then parses the comments that follow.
    false_image = b"!\x01\0," + bytes(44) + b"\0!\xfe" + b"\x01A" * 2_500_000 + b"\0"
    return {
        "GIF and script in one": b"GIF89a/*" + PAYLOAD + b"*/=1;" + PAYLOAD,
        "GIF without an image": screen + b";",
        "GIF with junk between its blocks": screen + bytes(100) + image,
        "GIF with an impossible code size": screen + image[:10] + b"\x0e" + image[11:],
        "GIF with 2,500,000 comments behind a false image": screen + false_image + image,
        "GIF with an image of no size": screen + b",\0\0\0\0\0\0\0\0\0\x02\0;",
    }


def _broken_webps() -> dict[str, bytes]:
    lossy, lossless = textured("WEBP"), textured("WEBP", lossless=True)
    extended = webp_chunk(b"VP8X", bytes(4) + b"\x3f\0\0\x3f\0\0")
    return {
        "WebP with a RIFF size too large": lossy[:4] + b"\xff\xff\xff\x7f" + lossy[8:],
        "WebP without an image": riff(extended),
        "WebP of an unknown chunk": riff(webp_chunk(b"VP9 ", bytes(100))),
        "WebP whose canvas is not its image": riff(extended, lossy[12:]),
        "lossless WebP with corrupt pixels": lossless[:60] + b"\xff" * 400 + lossless[460:],
    }
