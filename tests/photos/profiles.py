"""ICC profiles built byte by byte (ICC.1:2010): of screens and cameras, by their published numbers, and hostile ones.

Pillow can make that of sRGB alone.
"""

import struct
from collections.abc import Mapping, Sequence


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def parametric(*numbers: float) -> bytes:
    """Return a curve: its gamma, or the five numbers of one that begins as a straight line, as that of sRGB."""
    kind = {1: 0, 5: 3}[len(numbers)]
    return b"para" + struct.pack(">4xH2x", kind) + fixed(*numbers)


def profile(tags: Mapping[bytes, bytes], space: bytes = b"RGB ", pcs: bytes = b"XYZ ") -> bytes:
    places, data = b"", b""
    for name, tag in tags.items():
        places += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    size, version = 132 + len(places) + len(data), 4 << 24
    header = struct.pack(">I4xI4s4s4s12x4s28x12s48x", size, version, b"mntr", space, pcs, b"acsp", D50)
    return header + struct.pack(">I", len(tags)) + places + data


def of_screen(curve: bytes, *primaries: Sequence[float]) -> bytes:
    """Return a profile of three primaries, by their XYZ in the light of D50, and of one curve."""
    colours = {b"%cXYZ" % name: b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in zip(b"rgb", primaries, strict=True)}
    return profile({**colours, **{b"%cTRC" % name: curve for name in b"rgb"}})


def table(inputs: int, lab: Sequence[int], grid: int = 2, claimed: int = 0) -> bytes:
    """Return a table (lut8Type) in which each colour becomes this one, in three bytes of CIE Lab."""
    ramp = bytes(range(256))
    head = struct.pack(">4s4xBBBx36s", b"mft1", inputs, 3, claimed or grid, fixed(1, 0, 0, 0, 1, 0, 0, 0, 1))
    return head + ramp * inputs + bytes(lab) * int(grid**inputs) + ramp * 3


def newer_table(lab: Sequence[int], claimed: int = 2) -> bytes:
    """Return such a table of three inputs in the newer form (lutAToBType)."""
    head = struct.pack(">4s4xBBxxIIIII", b"mAB ", 3, 3, 32, 0, 0, 80, 32)
    return head + parametric(1) * 3 + bytes([claimed] * 3).ljust(16, b"\0") + b"\x01\0\0\0" + bytes(lab) * 8


def curves(gamma: float) -> bytes:
    """Return the newer form without a table, of curves alone."""
    head = struct.pack(">4s4xBBxxIIIII", b"mAB ", 3, 3, 32, 0, 0, 0, 0)
    return head + parametric(gamma) * 3


def stages(*matrices: Sequence[float]) -> bytes:
    """Return a list of stages (multiProcessElementsType), each a matrix of three rows."""
    parts = [b"matf" + struct.pack(">4xHH12f", 3, 3, *matrix, 0, 0, 0) for matrix in matrices]
    places = [struct.pack(">II", 16 + 8 * len(parts) + 60 * number, 60) for number in range(len(parts))]
    return struct.pack(">4s4xHHI", b"mpet", 3, 3, len(parts)) + b"".join(places + parts)


D50 = fixed(0.9642, 1, 0.8249)
P3 = of_screen(
    parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
ADOBE_RGB = of_screen(
    parametric(563 / 256), (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)
)
PROPHOTO = of_screen(parametric(1.8), (0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.82491))
GREY_OF_LIGHT = profile({b"kTRC": parametric(1)}, b"GRAY")  # twice the number is twice the light
ALL_TAN = profile({b"A2B0": table(4, (150, 140, 150))}, b"CMYK", b"Lab ")
