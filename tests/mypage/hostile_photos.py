"""Uploads that must be refused, and odd ones that must not, all made here: nothing binary is kept in the repository.

The bombs are real where that matters (they decode to what their header says) and cost nothing to make: a flat picture
takes hardly any bytes, and its header is patched to claim more.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from app.mypage.photo import MAX_BYTES, Reason

RED, GREEN, BLUE, YELLOW = (220, 20, 20), (20, 180, 20), (20, 20, 220), (230, 220, 20)
GPS = {1: "N", 2: (37.0, 33.0, 59.0), 3: "E", 4: (126.0, 58.0, 41.0)}  # Seoul: what must never come out again
PAYLOAD = b"<script>alert(document.cookie)</script>"
ARCHIVE = b"PK\x03\x04" + PAYLOAD
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Photo:
    """A file as a browser would upload it."""

    name: str
    filename: str
    data: bytes
    content_type: str


@dataclass(frozen=True)
class HostilePhoto(Photo):
    """One to refuse, and why."""

    reason: Reason


def hostile_photos() -> Iterator[HostilePhoto]:
    """More than a hundred, each with a name of its own, in less than a second and hardly any memory."""
    yield from _no_photos()
    yield from _too_large()
    yield from _cut_short()
    yield from _small_and_vast()
    yield from _too_complex()
    yield from _inflating()
    yield from _broken_jpegs()
    yield from _broken_pngs()
    yield from _broken_gifs()
    yield from _broken_webps()


def accepted_photos() -> Iterator[Photo]:
    """Odd, but good: each comes out as a square like any other."""
    yield from _odd_modes()
    yield from _with_baggage()
    yield from _animations()
    yield from largest_photos()


def largest_photos() -> Iterator[Photo]:
    """Those that take the most memory that is allowed, for each format."""
    yield _photo("JPEG of 25 megapixels", "large.jpg", resized_jpeg(_jpeg(), 5000, 5000))
    full_colour = _jpeg(progressive=True, subsampling=0)
    yield _photo("progressive JPEG of 25 megapixels", "large.jpg", resized_jpeg(full_colour, 5000, 5000))
    yield _photo("progressive JPEG, a 9:1 strip of 25 megapixels", "strip.jpg", resized_jpeg(full_colour, 15240, 1640))
    yield _photo("progressive JPEG, a narrow one decoded whole", "strip.jpg", resized_jpeg(full_colour, 15640, 799))
    print_colour = _saved("JPEG", "CMYK", progressive=True, subsampling=0)
    yield _photo("progressive CMYK JPEG of 18 megapixels", "print.jpg", resized_jpeg(print_colour, 4240, 4240))
    yield _photo("RGBA PNG of 12.5 megapixels", "large.png", flat_png(3535, 3535, bits=8, colour=6, channels=4))
    yield _photo("16-bit RGBA PNG of 12.5 megapixels", "deep.png", flat_png(3535, 3535, bits=16, colour=6, channels=4))
    yield _photo("16-bit grey PNG of 12.5 megapixels", "scan.png", flat_png(3535, 3535, bits=16, colour=0, channels=1))
    yield _photo("transparent GIF of 12.5 megapixels", "large.gif", _saved("GIF", "P", (3535, 3535), transparency=3))
    yield _photo("lossless WebP of 10 megapixels", "large.webp", resized_webp(flat_webp(), 3162, 3162))
    yield _photo("JPEG whose EXIF claims 500 MB", "exif.jpg", _with_exif_of_one_block(tags=500, block=MEBIBYTE))


def oriented_photo(orientation: int) -> bytes:
    """A JPEG that, seen upright, is red, green / blue, yellow in its four quarters, and that tells where it was taken.

    Args:
        orientation: the EXIF value, 1 to 8. Painted after the standard's own words (CIPA DC-008, tag 274), which say
            which side of the scene the first row and the first column of the file show.
    """
    colours = {"top left": RED, "top right": GREEN, "bottom left": BLUE, "bottom right": YELLOW}
    opposite = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}
    rows = ["top", "top", "bottom", "bottom", "left", "right", "right", "left"]
    columns = ["left", "right", "right", "left", "top", "top", "bottom", "bottom"]
    row, column = rows[orientation - 1], columns[orientation - 1]
    image = Image.new("RGB", (640, 480))
    for top, side in ((0, row), (240, opposite[row])):
        for left, other in ((0, column), (320, opposite[column])):
            corner = f"{side} {other}" if f"{side} {other}" in colours else f"{other} {side}"
            image.paste(colours[corner], (left, top, left + 320, top + 240))
    return saved(image, "JPEG", exif=exif(orientation), quality=95)


def exif(orientation: int) -> bytes:
    """EXIF as a phone writes it: orientation, the maker and where it was taken."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "Maker"
    tags.get_ifd(0x8825).update(GPS)
    return tags.tobytes()


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    """The image as a file of Pillow's format `format_`."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def flat_png(width: int, height: int, bits: int = 1, colour: int = 0, channels: int = 1, extra: bytes = b"") -> bytes:
    """A black (or clear) PNG of that many px that decodes; `extra` are chunks to stand before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    row = 1 + (width * bits * channels + 7) // 8
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", deflated_zeros(row * height))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


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
    jpeg = resized_jpeg(_jpeg(progressive=True), 6000, 4000)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (scans - jpeg.count(b"\xff\xda")) + b"\xff\xd9"


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


