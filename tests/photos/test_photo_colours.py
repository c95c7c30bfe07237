"""A photo is stored in sRGB, whatever profile it has. The colours that are expected are computed by CSS Color 4, 17."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from app.photos.decoding import square_webp
from tests.photos.forged_files import MEBIBYTE, deflated_zeros, png_chunk
from tests.photos.photo_files import exif, near, pixel, saved
from tests.photos.profiles import (
    ADOBE_RGB,
    ALL_TAN,
    GREY_OF_LIGHT,
    P3,
    PROPHOTO,
    curves,
    newer_table,
    profile,
    stages,
    table,
)

Colour = tuple[int, ...]
ORANGE, BLUE, GREEN = (200, 100, 50), (60, 120, 180), (90, 160, 70)
OFF = 3  # steps of 255 that lossy WebP and JPEG change a flat colour


def stored(data: bytes) -> Colour:
    webp = square_webp(data)
    assert b"ICCP" not in webp
    return pixel(Image.open(io.BytesIO(webp)), 200, 200)


def flat(colour: Colour | int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (64, 64), colour)


def assert_near(found: Colour, expected: Colour) -> None:
    assert near(found, expected, OFF), (found, expected)


TAN = (171, 134, 103)
LAB = (150, 140, 150)  # TAN, in bytes of CIE Lab


def lab_profile(tables: dict[bytes, bytes]) -> bytes:
    return profile(tables, b"RGB ", b"Lab ")


MANY_STAGES = stages(*[(0, 1, 0, 1, 0, 0, 0, 0, 1)] * 9)  # red and green change places

TABLES = {
    "the older form": {b"A2B0": table(3, LAB)},
    "the newer form": {b"A2B0": newer_table(LAB)},
    "the newer form, of curves alone": {b"A2B0": curves(1)},
    "a table beside many stages": {b"D2B0": MANY_STAGES, b"A2B0": table(3, LAB)},
}

IGNORED = {
    "none": b"",
    "not one": b"ICC" + bytes(500),
    "cut off": P3[:-30],
    "half": P3[: len(P3) // 2],
    "its header": P3[:128],
    "no tags": profile({}),
    "4 billion tags": P3[:128] + b"\xff" * 4 + P3[132:],
    "a tag beyond its end": P3[:136] + b"\xff" * 4 + P3[140:],
    "for greys": GREY_OF_LIGHT,
    "for print": ALL_TAN,
    "only zeros": bytes(2_000_000),
    "many stages alone": profile({b"D2B0": MANY_STAGES}),
}

COSTLY = {
    "a table that claims 50 MB": lab_profile({b"A2B0": table(3, LAB, claimed=255)}),
    "a newer one that claims 50 MB": lab_profile({b"A2B0": newer_table(LAB, claimed=255)}),
    "400,000 tables": lab_profile({b"A2B0": table(3, LAB), b"junk": (b"mft1" + bytes(5)).ljust(12, b"\1") * 400_000}),
    "a type at its end": lab_profile({b"A2B0": b"mft2"}),
}


@pytest.mark.parametrize(
    ("icc", "colour", "expected"),
    [
        (P3, ORANGE, (215, 93, 31)),
        (P3, BLUE, (30, 122, 185)),
        (P3, GREEN, (61, 162, 55)),
        (ADOBE_RGB, ORANGE, (227, 100, 42)),
        (ADOBE_RGB, BLUE, (0, 121, 184)),
        (ADOBE_RGB, (128, 128, 128), (129, 129, 129)),
        (PROPHOTO, GREEN, (0, 187, 60)),
        (PROPHOTO, (128, 128, 128), (146, 146, 146)),
    ],
)
def test_a_profile_is_applied_in_each_format(icc: bytes, colour: Colour, expected: Colour) -> None:
    for format_, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True})):
        assert_near(stored(saved(flat(colour), format_, icc_profile=icc, exif=exif(6), **options)), expected)


@pytest.mark.parametrize(
    ("image", "icc", "expected"),
    [
        (flat(128, "L"), GREY_OF_LIGHT, (188, 188, 188)),
        (flat((128, 255), "LA"), GREY_OF_LIGHT, (188, 188, 188)),
        (flat(128, "L"), PROPHOTO, (146, 146, 146)),  # a grey copy with the profile of the photo
        (flat((*ORANGE, 128), "RGBA"), P3, (235, 174, 143)),  # half of it white
        (flat((*ORANGE, 0), "RGBA"), P3, (255, 255, 255)),
        (flat(ORANGE).quantize(4), P3, (215, 93, 31)),
    ],
)
def test_a_profile_is_applied_to_greys_palettes_and_what_is_transparent(
    image: Image.Image, icc: bytes, expected: Colour
) -> None:
    assert_near(stored(saved(image, "PNG", icc_profile=icc)), expected)


def test_a_grey_that_is_transparent_by_its_number_has_the_grey_profile() -> None:
    image = flat(128, "L")
    image.paste(7, (0, 0, 8, 8))
    assert_near(stored(saved(image, "PNG", icc_profile=GREY_OF_LIGHT, transparency=7)), (188, 188, 188))


def test_a_photo_in_the_colours_of_print_is_converted_by_its_profile_or_as_before() -> None:
    magenta = flat((0, 255, 0, 0), "CMYK")
    assert_near(stored(saved(magenta, "JPEG", icc_profile=ALL_TAN)), TAN)
    for icc in (b"", P3, GREY_OF_LIGHT, b"broken"):
        assert_near(stored(saved(magenta, "JPEG", icc_profile=icc)), (255, 0, 255))


@pytest.mark.parametrize("name", TABLES)
def test_a_profile_of_tables_is_applied(name: str) -> None:
    assert_near(stored(saved(flat(LAB), "JPEG", icc_profile=lab_profile(TABLES[name]))), TAN)


@pytest.mark.parametrize("name", IGNORED | COSTLY)
def test_a_profile_that_cannot_be_applied_is_ignored(name: str) -> None:
    for format_ in ("JPEG", "PNG", "WEBP"):
        icc = (IGNORED | COSTLY)[name]
        assert_near(stored(saved(flat(ORANGE), format_, icc_profile=icc, quality=95)), ORANGE)


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_profile_is_ignored_before_it_costs_anything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ImageCms, "profileToProfile")
    assert_near(stored(saved(flat(ORANGE), "WEBP", icc_profile=COSTLY[name], quality=95)), ORANGE)


def with_chunks(*chunks: bytes) -> bytes:
    png = saved(flat(ORANGE), "PNG")
    return png[:33] + b"".join(chunks) + png[33:]


UNREADABLE = {
    "200 MB": png_chunk(b"iCCP", b"name\0\0" + deflated_zeros(200 * MEBIBYTE)),
    "an unknown method": png_chunk(b"iCCP", b"name\0\x01" + zlib.compress(P3)),
    "no method": png_chunk(b"iCCP", b"name"),
    "nothing": png_chunk(b"iCCP", b""),
    "no zlib": png_chunk(b"iCCP", b"name\0\0" + P3),
    "a wrong checksum": png_chunk(b"iCCP", b"name\0\0" + zlib.compress(P3))[:-4] + bytes(4),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_png_whose_profile_cannot_be_read_has_none(name: str) -> None:
    assert_near(stored(with_chunks(UNREADABLE[name])), ORANGE)


def test_of_two_profiles_of_a_png_the_first_is_applied() -> None:
    first, second = (png_chunk(b"iCCP", b"name\0\0" + zlib.compress(icc)) for icc in (P3, PROPHOTO))
    assert_near(stored(with_chunks(first, *[second] * 900)), (215, 93, 31))


def test_a_jpeg_with_a_piece_of_a_profile_too_short_for_its_number_has_none() -> None:
    jpeg = saved(flat(ORANGE), "JPEG", quality=95)
    for length in (14, 15, 16):
        piece = b"\xff\xe2" + struct.pack(">H", length) + b"ICC_PROFILE\0".ljust(length - 2, b"\1")
        assert_near(stored(jpeg[:2] + piece + jpeg[2:]), ORANGE)
