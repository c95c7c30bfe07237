"""JPEGs built scan by scan (ITU T.81, annex B), in ways that no encoder would choose."""

import random
import struct
from collections.abc import Sequence

HUFFMAN, PROGRESSIVE, LOSSLESS, ARITHMETIC, ARITHMETIC_PROGRESSIVE = 0xC0, 0xC2, 0xC3, 0xC9, 0xCA
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))  # SOF0 to SOF15
ALL = (1, 2, 3)  # channels

# One code of one bit for a DC coefficient that does not change; for AC coefficients one bit skips 16 zeros, and two
# begin a run of up to 32,767 blocks without any.
TABLES = b"\xff\xc4\x00\x14\x00\x01" + bytes(16) + b"\xff\xc4\x00\x15\x10\x01\x01" + bytes(14) + b"\xf0\xe0"
ZEROS = bytes(225_000)  # what is skipped in 390,625 blocks, four codes each, and some more
SAME = bytes(146_500)  # one code for each of 3 × 390,625 blocks


def jpeg_of(frame: int, scans: Sequence[bytes], side: int = 5000) -> bytes:
    """Return a JPEG of three channels without subsampling.

    Args:
        frame: the code of its frame header, SOF0 to SOF15.
        side: width and height, in px; 5000 are the most that are accepted.
    """
    quantization = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    header = struct.pack(">BBHBHHB", 0xFF, frame, 17, 8, side, side, 3) + b"".join(
        bytes([channel, 0x11, 0]) for channel in ALL
    )
    return b"\xff\xd8" + quantization + header + TABLES + b"".join(scans) + b"\xff\xd9"


def scan(channels: Sequence[int], band: tuple[int, int], bits: int, data: bytes) -> bytes:
    """Return one scan.

    Args:
        band: the first and the last coefficient, 0 to 63.
        bits: the successive approximation: the high nibble 0 for a first scan, else what came before; the low one what
            is left for later.
    """
    header = bytes([len(channels)]) + b"".join(bytes([channel, 0]) for channel in channels) + bytes([*band, bits])
    return b"\xff\xda" + struct.pack(">H", 2 + len(header)) + header + data


def refined(count: int, data: bytes) -> list[bytes]:
    """Return 4 first scans and `count` that refine them, which look at every coefficient of a channel once more."""
    first = [scan((channel,), (1, 63), 1, data) for channel in ALL]
    more = [scan((1 + number % 3,), (1, 63), 0x10, data) for number in range(count)]
    return [scan(ALL, (0, 0), 1, data[: len(SAME)]), *first, *more]


def few_random_bytes(count: int) -> bytes:
    """Return the same bytes at every call, none of them FF."""
    chosen = random.Random(1)  # noqa: S311 - a file, not a secret
    return bytes(chosen.randrange(0xFF) for _ in range(count))


def hidden(scans: bytes, code: int = 0x01) -> bytes:
    """Return the scans behind a marker that has no length, and two bytes that look like one."""
    return bytes([0xFF, code]) + struct.pack(">H", 2 + len(scans)) + scans
