"""Buffer requests: keep the bytes until all of a request has arrived, and refuse by its head what no view would take.

gunicorn's own parser reads the head, and decides from it how the body is framed. Where the body ends, and so where the
next request on the connection begins, is decided here. A malformed framing ends the connection before the application
is asked: it may leave a body unread, and then nobody else would notice (request smuggling).
"""

import re
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gunicorn import http
from gunicorn.config import Config
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders, UnsupportedTransferCoding
from gunicorn.util import unquote_to_wsgi_str

from http_server.chunked_body import ChunkedDecoder
from http_server.refusals import Spool, TooManyUploads, VersionNotSupported

# Bytes of all headers together; gunicorn's parser takes 8,190 of each field.
HEAD_LIMIT = 64 * 1024
IN_MEMORY = 64 * 1024  # a larger body goes to a file: 2,000 slow uploads must not fill the memory
READ_AT_ONCE = 64 * 1024
MIB = 1024 * 1024
# A long body is an import's ZIP. So many at once have a place on the disk in a process, each twice: here, and where the
# application unpacks its form.
LONG = 8 * MIB  # bytes
MOST_LONG = 3

# The bytes that the body of a request with this WSGI environment may have. It holds what the headers say.
LimitOf = Callable[[dict[str, Any]], int]

# An empty line before the request line is allowed (RFC 9112, section 2.2).
VERSION = re.compile(rb"(?:\r\n)?[^\r\n]* HTTP/([0-9.]+)\r?\n")
VERSIONS = (b"1.0", b"1.1")
# uri-host [":" port] (RFC 9110, section 7.2; RFC 3986, section 3.2.2). A reg-name may be empty, and is so where the
# target has no authority.
HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?")


class Part(Enum):
    """Name what has still to arrive."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class BodyLimits:
    """Limit the bodies of a process, by the head alone. Only the event loop calls it.

    Args:
        limit_of: the application's answer; a longer body is refused by it, unread.
    """

    def __init__(self, limit_of: LimitOf) -> None:
        self._limit_of = limit_of
        self._long = 0

    def limit_for(self, request: Any) -> int:
        """Return bytes. `request` is what gunicorn's parser made of the head."""
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
        """Take a place, until `leave_long` is called when the body is gone. Raises: TooManyUploads."""
        if self._long >= MOST_LONG:
            raise TooManyUploads
        self._long += 1

    def leave_long(self) -> None:
        self._long -= 1


