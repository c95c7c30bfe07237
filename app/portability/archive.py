"""Read an untrusted ZIP and the JSON in it. Two entries are read; none is unpacked to disk. Pure.

Refused: path traversal in names ("zip slip"), duplicates, passwords, nested archives, and more than the limits once
unpacked ("zip bomb"). The JSON is parsed as a stream: a list of any length takes the memory of one item.
"""

import codecs
import enum
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from app.rejection import Rejected

FORMAT = "semicircle"  # not renamed: exports of before say so
VERSION = 2  # of the format. 1 is read too: it has no ids. What an import may read over is added without a new one.
DOCUMENT, PHOTO = "semicircle.json", "photo.webp"
DOCUMENTS = (DOCUMENT, f"{FORMAT}.json")  # before the service had another name, exports had the second one
HEAD = {"format", "version", "exported_at", "account"}
LONGEST_HEAD = 4096  # code points of a value in it; an account has 400 letters, each of which JSON may write as 12
# Of what no feature here has: it was taken out, or the export is of a later release. An import reads over it.
LONGEST_OTHER = 2 * 1024 * 1024  # code points of a value, or of an item of a list
MOST_MEMBERS = 100

MIB = 1024 * 1024
# 20,000 notes of 2,000 Korean letters each are 125 MB of JSON, of emoji 170; with their Markdown files a ZIP of 90 MB.
MAX_BYTES = 128 * MIB
UPLOAD_LIMIT = MAX_BYTES + MIB  # with the rest of the form
MAX_ENTRIES = 101_000  # as many notes as one person may keep, and the other files; 0.8 kB of memory each
MAX_DIRECTORY = 24 * MIB  # bytes of the central directory, which `zipfile` reads as a whole
# Bytes once unpacked, counted while reading. The ratio is not limited: a notebook of one letter packs to a thousandth.
MAX_JSON = 192 * MIB
MAX_PHOTO = 1 * MIB  # ours, 400 x 400 px, have 20 kB

PATH_TRAVERSAL = re.compile(r"^/|\\|^[A-Za-z]:|(^|/)\.\.(/|$)|[\x00-\x1f]")
ARCHIVES = (".zip", ".7z", ".rar", ".gz", ".tar", ".jar")
ENCRYPTED = 0x1  # bit of an entry's flags
ENTRY, DIRECTORY_ENTRY = b"PK\x03\x04", b"PK\x01\x02"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

CHUNK = 64 * 1024  # bytes
LONGEST_NAME = 256  # code points of a member's name
WHITE_SPACE = re.compile(r"[ \t\r\n]*")


class Reason(enum.StrEnum):
    """The reason of a refusal; forms.py has the sentences."""

    TOO_LARGE = enum.auto()  # the upload
    NOT_A_ZIP = enum.auto()
    NOT_OURS = enum.auto()  # an export of something else, without notes
    UNSAFE = enum.auto()  # names that no export has: path traversal, duplicates; or a password
    TOO_MUCH = enum.auto()  # entries, items, or bytes once unpacked
    TOO_SLOW = enum.auto()  # the service is too busy for so much
    QUOTA = enum.auto()  # with these items there would be more than one person may store
    FORMAT = enum.auto()  # another one, or a version to come
    DAMAGED = enum.auto()  # the ZIP or its JSON cannot be read to the end
    INVALID = enum.auto()  # an item is not as an export writes it
    PHOTO = enum.auto()


class ArchiveRejected(Rejected):
    """The upload is not an export that can be imported."""

    reason: Reason


