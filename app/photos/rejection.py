"""Why a photo is refused. Pure; the sentences are in forms.py."""

import enum

from app.rejection import Rejected


class Reason(enum.StrEnum):
    EMPTY = enum.auto()
    TOO_LARGE = enum.auto()  # more than decoding.MAX_BYTES
    NOT_AN_IMAGE = enum.auto()  # neither JPEG, PNG, GIF nor WebP
    HEIF = enum.auto()  # HEIC, which an iPhone makes by itself, or AVIF
    DIMENSIONS = enum.auto()  # too many pixels, or a side too short
    TOO_COMPLEX = enum.auto()  # too many scans, segments, chunks or blocks; a JPEG in arithmetic coding
    DAMAGED = enum.auto()  # truncated, or cannot be decoded for another reason
    CROP = enum.auto()  # the square to cut out does not lie within the picture


class PhotoRejected(Rejected):
    """The upload is not a photo that can be shown."""

    reason: Reason
