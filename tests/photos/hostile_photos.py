"""Generated uploads that must be refused, each with the expected reason."""

import hashlib
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from app.photos.decoding import MAX_BYTES, Reason
from tests.photos.broken_photos import broken_photos
from tests.photos.forged_files import (
    MEBIBYTE,
    deflated_zeros,
    flat_png,
    flat_webp,
    gif_parts,
    one_row_png,
    png_chunk,
    repeated_scan,
    resized_jpeg,
    resized_webp,
    riff,
    webp_chunk,
)
from tests.photos.forged_jpegs import ALL, ARITHMETIC, LOSSLESS, PROGRESSIVE, jpeg_of, scan
from tests.photos.photo_files import ARCHIVE, PAYLOAD, HostilePhoto, flat, frames, hostile, red_jpeg, saved, textured


def hostile_photos() -> Iterator[HostilePhoto]:
    """Yield more than a hundred uploads with unique names, in less than a second and with little memory."""
    yield from _other_file_types()
    yield from _too_large()
    yield from _truncated()
    yield from _wrong_dimensions()
    yield from _too_complex()
    yield from _decompression_bombs()
    yield from broken_photos()


def _other_file_types() -> Iterator[HostilePhoto]:
    yield hostile("nothing at all", "photo.jpg", b"", Reason.EMPTY)
    box = b"\x00\x00\x00\x1cftyp%b\x00\x00\x00\x00mif1%bmiaf"
    for name, filename, data in (
        ("one byte", "photo.jpg", b"\xff"),
        ("garbage", "photo.jpg", hashlib.shake_256(b"noise").digest(20_000)),
        ("zero bytes", "photo.png", bytes(20_000)),
        ("text", "photo.png", b"This is not an image.\n" * 50),
        ("HTML named .png", "photo.png", b"<!doctype html>" + PAYLOAD),
        ("SVG with a script", "photo.svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + PAYLOAD + b"</svg>"),
        ("SVG with entities", "photo.svg", b'<!DOCTYPE s [<!ENTITY a "&b;&b;">]><svg>&a;</svg>'),
        ("PHP named .jpg", "photo.php.jpg", b"<?php system($_GET['c']); ?>"),
        ("ZIP", "photo.jpg", ARCHIVE),
        ("ELF program", "photo.jpg", b"\x7fELF\x02\x01\x01" + bytes(200)),
        ("TIFF", "photo.tif", flat("TIFF")),
        ("BMP", "photo.bmp", flat("BMP")),
        ("ICO", "favicon.ico", flat("ICO")),
        ("PCX", "photo.pcx", flat("PCX")),
        ("PPM", "photo.ppm", flat("PPM")),
        ("EPS", "photo.eps", flat("EPS")),
        ("PDF", "photo.pdf", flat("PDF")),
        ("PSD", "photo.psd", b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(200)),
        ("MP4", "photo.mp4", box % (b"isom", b"mp42") + bytes(200)),
        ("JPEG 2000", "photo.jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(200)),
        ("JPEG XL", "photo.jxl", b"\xff\x0a" + bytes(200)),
        ("WAV, a RIFF but no WebP", "photo.webp", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200)),
        ("JPEG behind a blank", "photo.jpg", b" " + red_jpeg()),
        ("PNG mangled by a text transfer", "photo.png", flat("PNG").replace(b"\r\n", b"\n")),
    ):
        yield hostile(name, filename, data, Reason.NOT_AN_IMAGE)
    for name, filename, brand in (
        ("HEIC", "photo.heic", b"heic"),
        ("HEIC of several pictures, named .jpg", "IMG_0001.jpg", b"mif1"),
        ("AVIF", "photo.avif", b"avif"),
        ("AVIF that moves", "photo.avif", b"avis"),
    ):
        yield hostile(name, filename, box % (brand, brand) + bytes(200), Reason.HEIF)


def _too_large() -> Iterator[HostilePhoto]:
    yield hostile("6 MiB of zeros", "photo.jpg", bytes(6 * MEBIBYTE), Reason.TOO_LARGE)
    yield hostile("good JPEG, one byte too long", "photo.jpg", red_jpeg().ljust(MAX_BYTES + 1, b"\0"), Reason.TOO_LARGE)
    yield hostile("good PNG, one byte too long", "photo.png", flat("PNG").ljust(MAX_BYTES + 1), Reason.TOO_LARGE)


def _truncated() -> Iterator[HostilePhoto]:
    jpeg, png, gif, webp = textured("JPEG"), textured("PNG"), textured("GIF"), textured("WEBP")
    progressive = textured("JPEG", progressive=True)
    for name, filename, data in (
        ("JPEG cut in half", "photo.jpg", jpeg[: len(jpeg) // 2]),
        ("JPEG cut near the end", "photo.jpg", jpeg[:-100]),
        ("JPEG cut in its header", "photo.jpg", jpeg[:100]),
        ("progressive JPEG cut in half", "photo.jpg", progressive[: len(progressive) // 2]),
        ("JPEG of a start alone", "photo.jpg", b"\xff\xd8\xff"),
        ("JPEG of start and end", "photo.jpg", b"\xff\xd8\xff\xd9"),
        ("PNG cut in half", "photo.png", png[: len(png) // 2]),
        ("PNG without its end", "photo.png", png[:-12]),
        ("PNG of a signature alone", "photo.png", png[:8]),
        ("GIF cut in half", "photo.gif", gif[: len(gif) // 2]),
        ("GIF of six bytes", "photo.gif", gif[:6]),
        ("GIF of a screen alone", "photo.gif", gif[:13]),
        ("WebP cut in half", "photo.webp", webp[: len(webp) // 2]),
        ("WebP of a RIFF header alone", "photo.webp", webp[:12]),
    ):
        yield hostile(name, filename, data, Reason.DAMAGED)


def _wrong_dimensions() -> Iterator[HostilePhoto]:
    for format_, filename in (("JPEG", "dot.jpg"), ("PNG", "dot.png"), ("GIF", "dot.gif"), ("WEBP", "dot.webp")):
        yield hostile(f"{format_} of 1x1", filename, flat(format_, size=(1, 1)), Reason.DIMENSIONS)
    big_screen = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"
    small_screen = b"GIF89a\x40\0\x40\0\0\0\0,\0\0\0\0%b\0\x02\x02\x44\x01\0;"
    canvas = riff(webp_chunk(b"VP8X", bytes(4) + b"\xff" * 6), flat_webp()[12:])
    lossy = saved(Image.new("RGB", (64, 64)), "WEBP")
    animated = b"\0\0\0\x02\0\0\0\0"
    for name, filename, data in (
        ("10001x1", "line.png", flat_png(10001, 1)),
        ("1x10001", "line.png", flat_png(1, 10001)),
        ("31x400", "slim.png", flat_png(31, 400)),
        ("JPEG of 25.01 megapixels", "vast.jpg", resized_jpeg(red_jpeg(), 5001, 5001)),
        ("JPEG of 65500x65500", "vast.jpg", resized_jpeg(red_jpeg(), 65500, 65500)),
        ("JPEG strip of 25 megapixels that can hardly be reduced", "strip.jpg", resized_jpeg(red_jpeg(), 15634, 1599)),
        ("JPEG strip that cannot be reduced", "strip.jpg", resized_jpeg(red_jpeg(), 20050, 799)),
        ("CMYK JPEG of 18.1 megapixels", "vast.jpg", resized_jpeg(flat("JPEG", "CMYK"), 4255, 4255)),
        ("PNG of 12.6 megapixels", "vast.png", flat_png(3550, 3550)),
        ("RGBA PNG of 9.4 megapixels", "vast.png", flat_png(3062, 3062, bits=8, colour=6, channels=4)),
        ("16-bit RGBA PNG of 4.7 megapixels", "deep.png", flat_png(2166, 2166, bits=16, colour=6, channels=4)),
        ("PNG of 100 megapixels, which Pillow warns of", "vast.png", flat_png(10_000, 10_000)),
        ("PNG of 50,000x50,000", "vast.png", flat_png(50_000, 50_000)),
        ("PNG of 2^31-1 squared", "vast.png", one_row_png(2**31 - 1, 2**31 - 1)),
        ("PNG of -1 squared", "vast.png", one_row_png(2**32 - 1, 2**32 - 1)),
        ("PNG whose pixels overflow 32 bits to 0", "vast.png", one_row_png(2**16, 2**16)),
        ("animated PNG of 400 megapixels", "vast.png", flat_png(20_000, 20_000, extra=png_chunk(b"acTL", animated))),
        ("GIF of 65535x65535 in 29 bytes", "vast.gif", big_screen),
        ("GIF of 12.6 megapixels", "vast.gif", flat("GIF", "L", (3550, 3550))),
        ("GIF with a frame of 100 megapixels, which Pillow warns of", "frame.gif", small_screen % (b"\x10\x27" * 2)),
        ("GIF with a frame of 65535x65535", "frame.gif", small_screen % (b"\xff" * 4)),
        ("animated GIF of 25 megapixels", "vast.gif", frames("GIF").replace(b"\x40\0\x40\0", b"\x88\x13\x88\x13")),
        ("lossless WebP of 16383x16383", "vast.webp", resized_webp(flat_webp(), 16383, 16383)),
        ("lossless WebP of 9.1 megapixels", "vast.webp", resized_webp(flat_webp(), 3020, 3020)),
        ("lossy WebP of 16383x16383", "vast.webp", lossy[:26] + b"\xff\x3f\xff\x3f" + lossy[30:]),
        ("WebP with a canvas of 2^24 squared", "vast.webp", canvas),
    ):
        yield hostile(name, filename, data, Reason.DIMENSIONS)


def _too_complex() -> Iterator[HostilePhoto]:
    text = png_chunk(b"tEXt", b"k\0v")
    screen, image = gif_parts()
    for name, filename, data in (
        ("JPEG of 20,010 scans", "scans.jpg", repeated_scan(20_010)),
        ("JPEG of 21 scans, which are 25 passes", "scans.jpg", repeated_scan(21)),
        ("JPEG of 9 scans of three channels", "scans.jpg", jpeg_of(PROGRESSIVE, [scan(ALL, (0, 0), 0, b"")] * 9, 64)),
        ("lossless JPEG", "raw.jpg", jpeg_of(LOSSLESS, [scan(ALL, (1, 0), 0, b"")], 64)),
        ("JPEG in arithmetic coding", "rare.jpg", jpeg_of(ARITHMETIC, [scan(ALL, (0, 63), 0, bytes(64))], 64)),
        ("JPEG of 200,000 comments", "comments.jpg", b"\xff\xd8" + b"\xff\xfe\0\x04hi" * 200_000 + red_jpeg()[2:]),
        ("PNG of 100,000 texts", "texts.png", flat_png(64, 64, extra=text * 100_000)),
        ("PNG of 1,001 chunks", "texts.png", flat_png(64, 64, extra=text * 998)),
        ("GIF of 200,000 comments", "comments.gif", screen + b"!\xfe\x01A\0" * 200_000 + image),
        ("GIF comment of 2,500,000 pieces", "pieces.gif", screen + b"!\xfe" + b"\x01A" * 2_500_000 + b"\0" + image),
    ):
        yield hostile(name, filename, data, Reason.TOO_COMPLEX)


def _decompression_bombs() -> Iterator[HostilePhoto]:
    zeros = deflated_zeros(200 * MEBIBYTE)
    # With one emoji in it, Python stores every letter of the text in four bytes.
    wide = zlib.compress(("a" * (MEBIBYTE - 8) + "\U0001f600").encode())
    texts = b"".join(png_chunk(b"iTXt", b"key%d\0\x01\0\0\0" % number + wide) for number in range(60))
    for name, chunks in (
        ("PNG with 200 MB of zTXt", png_chunk(b"zTXt", b"key\0\0" + zeros)),
        ("PNG with 200 MB of iTXt", png_chunk(b"iTXt", b"key\0\x01\0\0\0" + zeros)),
        ("PNG with 60 iTXt of 4 MB each", texts),
        ("PNG with 200 MB of iCCP", png_chunk(b"iCCP", b"profile\0\0" + zeros)),
    ):
        yield hostile(name, "inflating.png", flat_png(64, 64, extra=chunks), Reason.DAMAGED)
