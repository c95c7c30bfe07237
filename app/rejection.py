"""One way to refuse a file that was sent: a named reason. Pure.

The module that reads the file raises the reason; the form that shows it has the sentence.
"""

import enum


class Rejected(Exception):
    """The file was refused. Nothing was stored.

    Args:
        reason: why; each kind of file has its own closed set of reasons.
        place: where in the file, as "notes 17, title"; empty when it is the whole file.
    """

    def __init__(self, reason: enum.StrEnum, place: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
