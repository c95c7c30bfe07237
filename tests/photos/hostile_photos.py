"""Generated uploads that must be refused, each with the expected reason.

Also files of up to 5 MiB that are cheap to make and would keep a decoder busy (algorithmic complexity attack): one a
bound of app/photos/containers.py and decoding.py, and of what is within them one a kind of work.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from app.photos.containers import Reason
from app.photos.decoding import MAX_BYTES
from tests.photos.forged_files import (
    ALL,
    ARITHMETIC,
    HUFFMAN,
    MEBIBYTE,
    PROGRESSIVE,
    SAME,
    ZEROS,
    deflated_zeros,
    few_random_bytes,
    flat_png,
    flat_webp,
    gif_parts,
    hidden,
    jpeg_of,
    one_row_png,
    png_chunk,
    refined,
    repeated_scan,
    resized_jpeg,
    resized_webp,
    riff,
    scan,
    webp_chunk,
)
from tests.photos.photo_files import ARCHIVE, PAYLOAD, HostilePhoto, Photo, flat, frames, red_jpeg, saved, textured

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