def _saved(format_: str, mode: str = "RGB", size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    return saved(Image.new(mode, size), format_, **options)


def _jpeg(**options: object) -> bytes:
    return saved(Image.new("RGB", (64, 64), RED), "JPEG", **options)


def _textured(format_: str, **options: object) -> bytes:
    """A file with enough pixel data to be cut or broken in the midst of it."""
    return saved(Image.effect_noise((200, 200), 40), format_, **options)


TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml"}


def _type(filename: str) -> str:
    return TYPES.get(filename.rpartition(".")[2], "application/octet-stream")


def _photo(name: str, filename: str, data: bytes) -> Photo:
    return Photo(name, filename, data, _type(filename))


def _hostile(name: str, filename: str, data: bytes, reason: Reason) -> HostilePhoto:
    return HostilePhoto(name, filename, data, _type(filename), reason)


def _no_photos() -> Iterator[HostilePhoto]:
    yield _hostile("nothing at all", "photo.jpg", b"", Reason.EMPTY)
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
        ("TIFF", "photo.tif", _saved("TIFF")),
        ("BMP", "photo.bmp", _saved("BMP")),
        ("ICO", "favicon.ico", _saved("ICO")),
        ("PCX", "photo.pcx", _saved("PCX")),
        ("PPM", "photo.ppm", _saved("PPM")),
        ("EPS", "photo.eps", _saved("EPS")),
        ("PDF", "photo.pdf", _saved("PDF")),
        ("PSD", "photo.psd", b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(200)),
        ("HEIC", "photo.heic", box % (b"heic", b"heic") + bytes(200)),
        ("AVIF", "photo.avif", box % (b"avif", b"avif") + bytes(200)),
        ("MP4", "photo.mp4", box % (b"isom", b"mp42") + bytes(200)),
        ("JPEG 2000", "photo.jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(200)),
        ("JPEG XL", "photo.jxl", b"\xff\x0a" + bytes(200)),
        ("WAV, a RIFF but no WebP", "photo.webp", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(200)),
        ("JPEG behind a blank", "photo.jpg", b" " + _jpeg()),
        ("PNG mangled by a text transfer", "photo.png", _saved("PNG").replace(b"\r\n", b"\n")),
    ):
        yield _hostile(name, filename, data, Reason.NOT_AN_IMAGE)


def _too_large() -> Iterator[HostilePhoto]:
    yield _hostile("6 MiB of zeros", "photo.jpg", bytes(6 * MEBIBYTE), Reason.TOO_LARGE)
    yield _hostile("good JPEG, one byte too long", "photo.jpg", _jpeg().ljust(MAX_BYTES + 1, b"\0"), Reason.TOO_LARGE)
    yield _hostile("good PNG, one byte too long", "photo.png", _saved("PNG").ljust(MAX_BYTES + 1), Reason.TOO_LARGE)


def _cut_short() -> Iterator[HostilePhoto]:
    jpeg, png, gif, webp = _textured("JPEG"), _textured("PNG"), _textured("GIF"), _textured("WEBP")
    progressive = _textured("JPEG", progressive=True)
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
        yield _hostile(name, filename, data, Reason.DAMAGED)


def _small_and_vast() -> Iterator[HostilePhoto]:
    for format_, filename in (("JPEG", "dot.jpg"), ("PNG", "dot.png"), ("GIF", "dot.gif"), ("WEBP", "dot.webp")):
        yield _hostile(f"{format_} of 1x1", filename, _saved(format_, size=(1, 1)), Reason.DIMENSIONS)
    big_screen = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"
    small_screen = b"GIF89a\x40\0\x40\0\0\0\0,\0\0\0\0%b\0\x02\x02\x44\x01\0;"
    canvas = riff(webp_chunk(b"VP8X", bytes(4) + b"\xff" * 6), flat_webp()[12:])
    lossy = saved(Image.new("RGB", (64, 64)), "WEBP")
    animated = b"\0\0\0\x02\0\0\0\0"
    for name, filename, data in (
        ("10001x1", "line.png", flat_png(10001, 1)),
        ("1x10001", "line.png", flat_png(1, 10001)),
        ("31x400", "slim.png", flat_png(31, 400)),
        ("JPEG of 25.01 megapixels", "vast.jpg", resized_jpeg(_jpeg(), 5001, 5001)),
        ("JPEG of 65500x65500", "vast.jpg", resized_jpeg(_jpeg(), 65500, 65500)),
        ("JPEG strip that cannot be reduced", "strip.jpg", resized_jpeg(_jpeg(), 31250, 799)),
        ("CMYK JPEG of 18.1 megapixels", "vast.jpg", resized_jpeg(_saved("JPEG", "CMYK"), 4255, 4255)),
        ("PNG of 12.6 megapixels", "vast.png", flat_png(3550, 3550)),
        ("PNG of 100 megapixels, which Pillow warns of", "vast.png", flat_png(10_000, 10_000)),
        ("PNG of 50,000x50,000", "vast.png", flat_png(50_000, 50_000)),
        ("PNG of 2^31-1 squared", "vast.png", _png_header(2**31 - 1, 2**31 - 1)),
        ("PNG of -1 squared", "vast.png", _png_header(2**32 - 1, 2**32 - 1)),
        ("PNG whose pixels overflow 32 bits to 0", "vast.png", _png_header(2**16, 2**16)),
        ("animated PNG of 400 megapixels", "vast.png", flat_png(20_000, 20_000, extra=png_chunk(b"acTL", animated))),
        ("GIF of 65535x65535 in 29 bytes", "vast.gif", big_screen),
        ("GIF of 12.6 megapixels", "vast.gif", _saved("GIF", "L", (3550, 3550))),
        ("GIF with a frame of 100 megapixels, which Pillow warns of", "frame.gif", small_screen % (b"\x10\x27" * 2)),
        ("GIF with a frame of 65535x65535", "frame.gif", small_screen % (b"\xff" * 4)),
        ("animated GIF of 25 megapixels", "vast.gif", _frames("GIF").replace(b"\x40\0\x40\0", b"\x88\x13\x88\x13")),
        ("lossless WebP of 16383x16383", "vast.webp", resized_webp(flat_webp(), 16383, 16383)),
        ("lossless WebP of 10.01 megapixels", "vast.webp", resized_webp(flat_webp(), 3164, 3164)),
        ("lossless WebP of 12.6 megapixels", "vast.webp", resized_webp(flat_webp(), 3550, 3550)),
        ("lossy WebP of 16383x16383", "vast.webp", lossy[:26] + b"\xff\x3f\xff\x3f" + lossy[30:]),
        ("WebP with a canvas of 2^24 squared", "vast.webp", canvas),
    ):
        yield _hostile(name, filename, data, Reason.DIMENSIONS)


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings one row of it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", deflated_zeros(1000))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def _too_complex() -> Iterator[HostilePhoto]:
    text = png_chunk(b"tEXt", b"k\0v")
    screen, image = _gif_parts()
    for name, filename, data in (
        ("JPEG of 20,010 scans", "scans.jpg", repeated_scan(20_010)),
        ("JPEG of 33 scans", "scans.jpg", repeated_scan(33)),
        ("JPEG of 200,000 comments", "comments.jpg", b"\xff\xd8" + b"\xff\xfe\0\x04hi" * 200_000 + _jpeg()[2:]),
        ("PNG of 100,000 texts", "texts.png", flat_png(64, 64, extra=text * 100_000)),
        ("PNG of 1,001 chunks", "texts.png", flat_png(64, 64, extra=text * 998)),
        ("GIF of 200,000 comments", "comments.gif", screen + b"!\xfe\x01A\0" * 200_000 + image),
        ("GIF comment of 2,500,000 pieces", "pieces.gif", screen + b"!\xfe" + b"\x01A" * 2_500_000 + b"\0" + image),
    ):
        yield _hostile(name, filename, data, Reason.TOO_COMPLEX)


def _inflating() -> Iterator[HostilePhoto]:
    zeros = deflated_zeros(200 * MEBIBYTE)
    wide = zlib.compress(("a" * (MEBIBYTE - 8) + "\U0001f600").encode())  # one emoji: four bytes for each letter
    texts = b"".join(png_chunk(b"iTXt", b"key%d\0\x01\0\0\0" % number + wide) for number in range(60))
    for name, chunks in (
        ("PNG with 200 MB of zTXt", png_chunk(b"zTXt", b"key\0\0" + zeros)),
        ("PNG with 200 MB of iTXt", png_chunk(b"iTXt", b"key\0\x01\0\0\0" + zeros)),
        ("PNG with 60 iTXt of 4 MB each", texts),
        ("PNG with 200 MB of iCCP", png_chunk(b"iCCP", b"profile\0\0" + zeros)),
    ):
        yield _hostile(name, "inflating.png", flat_png(64, 64, extra=chunks), Reason.DAMAGED)


def _broken_jpegs() -> Iterator[HostilePhoto]:
    jpeg = _textured("JPEG")
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
        ("lossless JPEG", jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1)),
    ):
        yield _hostile(name, "broken.jpg", data, Reason.DAMAGED)