class RequestBuffer:
    """Keep the bytes of one request. gunicorn's parser reads them back through `recv`, as from a socket.

    Args:
        limits: a body that is longer than they say is not waited for, and the application refuses it by its
            Content-Length.
    """

    def __init__(self, config: Config, client: Any, limits: BodyLimits) -> None:
        self.missing = Part.HEAD
        self.request: Any = None  # what gunicorn's parser made of the head
        self.received = 0  # bytes
        self.surplus = b""  # the beginning of the next request
        self.expects_continue = False  # the client waits for leave to send the body (Expect: 100-continue)
        self.is_cut = False  # not all of the body was taken from the connection
        self._config, self._client, self._limits = config, client, limits
        self._body_limit = 0  # bytes
        self._is_long = False  # one of those that BodyLimits has admitted
        self._head = bytearray()
        self._body_missing = 0
        self._chunked: ChunkedDecoder | None = None
        self._body_received = 0  # bytes of a chunked body, with its framing
        self._bytes = Spool(IN_MEMORY)

    def close(self) -> None:
        self._bytes.close()
        if self._is_long:
            self._is_long = False
            self._limits.leave_long()

    def recv(self, size: int) -> bytes:
        """Give bytes back to gunicorn's parser."""
        return self._bytes.read(size)

    def read_from(self, connection: socket.socket) -> bool:
        """Take what has arrived. Return whether the client may send more.

        Raises:
            OSError: the connection is broken.
            Refused: see refusals.py.
            Exception: gunicorn's parser refuses the head, or the body is malformed.
        """
        try:
            data = connection.recv(READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return True
        if data:
            self.feed(data)
        return bool(data)

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises: Refused, and what gunicorn's parser and ChunkedDecoder raise about head and body."""
        self.received += len(data)
        if self.missing is Part.HEAD:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def _feed_head(self, data: bytes) -> None:
        searched = max(0, len(self._head) - 3)
        self._head += data
        end = self._head.find(b"\r\n\r\n", searched) + 4
        if end < 4 and self._head.find(b"\n\n", searched) >= 0:
            end = len(self._head)  # bare line feeds; the parser refuses them
        if end < 4 and len(self._head) > HEAD_LIMIT:
            raise LimitRequestHeaders("max buffer headers")
        if end >= 4:
            rest = bytes(self._head[end:])
            self._parse(bytes(self._head[:end]))
            self._feed_body(rest)

    def _parse(self, head: bytes) -> None:
        version = VERSION.match(head)
        if version and version[1] not in VERSIONS:
            raise VersionNotSupported
        self._bytes.write(head)
        self._bytes.seek(0)
        self.missing = Part.BODY
        source: Any = self  # gunicorn takes whatever has `recv`
        self.request = next(http.get_parser(self._config, source, self._client))
        self._head.clear()
        self._check_host()
        self._heed_close()
        # gunicorn would send it when the application starts, and that is too late.
        self.expects_continue = self.request._expected_100_continue
        self.request._expected_100_continue = False
        self._bytes.seek(0)
        self._bytes.truncate()
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            self._refuse_other_codings()
            self._chunked = ChunkedDecoder()
        else:
            self._body_missing = reader.length
        if self._chunked or self._body_missing:
            self._body_limit = self._limits.limit_for(self.request)
        if self._body_missing > self._body_limit:
            self._give_up()
        elif self._body_missing > LONG:
            self._limits.admit_long()
            self._is_long = True

    def _check_host(self) -> None:
        """Require a Host of HTTP/1.1, and a valid one of every version (RFC 9112, section 3.2).

        Two of them are refused by gunicorn's parser.
        """
        hosts = self._values("HOST")
        is_missing = not hosts and self.request.version >= (1, 1)
        if is_missing or not all(HOST.fullmatch(host) for host in hosts):
            raise InvalidHeader("HOST", req=self.request)

    def _heed_close(self) -> None:
        """Find "close" in Connection, a list of options in any number of fields (RFC 9110, section 7.6.1).

        gunicorn compares the first field as a whole.
        """
        options = ",".join(self._values("CONNECTION")).lower().split(",")
        if "close" in (option.strip(" \t") for option in options):
            self.request.force_close()

    def _values(self, field: str) -> list[str]:
        return [value for name, value in self.request.headers if name == field]

    def _refuse_other_codings(self) -> None:
        """Refuse a compressed body: gunicorn would hand it over, and the application take it for the content."""
        codings = self._values("TRANSFER-ENCODING")
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise UnsupportedTransferCoding(", ".join(codings))

    def _feed_body(self, data: bytes) -> None:
        if self.missing is Part.NOTHING:
            self.surplus += data
        elif self._chunked:
            self._feed_chunked(data, self._chunked)
        else:
            self._bytes.write(data[: self._body_missing])
            self.surplus = data[self._body_missing :]
            self._body_missing = max(0, self._body_missing - len(data))
            if not self._body_missing:
                self._complete()

    def _feed_chunked(self, data: bytes, decoder: ChunkedDecoder) -> None:
        self._body_received += len(data)
        if self._body_received > LONG and not self._is_long:
            self._limits.admit_long()
            self._is_long = True
        self._bytes.write(decoder.decode(data))
        if decoder.is_complete:
            self.surplus = decoder.surplus
            self._set_length(self._bytes.tell())
            self._complete()
        elif self._body_received > self._body_limit:
            self._set_length(self._body_received)  # more than any view accepts: 413, and no part is taken for the whole
            self._give_up()

    def _set_length(self, length: int) -> None:
        """Give the application a decoded body with a length, as RFC 9112, section 7.1.3 has it.

        Without a length Werkzeug ends a form that is too long at its limit, and hands over the beginning as the whole.
        """
        others = [(name, value) for name, value in self.request.headers if name != "TRANSFER-ENCODING"]
        self.request.headers = [*others, ("CONTENT-LENGTH", str(length))]
        self.request.body = Body(LengthReader(self.request.unreader, length))

    def _give_up(self) -> None:
        """Hand the request over as it is. The connection cannot be used again: where the next one begins is unknown."""
        self.is_cut = True
        self.request.force_close()
        self._complete()

    def _complete(self) -> None:
        self.missing = Part.NOTHING
        self._bytes.seek(0)
