"""Unusual but valid uploads that must be accepted, including the largest that are allowed."""

import struct
from collections.abc import Iterator

from PIL import Image, ImageDraw

from tests.photos.forged_files import MEBIBYTE, flat_png, flat_webp, png_chunk, resized_jpeg, resized_webp
from tests.photos.photo_files import PAYLOAD, RED, Photo, exif, flat, frames, red_jpeg, saved


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
