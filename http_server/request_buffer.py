"""Request buffering: whether all of a request has arrived, and the bytes until then.

gunicorn's own parser reads the request afterwards. So this module decides only how long to wait, never what a request
means: a mistake here could end a connection, and could not smuggle a request past a proxy.
"""

import socket
import tempfile
from enum import Enum, auto
from typing import Any

from gunicorn import http
from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders

# Bytes of all headers together; gunicorn's parser takes 8,190 of each field.
HEAD_LIMIT = 64 * 1024
CHUNK_LINE_LIMIT = 8 * 1024
IN_MEMORY = 64 * 1024  # a larger body goes to a file: 2,000 slow uploads must not fill the memory
READ_AT_ONCE = 64 * 1024


class Part(Enum):
    """What has still to arrive."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class ChunkedEnd:
    """Finds the end of a body with chunked transfer coding (RFC 9112, section 7.1) while it arrives."""

    def __init__(self) -> None:
        self._line = b""
        self._skip = 0  # bytes of the current chunk that have not arrived, with the line break behind it
        self._in_trailers = False

    def find(self, data: bytes) -> int | None:
        """The index behind the last byte of the body, None while it has not arrived.

        Raises:
            ValueError: this is no chunked body.
        """
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            line_end = data.find(b"\n", at) + 1
            self._line += data[at : line_end or None]
            if len(self._line) > CHUNK_LINE_LIMIT:
                raise ValueError("a line of a chunked body is too long")
            if not line_end:
                return None
            at = line_end
            if self._ends_with(self._line.strip()):
                return at
            self._line = b""
        return None

    def _ends_with(self, line: bytes) -> bool:
        if self._in_trailers:
            return not line
        size = int(line.partition(b";")[0], 16)
        self._in_trailers = size == 0
        self._skip = size + 2 if size else 0
        return False


class RequestBuffer:
    """The bytes of one request. gunicorn's parser reads them back through `recv`, as from a socket.

    Args:
        body_limit: bytes; a body that declares more is not waited for, and the application refuses it.
    """

    def __init__(self, config: Config, client: Any, body_limit: int) -> None:
        self.missing = Part.HEAD
        self.request: Any = None  # what gunicorn's parser made of the head
        self.received = 0  # bytes
        self.surplus = b""  # the beginning of the next request
        self.expects_continue = False  # the client waits for leave to send the body (Expect: 100-continue)
        self.is_cut = False  # not all of the body was taken from the connection
        self._config, self._client, self._body_limit = config, client, body_limit
        self._head = bytearray()
        self._body_missing = 0
        self._chunked: ChunkedEnd | None = None
        self._body_received = 0
        self._bytes = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close()

    def close(self) -> None:
        self._bytes.close()

    def recv(self, size: int) -> bytes:
        """For gunicorn's parser."""
        return self._bytes.read(size)

    def read_from(self, connection: socket.socket) -> bool:
        """Take what has arrived. Returns whether the client may send more.

        Raises:
            OSError: the connection is broken.
            Exception: gunicorn's parser refuses the head.
        """
        try:
            data = connection.recv(READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return True
        if data:
            self.feed(data)
        return bool(data)

    def feed(self, data: bytes) -> None:
        """Raises: what gunicorn's parser raises about the head."""
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
        self._bytes.write(head)
        self._bytes.seek(0)
        self.missing = Part.BODY
        source: Any = self  # gunicorn takes whatever has `recv`
        self.request = next(http.get_parser(self._config, source, self._client))
        self._head.clear()
        # gunicorn would send it when the application starts, and that is too late.
        self.expects_continue = self.request._expected_100_continue
        self.request._expected_100_continue = False
        self._bytes.seek(0)
        self._bytes.truncate()
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            self._chunked = ChunkedEnd()
        else:
            self._body_missing = reader.length
            if self._body_missing > self._body_limit:
                self._give_up()

    def _feed_body(self, data: bytes) -> None:
        if self.missing is Part.NOTHING:
            self.surplus += data
            return
        end = self._end_of_body(data)
        self._bytes.write(data[:end])
        self._body_received += len(data[:end])
        if end is not None:
            self.surplus = data[end:]
            self._complete()
        elif self._body_received > self._body_limit:
            self._give_up()

    def _end_of_body(self, data: bytes) -> int | None:
        if self._chunked:
            try:
                return self._chunked.find(data)
            except ValueError:
                self._give_up()  # the parser finds the same, and refuses it
                return len(data)
        if len(data) < self._body_missing:
            self._body_missing -= len(data)
            return None
        return self._body_missing

    def _give_up(self) -> None:
        """Hand the request over as it is. The connection cannot be used again: where the next one begins is unknown."""
        self.is_cut = True
        self.request.force_close()
        self._complete()

    def _complete(self) -> None:
        self.missing = Part.NOTHING
        self._bytes.seek(0)