def _broken_pngs() -> Iterator[HostilePhoto]:
    png = _textured("PNG")
    pixels = png.index(b"IDAT") + 4
    signature, header, end = png[:8], png[8:33], png[-12:]
    nameless = png_chunk(b"\0\0\0\0", b"")
    animation = png_chunk(b"acTL", b"\0\0\0\x02\0\0\0\0")
    outside = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 4000, 4000, 90, 90, 1, 1, 0, 0))
    for name, data in (
        ("PNG with corrupt pixels", png[: pixels + 500] + bytes(500) + png[pixels + 1000 :]),
        ("PNG with a wrong header checksum", png[:29] + bytes(4) + png[33:]),
        ("PNG without pixels across", _png_header(0, 64)),
        ("PNG without pixels down", _png_header(64, 0)),
        ("PNG with one row of many", _png_header(640, 640)),
        ("PNG without IDAT", signature + header + end),
        ("PNG of an end alone", signature + end),
        ("PNG of 3 bits", flat_png(64, 64, bits=3)),
        ("PNG with a nameless chunk", signature + header + nameless + png[33:]),
        ("PNG with a chunk of 2^31 bytes", signature + header + b"\x7f\xff\xff\xfftEXt" + png[33:]),
        ("animated PNG with a frame outside", signature + header + animation + outside + png[33:]),
    ):
        yield _hostile(name, "broken.png", data, Reason.DAMAGED)


