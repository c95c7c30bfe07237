"""Convert decoded pixels to sRGB, as a browser does (colour management): by an ICC profile or a PNG's gamma. Pure."""

import io
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")

# Tags of many stages (multiProcessElementsType, ICC.1 10.17), which are run for each colour, and may be the same bytes:
# 80 kB took 4 s. Browsers do not read them, but the tables or curves that such a profile has too.
STAGES = re.compile(rb"D2B(?=[0-3])")
# Types of tables (ICC.1 10.10 to 10.12), for which littlecms takes all memory before it looks for the bytes.
TABLES = re.compile(rb"mft[12]|mAB ")
MOST_TABLES = 100  # as many as littlecms reads tags

# From XYZ to the responses of the eye's cones, in which white is adapted (Bradford, ICC.1 annex E), and back.
TO_CONES = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
FROM_CONES = ((0.9869929, -0.1470543, 0.1599627), (0.4323053, 0.5183603, 0.0492912), (-0.0085287, 0.0400428, 0.9684867))
OF_SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # x and y of white, red, green and blue
D50 = (0.9642, 1.0, 0.8249)  # the white of all profiles


def to_srgb(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
    """Convert an image without alpha to RGB. A profile that is broken or for other channels is ignored.

    Args:
        info: what Pillow read from the file.
    """
    try:
        profile = STAGES.sub(b"old", info.get("icc_profile") or _profile_of_png(info))
        if not profile or not _is_bounded(profile):
            return image.convert("RGB")
        if image.mode == "L" and profile[16:20] == b"RGB ":  # a grey copy of a photo often keeps its profile
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, ZeroDivisionError, struct.error):
        converted = None
    return converted or image.convert("RGB")


def _is_bounded(profile: bytes) -> bool:
    """Tell if each table of the profile has as many cells as it has bytes for. Raises: struct.error."""
    if len(TABLES.findall(profile)) > MOST_TABLES:
        return False
    for found in TABLES.finditer(profile):
        inputs, outputs, grid, colours = struct.unpack_from(">8xBBB13xI", profile, found.start())
        points = [grid] * inputs  # in each direction
        if found[0] == b"mAB ":
            start = found.start() + colours
            points = list(profile[start : start + inputs]) if colours else []
        if outputs * math.prod(points) > len(profile):
            return False
    return True


def _profile_of_png(info: dict[Any, Any]) -> bytes:
    """Return the ICC profile of the chunks gAMA and cHRM (PNG, 11.3.2), if the first is there and sRGB is not."""
    if "srgb" in info or "gamma" not in info:
        return b""
    numbers = info.get("chromaticity", OF_SRGB)
    white, *primaries = [(x / y, 1.0, (1 - x - y) / y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
    adapted = [to / of for of, to in zip(_times(TO_CONES, white), _times(TO_CONES, D50), strict=True)]
    tags = []
    for place, primary in enumerate(primaries):  # in such parts they sum up to white (Cramer's rule)
        part = _determinant(*primaries[:place], white, *primaries[place + 1 :]) / _determinant(*primaries)
        cones = [part * cone * ratio for cone, ratio in zip(_times(TO_CONES, primary), adapted, strict=True)]
        tags.append(b"XYZ \0\0\0\0" + _fixed(_times(FROM_CONES, cones)))
    tags.append(b"para" + bytes(8) + _fixed([1 / info["gamma"]]))
    places = b"".join(struct.pack(">4sII", b"%cXYZ" % c, 204 + 20 * i, 20) for i, c in enumerate(b"rgb"))
    places += b"".join(struct.pack(">4sII", b"%cTRC" % c, 264, 16) for c in b"rgb")
    header = struct.pack(">I4xI12s12x4s28x12s48xI", 280, 4 << 24, b"mntrRGB XYZ ", b"acsp", _fixed(D50), 6)
    return header + places + b"".join(tags)


def _times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _determinant(*rows: Sequence[float]) -> float:
    a, b, c = rows
    cross = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
    return sum(x * y for x, y in zip(a, cross, strict=True))


def _fixed(numbers: Sequence[float]) -> bytes:
    """Return s15Fixed16Number."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))
