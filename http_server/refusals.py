"""Refusals of the server itself, before the application is asked, and the temporary files that can make it refuse.

Alone, since the buffers raise these and the worker answers them.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Refused(Exception):
    """Answer the client with `status` and `advice`, and close the connection."""

    status: int
    reason: str  # of the status, as RFC 9110, section 15 names it
    advice: str


class TooManyUploads(Refused):
    """As many long bodies as there is room for are on their way."""

    status, reason = 503, "Service Unavailable"
    advice = "Too many large uploads; try again in a minute."


class VersionNotSupported(Refused):
    """The request is of another version than HTTP/1.0 and HTTP/1.1 (RFC 9110, section 15.6.6)."""

    status, reason = 505, "HTTP Version Not Supported"
    advice = "Use HTTP/1.1."


class SpoolFailed(Refused):
    """A temporary file cannot be written or read: the disk or a quota is full, or no file can be opened.

    Not an OSError: those come from the socket here, and mean that the client is gone.
    """

    status, reason = 503, "Service Unavailable"
    advice = "The server has no room for this; try again in a minute. Nothing was changed."


class ClientGone(ConnectionError):
    """The client does not take the rest of its answer."""


class CutOff(ConnectionError):
    """The answer cannot be completed; the log says why. An OSError, since gunicorn would log any other once more."""


class Spool:
    """Keep bytes that wait: in memory, and in a temporary file as soon as they are more than `in_memory`.

    Each method raises SpoolFailed. A write is flushed, so that it fails itself, and no later call.
    """

    def __init__(self, in_memory: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=in_memory)  # noqa: SIM115 - closed by close()

    def write(self, data: bytes) -> None:
        with _failing():
            self._file.write(data)
            self._file.flush()

    def read(self, size: int) -> bytes:
        with _failing():
            return self._file.read(size)

    def seek(self, position: int) -> None:
        with _failing():
            self._file.seek(position)

    def truncate(self) -> None:
        with _failing():
            self._file.truncate()

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Drop the bytes. Python tries once more to write those that had no room."""
        with suppress(OSError):
            self._file.close()


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolFailed(str(error)) from error