def _gif_parts() -> tuple[bytes, bytes]:
    """A GIF in two: the screen with its palette, and what begins at its only image."""
    gif = saved(Image.new("L", (64, 64), 200), "GIF")
    start = 13 + 3 * (2 << (gif[10] & 7))
    return gif[:start], gif[start:]


def _broken_gifs() -> Iterator[HostilePhoto]:
    screen, image = _gif_parts()
    # After an extension without content Pillow takes the comma for a length, and goes on to the comments behind it.
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
        yield _hostile(name, "broken.gif", data, Reason.DAMAGED)


def _broken_webps() -> Iterator[HostilePhoto]:
    lossy, lossless = _textured("WEBP"), _textured("WEBP", lossless=True)
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
        yield _hostile(name, "broken.webp", data, Reason.DAMAGED)


def _odd_modes() -> Iterator[Photo]:
    half = Image.new("RGB", (300, 200), RED)
    yield _photo("CMYK JPEG", "print.jpg", saved(half.convert("CMYK"), "JPEG"))
    yield _photo("grey JPEG", "grey.jpg", saved(half.convert("L"), "JPEG"))
    yield _photo("progressive JPEG", "slow.jpg", saved(half, "JPEG", progressive=True))
    yield _photo("JPEG of 11 scans", "scans.jpg", repeated_scan(11))
    yield _photo("JPEG named .png", "photo.png", saved(half, "JPEG"))
    yield _photo("JPEG with restart markers", "restart.jpg", saved(half, "JPEG", restart_marker_rows=1))
    # None of these begins a segment, though a length of 2 seems to follow each.
    stuffed = b"\xff\x00\x00\x02" * 1500 + b"\xff\xd0\x00\x02" * 1500
    yield _photo("JPEG full of stuffed bytes", "stuffed.jpg", _jpeg()[:-2] + stuffed + b"\xff\xd9")
    yield _photo("16-bit grey PNG", "deep.png", saved(Image.new("I;16", (300, 200), 0x8000), "PNG"))
    yield _photo("1-bit PNG", "bits.png", saved(half.convert("1"), "PNG"))
    yield _photo("palette PNG with transparency", "glass.png", saved(half.quantize(8), "PNG", transparency=0))
    yield _photo("RGB PNG with a transparent colour", "glass.png", saved(half, "PNG", transparency=RED))
    yield _photo("grey PNG with alpha", "glass.png", saved(Image.new("LA", (300, 200), (9, 128)), "PNG"))
    yield _photo("RGBA PNG", "glass.png", saved(Image.new("RGBA", (300, 200), (*RED, 128)), "PNG"))
    yield _photo("GIF with transparency", "glass.gif", saved(half.quantize(8), "GIF", transparency=0))
    yield _photo("lossless WebP", "photo.webp", saved(half, "WEBP", lossless=True))
    yield _photo("the smallest allowed", "small.png", saved(half.resize((32, 32)), "PNG"))


