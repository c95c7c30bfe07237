"""Why an archive is refused. Pure; the sentences are in forms.py."""

import enum

from app.rejection import Rejected


class Reason(enum.StrEnum):
    TOO_LARGE = enum.auto()  # the upload
    NOT_A_ZIP = enum.auto()
    NOT_OURS = enum.auto()  # a ZIP of something else
    UNSAFE = enum.auto()  # names that no export has: path traversal, duplicates; or a password
    TOO_MUCH = enum.auto()  # entries, items, or bytes once unpacked
    TOO_SLOW = enum.auto()  # the service is too busy for so much
    QUOTA = enum.auto()  # with these items there would be more than one person may store
    VERSION = enum.auto()
    DAMAGED = enum.auto()  # the ZIP or its JSON cannot be read to the end
    INVALID = enum.auto()  # an item is not as an export writes it
    PHOTO = enum.auto()


class ArchiveRejected(Rejected):
    """The upload is not an export that can be imported."""

    reason: Reason
