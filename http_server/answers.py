"""Watch the answers of the application: one that cannot be completed is cut off, and never taken for whole.

Of an answer that has begun nothing can be taken back: an error page would be a part of its body. gunicorn does not see
that one ends before its Content-Length, and on a kept connection the next head would fill it up.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gunicorn.glogging import Logger

from http_server.access_log import SPAN
from http_server.refusals import ClientGone, CutOff

WITHOUT_BODY = (204, 304)  # RFC 9110, section 6.4.1


class TooShort(Exception):
    """The application has given less than the Content-Length, as of a file that has shrunk meanwhile."""


class Answer:
    """Yield the parts of an answer, which gunicorn writes one by one, and then closes."""

    def __init__(self, parts: Iterable[bytes], response: Any, wsgi: dict[str, Any], log: Logger) -> None:
        self._parts = parts
        self._response = response
        self._wsgi = wsgi
        self._log = log

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts. Raises: TooShort, and what the application raises."""
        yield from self._parts
        missing = (self._response.response_length or 0) - self._response.sent
        if missing > 0 and self._has_body():
            raise TooShort(f"{missing} bytes of the Content-Length are missing")

    def _has_body(self) -> bool:
        return self._wsgi["REQUEST_METHOD"] != "HEAD" and self._response.status_code not in WITHOUT_BODY

    def close(self) -> None:
        """Close the parts, and log what went wrong behind the head, once and with the request id.

        gunicorn calls this while the error passes by. Before the head is sent it answers 500 itself.

        Raises:
            CutOff: in its place.
        """
        error = sys.exception()
        try:
            if hasattr(self._parts, "close"):
                self._parts.close()
        except Exception as failed:  # does not change the answer, which is whole or cut off by now
            self._complain("the end of the request failed", failed)
        if isinstance(error, Exception) and self._response.headers_sent and not isinstance(error, ClientGone):
            self._complain("the answer is cut off", error)
            raise CutOff from error

    def _complain(self, message: str, error: Exception) -> None:
        span = self._wsgi.get(SPAN)
        self._log.error(message, exc_info=error, extra={"request_id": span and span.request_id})


def watched(application: Any, log: Logger) -> Callable[[Any, Any], Answer]:
    """Return what gunicorn's handle_request calls in place of the application."""

    def answer(wsgi: Any, start_response: Any) -> Answer:
        response = start_response.__self__  # gunicorn's object, which counts what it writes
        return Answer(application(wsgi, start_response), response, wsgi, log)

    return answer
