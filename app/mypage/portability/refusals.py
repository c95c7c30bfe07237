"""Why an archive is refused: a closed set of reasons. Their sentences are in app/mypage/portability/forms.py."""

import enum


class Reason(enum.StrEnum):
    TOO_LARGE = enum.auto()  # the upload
    NOT_A_ZIP = enum.auto()
    NOT_OURS = enum.auto()  # a ZIP of something else
    UNSAFE = enum.auto()  # names that no export has: they lead elsewhere, or stand twice; or a password
    TOO_MUCH = enum.auto()  # entries, notes, or bytes once unpacked
    VERSION = enum.auto()
    DAMAGED = enum.auto()  # neither the ZIP nor the JSON in it can be read to the end
    UNFIT = enum.auto()  # an item that the export does not write so
    PHOTO = enum.auto()


class ArchiveRejected(Exception):
    """Not an export that can be taken back; nothing was stored.

    Args:
        place: where it is, as "notes 17, title"; empty when it is the whole archive.
    """

    def __init__(self, reason: Reason, place: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
