"""Limits of request bodies, by the head alone: what no view would take is not waited for, and not kept on the disk."""

from collections.abc import Callable
from typing import Any

from gunicorn.util import unquote_to_wsgi_str

from http_server.refusals import TooManyUploads

MIB = 1024 * 1024
# A long body is an import's ZIP. So many at once have a place on the disk in a process, each twice: here, and where the
# application unpacks its form.
LONG = 8 * MIB  # bytes
MOST_LONG = 3

# The bytes that the body of a request with this WSGI environment may have. It holds what the headers say.
LimitOf = Callable[[dict[str, Any]], int]


class BodyLimits:
    """One for each process. Only the event loop calls it.

    Args:
        limit_of: the application's answer; a longer body is refused by it, unread.
    """

    def __init__(self, limit_of: LimitOf) -> None:
        self._limit_of = limit_of
        self._long = 0

    def limit_for(self, request: Any) -> int:
        """Bytes. `request` is what gunicorn's parser made of the head."""
        headers = request.headers
        return self._limit_of(
            {
                "REQUEST_METHOD": request.method,
                "PATH_INFO": unquote_to_wsgi_str(request.path),
                "HTTP_COOKIE": "; ".join(value for name, value in headers if name == "COOKIE"),
                "HTTP_AUTHORIZATION": ",".join(value for name, value in headers if name == "AUTHORIZATION"),
            }
        )

    def admit_long(self) -> None:
        """The caller calls `leave_long` when the body is gone. Raises: TooManyUploads."""
        if self._long >= MOST_LONG:
            raise TooManyUploads
        self._long += 1

    def leave_long(self) -> None:
        self._long -= 1