class _BoundedDirectory:
    """The upload, of whose central directory no more is read than MAX_ENTRIES.

    `zipfile` makes an object of each entry before anybody can count them, and an upload has room for two million.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        """Read a part. Raises: ArchiveRejected."""
        if size > MAX_DIRECTORY:
            raise ArchiveRejected(Reason.TOO_MUCH)
        data = self._file.read(size)
        if data.count(DIRECTORY_ENTRY) > MAX_ENTRIES:
            raise ArchiveRejected(Reason.TOO_MUCH)
        return data


class Archive:
    """An export, checked by `opened`. All is where `document` is: in a folder, if it was unpacked and packed again."""

    def __init__(self, zip_file: zipfile.ZipFile, document: str) -> None:
        self._zip = zip_file
        self._document = document
        self._photo = _photo_beside(document)

    def photo(self) -> bytes | None:
        """Read the photo, if there is one. Raises: ArchiveRejected."""
        if self._photo not in self._zip.NameToInfo:
            return None
        with damaged_on_error(), self._zip.open(self._photo) as entry:
            photo: bytes = entry.read(MAX_PHOTO + 1)
        if len(photo) > MAX_PHOTO:
            raise ArchiveRejected(Reason.TOO_MUCH)
        return photo

    def lists(self, longest: Mapping[str, int]) -> Iterator[tuple[str, Iterator[Any]]]:
        """Yield name and items of each list. The caller reads each to its end before the next.

        `longest` names the lists that are known, and how many code points an item of each may have. Others come too,
        and members that are no lists are read over: a later release may write them. Raises: ArchiveRejected.
        """
        with damaged_on_error(), self._zip.open(self._document) as entry:
            document = JsonStream(entry, MAX_JSON)
            head: dict[str, Any] = {}
            seen: set[str] = set()
            for name in document.members():
                if name in seen or len(seen) == MOST_MEMBERS:
                    raise ArchiveRejected(Reason.DAMAGED)
                seen.add(name)
                if name in HEAD:
                    head[name] = document.value(LONGEST_HEAD)
                elif document.peek() == "[":
                    _require_head(head)
                    yield name, document.items(longest.get(name, LONGEST_OTHER))
                elif name in longest:
                    raise ArchiveRejected(Reason.NOT_OURS)
                else:
                    document.value(LONGEST_OTHER)
            if document.peek():
                raise ArchiveRejected(Reason.DAMAGED)
        _require_head(head)


def _require_head(head: dict[str, Any]) -> None:
    name, version = head.get("format"), head.get("version")
    if "format" in head and (name != FORMAT or type(version) is not int or not 1 <= version <= VERSION):
        raise ArchiveRejected(Reason.FORMAT, f"{name} {version}"[:LONGEST_NAME])
    if head.keys() != HEAD:
        raise ArchiveRejected(Reason.NOT_OURS)


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Archive | zipfile.ZipFile]:
    """Open the ZIP in an upload: an export of ours is checked, another is as it came. Raises: ArchiveRejected."""
    if file.seek(0, os.SEEK_END) > MAX_BYTES:
        raise ArchiveRejected(Reason.TOO_LARGE)
    file.seek(0)
    if file.read(4) != ENTRY:  # zipfile accepts an archive at the end of any file
        raise ArchiveRejected(Reason.NOT_A_ZIP)
    with damaged_on_error():
        zip_file = zipfile.ZipFile(cast(IO[bytes], _BoundedDirectory(file)))
    with zip_file:
        document = _document(zip_file.infolist())
        yield Archive(zip_file, document) if document else zip_file


def _photo_beside(document: str) -> str:
    return document[: document.rfind("/") + 1] + PHOTO


def _document(entries: list[zipfile.ZipInfo]) -> str | None:
    """Find the entry of the document; None if this is no export of ours. Raises: ArchiveRejected."""
    names = [entry.orig_filename for entry in entries]  # `filename` ends at a NUL
    found = [name for name in names if name.partition("\0")[0].rpartition("/")[2] in DOCUMENTS]
    if not found:
        return None
    if len({name.casefold() for name in names}) < len(names):
        raise ArchiveRejected(Reason.UNSAFE)
    for entry, name in zip(entries, names, strict=True):
        if PATH_TRAVERSAL.search(name) or entry.flag_bits & ENCRYPTED or name.lower().endswith(ARCHIVES):
            raise ArchiveRejected(Reason.UNSAFE)
    if len(found) != 1 or found[0].count("/") > 1:
        raise ArchiveRejected(Reason.NOT_OURS)
    for entry in entries:
        if entry.orig_filename in (found[0], _photo_beside(found[0])) and entry.compress_type not in PACKED:
            raise ArchiveRejected(Reason.UNSAFE)
    return found[0]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


# Python's decoder takes NaN and Infinity, which JSON does not have: int() refuses them.
DECODER = json.JSONDecoder(parse_constant=int, object_pairs_hook=_unique)


class JsonStream:
    """A streaming parser of JSON in UTF-8. Its bytes are counted, since a ZIP may lie about its size.

    Not ijson: its fast backend turns half of a surrogate pair into "?", fails with a SystemError on a number of 5,000
    digits and accepts a field twice, all of which is refused here. It also takes 1.8 times the CPU for 20,000 notes.
    Raises: ArchiveRejected: DAMAGED or TOO_MUCH, by every method.
    """

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source = source
        self._left = most
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """Yield the names in an object, also one twice. The caller takes each value before the next name."""
        for _ in self._between("{", "}"):
            name = self.value(LONGEST_NAME)
            if not isinstance(name, str):
                raise ArchiveRejected(Reason.DAMAGED)
            self._take(":")
            yield name

    def items(self, longest: int) -> Iterator[Any]:
        """Yield the items of a list, each of at most so many code points."""
        for _ in self._between("[", "]"):
            yield self.value(longest)

    def value(self, longest: int) -> Any:
        """Read the next value, whole. It may have so many code points, which bounds the memory, whatever it holds."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                end = None  # perhaps its end is not read yet
            except (ValueError, RecursionError) as error:
                raise ArchiveRejected(Reason.DAMAGED) from error
            size = (end or len(self._buffer)) - self._at
            if size > longest:
                raise ArchiveRejected(Reason.DAMAGED)
            if end is not None and (end < len(self._buffer) or self._ended):  # 12 may become 123
                self._at = end
                return value
            if self._ended:
                raise ArchiveRejected(Reason.DAMAGED)
            while len(self._buffer) - self._at < 2 * size and not self._ended:  # doubling keeps long items linear
                self._fill()

    def _between(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        if self.peek() != closing:
            yield
            while self.peek() == ",":
                self._take(",")
                yield
        self._take(closing)

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise ArchiveRejected(Reason.DAMAGED)
        self._at += 1

    def peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        while True:
            self._at = WHITE_SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._fill()

    def _fill(self) -> None:
        with damaged_on_error():
            chunk = self._source.read(CHUNK)
        self._left -= len(chunk)
        if self._left < 0:
            raise ArchiveRejected(Reason.TOO_MUCH)
        self._ended = not chunk
        try:
            self._buffer = self._buffer[self._at :] + self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            raise ArchiveRejected(Reason.DAMAGED) from error
        self._at = 0


@contextmanager
def damaged_on_error() -> Iterator[None]:
    """Name any error of `zipfile`: the archive is damaged. Its documentation promises none of them."""
    try:
        yield
    except ArchiveRejected:
        raise
    except Exception as error:
        raise ArchiveRejected(Reason.DAMAGED) from error
