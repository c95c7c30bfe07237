"""The containers of JPEG, PNG and GIF: their segments, chunks and blocks, read without decoding a pixel. Pure.

A few megabytes of tiny segments keep a decoder busy for minutes (algorithmic complexity attack). So they are counted
first. A broken file raises ValueError; one that ends too early struct.error or IndexError.
"""

import enum
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import PngImagePlugin

from app.rejection import Rejected

# Each scan of a progressive JPEG passes over all pixels of its channels: 20,010 scans in 1 MB took over 30 s (known to
# libjpeg-turbo as LJT-01-003). A scan of three channels is three passes. 24 are what libjpeg itself writes for CMYK, in
# 18 scans (jpeg_simple_progression in jcparam.c); for a colour photo it writes 14, in 10.
MAX_PASSES = 24
MAX_SECTIONS = 1000  # JPEG segments, PNG chunks, GIF blocks; Pillow takes 2 s for 100,000

# 0xFF and a code. Not a stuffed byte (FF 00), padding (FF FF) or a restart marker (FF D0 to FF D7): these belong to the
# pixel data around them. Not TEM and the reserved codes (FF 01 to FF BF) either: no length follows them. To read a
# length there would skip what libjpeg decodes: 1,276 scans in 110 kB took 29 s. The search runs in C: 5 MiB take 50 ms.
JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
JPEG_END, JPEG_SCAN = 0xD9, 0xDA
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; those three are no frames (T.81, B.1)
# Baseline, extended and progressive with Huffman coding: what cameras and programs write. Not the arithmetic coding of
# SOF9 to SOF11: there every missing bit is decoded at full cost, and 58 kB took four times as long as 5 MiB of a photo.
HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}

# A piece of an ICC profile without its number, of which Pillow makes an IndexError. Under another code it is skipped.
SHORT_PROFILE = re.compile(rb"\xff\xe2(?=\x00[\x0e\x0f]ICC_PROFILE\x00)")

# Bytes that belong to no segment: fill bytes, which may stand before any marker (T.81, B.1.1.2), and rubbish. Pillow
# reads them one by one: 5 MiB of FF held it 34 times as long as a photo of 12 megapixels. Cameras write few.
MAX_PADDING = 16 * 1024

GIF_CONTROL = re.compile(rb"!\xf9\x04....\x00", re.DOTALL)  # the block that names the transparent colour

# A PNG costs time by the byte that it unpacks to: 12.5 megapixels of three colours, or 9 of three and alpha.
MAX_UNPACKED_PNG = 37_500_000
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of the header (PNG, 11.2.2)


class Reason(enum.StrEnum):
    """The reason of a refusal; forms.py has the sentences."""

    EMPTY = enum.auto()
    TOO_LARGE = enum.auto()  # more bytes than an upload may have
    NOT_AN_IMAGE = enum.auto()  # neither JPEG, PNG, GIF nor WebP
    HEIF = enum.auto()  # HEIC, which an iPhone makes by itself, or AVIF
    DIMENSIONS = enum.auto()  # too many pixels, or a side too short
    TOO_COMPLEX = enum.auto()  # too many scans, segments, chunks or blocks; a JPEG in arithmetic coding
    DAMAGED = enum.auto()  # truncated, or cannot be decoded for another reason
    CROP = enum.auto()  # the square to cut out does not lie within the picture


class PhotoRejected(Rejected):
    """The upload is not a photo that can be shown."""

    reason: Reason


def cheap_to_decode(data: bytes, kind: str) -> bytes:
    """Refuse what would cost a decoder too much; return the file without what only costs.

    Raises: PhotoRejected, ValueError, struct.error, IndexError.
    """
    if kind == "JPEG":
        _refuse_costly_scans(data)
        return SHORT_PROFILE.sub(b"\xff\xef", data)
    if kind == "PNG":
        _refuse_many_pixels(data)
        return _with_readable_profile(data)
    if kind == "GIF":
        return _without_comments(data)
    return data


