"""Hostile answers: some never end (slow, flooding), some fill the memory when unpacked (decompression bombs)."""

import gzip
import itertools
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable
from functools import partial

from app.wordcounts.fetching import MAX_BYTES
from tests.wordcounts.page_server import Answer, page

MIB = 1024 * 1024

# Pages that would keep a parser busy: one by its time, one by its memory. Each paragraph of the second reopens all
# elements that the ones before it left open.
DEEP = "<div>" * (MAX_BYTES // 5)
MISNESTED = "".join(f"<p><b x{number}>" for number in range(MAX_BYTES // 14))
DRIP = 0.05  # seconds between two pieces; far below the timeout of a read


def drip(beginning: bytes, then: Iterable[bytes], pause: float = DRIP) -> Callable[[socket.socket], None]:
    """Send the beginning at once, then the rest slowly, piece by piece."""

    def write(connection: socket.socket) -> None:
        connection.sendall(beginning)
        for piece in then:
            time.sleep(pause)
            connection.sendall(piece)

    return write


pour = partial(drip, pause=0.0)  # as fast as the client reads it


def wait(connection: socket.socket) -> None:
    """Send nothing until the client closes the connection."""
    connection.recv(1)


HEAD = page(b"")
WITHOUT_END = itertools.repeat

DRIPPING = {
    "body": drip(HEAD, WITHOUT_END(b"a ")),
    "body that is chunked": drip(page(b"", "Transfer-Encoding: chunked"), WITHOUT_END(b"1\r\na\r\n")),
    "size of a chunk": drip(page(b"", "Transfer-Encoding: chunked"), WITHOUT_END(b"0")),
    "trailers": drip(page(b"0\r\n", "Transfer-Encoding: chunked"), WITHOUT_END(b"a: b\r\n")),
    "packed body": drip(page(b"\x1f\x8b\x08\x08\0\0\0\0\0\0", "Content-Encoding: gzip"), WITHOUT_END(b"name")),
    "status line": drip(b"HTTP/1.1 200 ", WITHOUT_END(b"O")),
    "header": drip(b"HTTP/1.1 200 OK\r\nA: ", WITHOUT_END(b"b")),
    "1xx answers": drip(b"", WITHOUT_END(b"HTTP/1.1 100 Continue\r\n\r\n")),
    "nothing": wait,
}
POURING = {
    "1xx answers": pour(b"", WITHOUT_END(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "trailers": pour(page(b"0\r\n", "Transfer-Encoding: chunked"), WITHOUT_END(b"a: b\r\n" * 100)),
    "name inside gzip": pour(page(b"\x1f\x8b\x08\x08\0\0\0\0\0\0", "Content-Encoding: gzip"), WITHOUT_END(b"n" * 999)),
}
# A TLS record that announces a ServerHello of 16 KiB, whose bytes then come one by one.
HANDSHAKE = drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", WITHOUT_END(b"\0"))


def gzip_bomb() -> bytes:
    """Pack 1 GiB of zeros in about 1 MB: one MiB of them, since after a full flush the next packs to the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(MIB)
    packed = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(1024):
        checksum = zlib.crc32(zeros, checksum)
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + packed * 1024 + packer.flush() + struct.pack("<II", checksum, 1024 * MIB)


def bombs() -> dict[str, tuple[str, Answer]]:
    """Name of the bomb: the failure code that it leads to, and the answer."""
    bomb = gzip_bomb()
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb)
    return {
        "1 MB of gzip": ("too_large", page(bomb, "Content-Encoding: gzip")),
        "1 MB of gzip, chunked": ("too_large", page(chunk, "Content-Encoding: gzip", "Transfer-Encoding: chunked")),
        "many small files of gzip": (
            "too_large",
            page(gzip.compress(b"a" * 10_000) * 9_000, "Content-Encoding: x-gzip"),
        ),
        "empty files of gzip": ("empty", page(gzip.compress(b"") * 150_000, "Content-Encoding: gzip")),
        "gzip in gzip": ("encoding", page(gzip.compress(bomb), "Content-Encoding: gzip, gzip")),
        "gzip in gzip, two headers": ("encoding", page(gzip.compress(bomb), *["Content-Encoding: gzip"] * 2)),
        "200 MiB as they are": ("too_large", pour(HEAD, itertools.repeat(bytes(MIB), 200))),
    }