def _with_baggage() -> Iterator[Photo]:
    image = Image.new("RGB", (300, 200), RED)
    png = saved(image, "PNG", exif=exif(6))
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\x7f" * 9
    yield _photo("12-megapixel phone photo with GPS", "IMG_0001.jpg", _phone_photo())
    for orientation in range(1, 9):
        yield _photo(f"JPEG of orientation {orientation}", "phone.jpg", oriented_photo(orientation))
    yield _photo("JPEG with ICC, XMP and EXIF", "rich.jpg", saved(image, "JPEG", **_metadata()))
    yield _photo("PNG with ICC and EXIF", "rich.png", saved(image, "PNG", **_metadata()))
    yield _photo("WebP with ICC, XMP and EXIF", "rich.webp", saved(image, "WEBP", **_metadata()))
    yield _photo("JPEG with unreadable EXIF", "camera.jpg", saved(image, "JPEG", exif=broken_exif))
    yield _photo("WebP with unreadable EXIF", "camera.webp", saved(image, "WEBP", exif=b"Exif\0\0nonsense"))
    yield _photo("PNG with a script behind it", "script.png", png + PAYLOAD)
    yield _photo("PNG with an archive behind it", "archive.png", png + ARCHIVE)
    yield _photo("PNG with a script in a text chunk", "text.png", png[:33] + png_chunk(b"tEXt", PAYLOAD) + png[33:])
    yield _photo("GIF with an archive behind it", "archive.gif", saved(image, "GIF") + ARCHIVE)
    yield _photo("GIF with a comment", "comment.gif", saved(image, "GIF", comment=PAYLOAD))
    yield _photo("JPEG with a script in a comment", "comment.jpg", saved(image, "JPEG", comment=PAYLOAD))
    yield _photo("JPEG with an archive behind it", "archive.jpg", saved(image, "JPEG") + ARCHIVE)


def _with_exif_of_one_block(tags: int, block: int) -> bytes:
    """A JPEG whose EXIF tags all point at the same bytes; Pillow 12.0 copies them for each."""
    end = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", tag, 7, block, end) for tag in range(tags))
    tiff = b"II*\0" + struct.pack("<IH", 8, tags) + entries + bytes(4 + block)
    pieces = [b"Exif\0\0" + tiff[start : start + 65_000] for start in range(0, len(tiff), 65_000)]
    segments = [b"\xff\xe1" + struct.pack(">H", 2 + len(piece)) + piece for piece in pieces]
    return b"\xff\xd8" + b"".join(segments) + _jpeg()[2:]


def _metadata() -> dict[str, bytes]:
    return {"icc_profile": b"ICC" + bytes(500), "exif": exif(1), "xmp": b"<x:xmpmeta>" + PAYLOAD + b"</x:xmpmeta>"}


def _phone_photo() -> bytes:
    """4032x3024 px with detail, a thumbnail's worth of EXIF and a position."""
    image = Image.radial_gradient("L").resize((4032, 3024)).convert("RGB")
    ImageDraw.Draw(image).ellipse((1500, 900, 2500, 2100), fill=RED)
    return saved(image, "JPEG", exif=exif(6))


def _frames(format_: str) -> bytes:
    """Two frames, red and blue."""
    second = Image.new("RGB", (64, 64), BLUE)
    return saved(Image.new("RGB", (64, 64), RED), format_, save_all=True, append_images=[second], duration=100)


def _animations() -> Iterator[Photo]:
    yield _photo("animated PNG", "moving.png", _frames("PNG"))
    yield _photo("animated GIF", "moving.gif", _frames("GIF"))
    yield _photo("animated WebP", "moving.webp", _frames("WEBP"))
    yield _photo("MPO, two JPEGs in one file", "stereo.jpg", _frames("MPO"))
