"""Convert decoded pixels to sRGB, as a browser does (colour management): by its ICC profile. Pure."""

import io
import math
import re
import struct
from typing import Any

from PIL import Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")

# Tags of many stages (multiProcessElementsType, ICC.1 10.17), which are run for each colour, and may be the same bytes:
# 80 kB took 4 s. Browsers do not read them, but the tables or curves that such a profile has too.
STAGES = re.compile(rb"D2B(?=[0-3])")
# Types of tables (ICC.1 10.10 to 10.12), for which littlecms takes all memory before it looks for the bytes.
TABLES = re.compile(rb"mft[12]|mAB ")
MOST_TABLES = 100  # as many as littlecms reads tags


def to_srgb(image: Image.Image, info: dict[Any, Any]) -> Image.Image:
    """Convert an image without alpha to RGB. A profile that is broken or for other channels is ignored.

    Args:
        info: what Pillow read from the file.
    """
    try:
        profile = STAGES.sub(b"old", info.get("icc_profile") or b"")
        if not profile or not _is_bounded(profile):
            return image.convert("RGB")
        if image.mode == "L" and profile[16:20] == b"RGB ":  # a grey copy of a photo often keeps its profile
            image = image.convert("RGB")
        converted = ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, struct.error):
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
