"""Chunked transfer coding (RFC 9112, section 7.1), decoded strictly while it arrives.

A proxy in front of us decides where a request ends, and so do we. Where one takes a framing that the other reads in
another way, a client can hide a second request in the body of the first (request smuggling). So nothing is guessed
here: what the grammar does not allow ends the connection.
"""

import re
from enum import Enum, auto

from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize, InvalidHeader

# Bytes of a chunk-size line with its extensions, and of a trailer (Go's net/http has the same limit).
LINE_LIMIT = 4096
# Bytes of framing (chunk-size lines, extensions, trailers) that any body may have. A body with more has this many bytes
# of content for each further one. Chunks of one byte would keep the event loop busy; clients send chunks of kilobytes.
# Go bounds the framing by the content too (CVE-2023-39326).
FRAMING_LIMIT = 16 * 1024
CONTENT_PER_FRAMING = 8
SHOWN = 40  # bytes of a malformed line in the log and in the answer

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
QUOTED_STRING = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (TOKEN, TOKEN, QUOTED_STRING)
# Not int(), which also reads 0x3, +3, 1_0 and spaces. 16 digits are 64 bits.
CHUNK_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:%b)*" % EXTENSION)
TRAILER = re.compile(rb"%b:[\t -~\x80-\xff]*" % TOKEN)


class Expected(Enum):
    """Name what comes next in the body."""

    SIZE = auto()
    DATA = auto()
    DATA_END = auto()  # the line break behind a chunk's data
    TRAILER = auto()  # or the empty line that ends the body
    NOTHING = auto()


class ChunkedDecoder:
    """Parse the chunked transfer coding. Extensions and trailers are checked, and dropped."""

    def __init__(self) -> None:
        self.surplus = b""  # what was fed behind the end of the body
        self._expected = Expected.SIZE
        self._line = b""
        self._chunk_missing = 0  # bytes of the current chunk that have not arrived
        self._framing = self._content = 0  # bytes so far

    @property
    def is_complete(self) -> bool:
        return self._expected is Expected.NOTHING

    def decode(self, data: bytes) -> bytes:
        """Return the content within `data`, the next bytes of the body.

        Raises:
            InvalidChunkSize, ChunkMissingTerminator, InvalidHeader: the framing is malformed, or too long.
        """
        content = bytearray()
        at = 0
        while at < len(data) and self._expected is not Expected.NOTHING:
            if self._expected is Expected.DATA:
                step = min(self._chunk_missing, len(data) - at)
                content += data[at : at + step]
                at += step
                self._take_content(step)
            else:
                line_end = data.find(b"\n", at) + 1 or len(data)
                self._take_line(data[at:line_end])
                at = line_end
        self.surplus = data[at:]
        return bytes(content)

    def _take_content(self, size: int) -> None:
        self._content += size
        self._chunk_missing -= size
        if not self._chunk_missing:
            self._expected = Expected.DATA_END

    def _take_line(self, part: bytes) -> None:
        line = self._line + part
        if len(line) > LINE_LIMIT:
            raise InvalidChunkSize(line[:SHOWN])
        if line.endswith(b"\r\n"):
            self._line = b""
            self._count_framing(line)
            self._read_line(line[:-2])
        elif line.endswith(b"\n"):
            raise ChunkMissingTerminator(line[-SHOWN:])
        else:
            self._line = line

    def _count_framing(self, line: bytes) -> None:
        self._framing += len(line)
        if self._framing > FRAMING_LIMIT + self._content // CONTENT_PER_FRAMING:
            raise InvalidChunkSize(line[:SHOWN])

    def _read_line(self, line: bytes) -> None:
        if self._expected is Expected.SIZE:
            self._read_size(line)
        elif self._expected is Expected.TRAILER:
            self._read_trailer(line)
        elif line:
            raise ChunkMissingTerminator(line[:SHOWN])
        else:
            self._expected = Expected.SIZE

    def _read_size(self, line: bytes) -> None:
        match = CHUNK_SIZE_LINE.fullmatch(line)
        if not match:
            raise InvalidChunkSize(line[:SHOWN])
        self._chunk_missing = int(match[1], 16)
        self._expected = Expected.DATA if self._chunk_missing else Expected.TRAILER

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self._expected = Expected.NOTHING
        elif not TRAILER.fullmatch(line):
            raise InvalidHeader(line[:SHOWN].decode("latin-1"))