def _refuse_costly_scans(jpeg: bytes) -> None:
    """Count the passes over the pixels. Before the first one there has to be one frame header, of Huffman coding.

    No decoder accepts two, but Pillow allocates the channels of each: 70 headers took 150 MB and a second.
    """
    passes = frames = 0
    for code, first in _jpeg_segments(jpeg):
        if passes == 0 and code in JPEG_FRAMES:
            frames += 1
            if code not in HUFFMAN_FRAMES:
                raise PhotoRejected(Reason.TOO_COMPLEX)
        if code == JPEG_SCAN:
            passes += max(1, first)  # the number of its channels
        if frames > 1 or (passes and not frames):
            raise ValueError("a JPEG has one frame header, before its pixels")
        if passes > MAX_PASSES:
            raise PhotoRejected(Reason.TOO_COMPLEX)


def _jpeg_segments(jpeg: bytes) -> Iterator[tuple[int, int]]:
    """Yield the code of each segment, and its first byte behind its length, up to the end of the image.

    To search for FF DA alone would find those of a thumbnail too.
    """
    padding, scanned = 0, False
    position = 2  # behind the start-of-image marker, which has no length
    for _ in range(MAX_SECTIONS):
        marker = JPEG_MARKER.search(jpeg, position)
        end = marker.start() if marker else len(jpeg)
        # The data of a scan has no FF FF: each FF of it is followed by 00. Before the first scan there is no data.
        padding += 2 * jpeg.count(b"\xff\xff", position, end + 1) if scanned else end - position
        if padding > MAX_PADDING:
            break
        if marker is None or marker[1][0] == JPEG_END:
            return
        code = marker[1][0]
        scanned = scanned or code == JPEG_SCAN
        length, first = struct.unpack_from(">HB", jpeg, marker.end())
        yield code, first
        position = marker.end() + length
    raise PhotoRejected(Reason.TOO_COMPLEX)


def _with_readable_profile(png: bytes) -> bytes:
    """Walk the chunks up to IEND. Without IEND (struct.error) the file is truncated, which Pillow would accept.

    It would also refuse a photo for a profile that it cannot read. That is cut out, and so are second ones.
    """
    position, kept, profiles = 8, [png[:8]], 0  # behind the signature
    for _ in range(MAX_SECTIONS):
        length, name = struct.unpack_from(">I4s", png, position)
        if name == b"IEND":
            return b"".join(kept) + png[position:]
        chunk = png[position : position + 12 + length]  # length, name and checksum are four bytes each
        profiles += name == b"iCCP"
        if name != b"iCCP" or (profiles == 1 and _is_readable(chunk)):
            kept.append(chunk)
        position += len(chunk)
    raise PhotoRejected(Reason.TOO_COMPLEX)


def _is_readable(profile: bytes) -> bool:
    """Tell if a chunk iCCP is whole, and unpacks to what Pillow takes (PNG, 11.3.2.3)."""
    _, end, packed = profile[8:-4].partition(b"\0\0")  # the name ends, and the method is deflate
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:
        return False
    is_whole = profile[-4:] == struct.pack(">I", zlib.crc32(profile[4:-4]))
    return is_whole and end != b"" and not unpacker.unconsumed_tail


def _refuse_many_pixels(png: bytes) -> None:
    width, height, bits, colour = struct.unpack_from(">IIBB", png, 16)
    if colour not in PNG_CHANNELS:
        raise ValueError(f"a PNG has no colour type {colour}")
    if width * height * PNG_CHANNELS[colour] * bits > 8 * MAX_UNPACKED_PNG:
        raise PhotoRejected(Reason.DIMENSIONS)


def _without_comments(gif: bytes) -> bytes:
    """Return the header, the first image's control block, and everything from the first image on.

    Pillow collects comments in pieces of down to one byte: 5 MiB of them took 250 MB. They are cut out rather than
    counted, because Pillow and the standard (GIF89a) disagree on where some broken extensions end.
    """
    colours = 2 << (gif[10] & 7) if gif[10] & 0x80 else 0
    screen = position = 13 + 3 * colours
    control = b""
    in_extension = False
    for _ in range(MAX_SECTIONS):
        match gif[position : position + 1]:
            case bytes(length) if in_extension:  # pieces, each behind its length, up to one of length 0
                in_extension = length != b"\0"
                position += 1 + length[0]
            case b"!":
                found = GIF_CONTROL.match(gif, position)
                control = found[0] if found else control
                in_extension = True
                position += 2
            case b",":
                return gif[:screen] + control + gif[position:]
            case _:
                raise ValueError("no block of a GIF begins here")
    raise PhotoRejected(Reason.TOO_COMPLEX)
