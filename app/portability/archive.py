"""Read an untrusted ZIP. Two entries are read; none is unpacked to disk. Pure.

Refused: path traversal in names ("zip slip"), duplicates, passwords, nested archives, and more than the limits once
unpacked ("zip bomb").
"""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from app.portability.json_stream import JsonStream
from app.portability.rejection import ArchiveRejected, Reason

FORMAT, VERSION = "semicircle", 1
DOCUMENT, PHOTO = "semicircle.json", "photo.webp"
HEAD = {"format", "version", "exported_at", "account"}
LONGEST_HEAD = 4096  # code points of a value in it; an account has 400 letters, each of which JSON may write as 12

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
DIRECTORY_ENTRY = b"PK\x01\x02"
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Entry:
    """An open entry whose every read error is DAMAGED."""

    def __init__(self, entry: IO[bytes]) -> None:
        self._entry = entry

    def read(self, size: int, /) -> bytes:
        with _damaged_on_error():
            return self._entry.read(size)


class _BoundedDirectory:
    """The upload, of whose central directory no more is read than MAX_ENTRIES.

    `zipfile` makes an object of each entry before anybody can count them, and an upload has room for two million.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        """Raises: ArchiveRejected."""
        if size > MAX_DIRECTORY:
            raise ArchiveRejected(Reason.TOO_MUCH)
        data = self._file.read(size)
        if data.count(DIRECTORY_ENTRY) > MAX_ENTRIES:
            raise ArchiveRejected(Reason.TOO_MUCH)
        return data


class Archive:
    """
    Args:
        zip_file: checked by `opened`.
        folder: "" or the one folder around everything, as after unpacking and packing again.
    """

    def __init__(self, zip_file: zipfile.ZipFile, folder: str) -> None:
        self._zip = zip_file
        self._folder = folder

    def photo(self) -> bytes | None:
        """Raises: ArchiveRejected."""
        if self._folder + PHOTO not in self._zip.NameToInfo:
            return None
        with _damaged_on_error(), self._zip.open(self._folder + PHOTO) as entry:
            photo: bytes = entry.read(MAX_PHOTO + 1)
        if len(photo) > MAX_PHOTO:
            raise ArchiveRejected(Reason.TOO_MUCH)
        return photo

    def lists(self, longest: Mapping[str, int]) -> Iterator[tuple[str, Iterator[Any]]]:
        """Name and items of each list. The caller reads each to its end before the next.

        Args:
            longest: the names of the lists that an export has, and how many code points an item of each may have.

        Raises:
            ArchiveRejected: also between items. The first member that no export has is refused by its name alone.
        """
        with _damaged_on_error(), self._zip.open(self._folder + DOCUMENT) as entry:
            document = JsonStream(_Entry(entry), MAX_JSON)
            head: dict[str, Any] = {}
            seen: set[str] = set()
            for name in document.members():
                if name in seen:
                    raise ArchiveRejected(Reason.DAMAGED)
                seen.add(name)
                if name in HEAD:
                    head[name] = document.value(LONGEST_HEAD)
                    continue
                _require_head(head)
                if name not in longest or not document.is_list():
                    raise ArchiveRejected(Reason.NOT_OURS)
                yield name, document.items(longest[name])
            document.end()
        _require_head(head)


def _require_head(head: dict[str, Any]) -> None:
    if head.get("format") != FORMAT:
        raise ArchiveRejected(Reason.NOT_OURS)
    if type(head.get("version")) is not int or head["version"] != VERSION:
        raise ArchiveRejected(Reason.VERSION)
    if head.keys() != HEAD:
        raise ArchiveRejected(Reason.NOT_OURS)


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Archive]:
    """The archive in an upload.

    Raises:
        ArchiveRejected
    """
    if file.seek(0, os.SEEK_END) > MAX_BYTES:
        raise ArchiveRejected(Reason.TOO_LARGE)
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":  # zipfile accepts an archive at the end of any file
        raise ArchiveRejected(Reason.NOT_A_ZIP)
    with _damaged_on_error():
        zip_file = zipfile.ZipFile(cast(IO[bytes], _BoundedDirectory(file)))
    with zip_file:
        yield Archive(zip_file, _folder(zip_file.infolist()))


def _folder(entries: list[zipfile.ZipInfo]) -> str:
    """Where DOCUMENT lies. Raises: ArchiveRejected."""
    names = [entry.orig_filename for entry in entries]  # `filename` ends at a NUL
    if len({name.casefold() for name in names}) < len(names):
        raise ArchiveRejected(Reason.UNSAFE)
    for entry, name in zip(entries, names, strict=True):
        if PATH_TRAVERSAL.search(name) or entry.flag_bits & ENCRYPTED or name.lower().endswith(ARCHIVES):
            raise ArchiveRejected(Reason.UNSAFE)
    found = [name for name in names if name.rpartition("/")[2] == DOCUMENT]
    if len(found) != 1 or found[0].count("/") > 1:
        raise ArchiveRejected(Reason.NOT_OURS)
    folder = found[0].removesuffix(DOCUMENT)
    for entry in entries:
        if entry.orig_filename in (folder + DOCUMENT, folder + PHOTO) and entry.compress_type not in PACKED:
            raise ArchiveRejected(Reason.UNSAFE)
    return folder


@contextmanager
def _damaged_on_error() -> Iterator[None]:
    """Any error of `zipfile` means that the archive is damaged.

    BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, UnicodeError and OSError occur;
    its documentation promises none of them.
    """
    try:
        yield
    except ArchiveRejected:
        raise
    except Exception as error:
        raise ArchiveRejected(Reason.DAMAGED) from error
