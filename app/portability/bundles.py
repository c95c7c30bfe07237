"""Read another notebook's export, a ZIP or a TAR. No file of it is unpacked to disk, and each is bounded. Pure."""

import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import IO, NamedTuple

from app.characters import composed
from app.portability import archive
from app.portability.archive import Archive, ArchiveRejected, Reason, damaged_on_error
from app.portability.notebooks import EPOCH, JOPLIN_NAME, ForeignNote, Missing, NotTaken, joplin_links, read_note, sane

MAX_FILE = 256 * 1024  # bytes: a note of 20,000 emoji has 80 kB, as JSON up to 240
MAX_TEXT = 64 * archive.MIB  # bytes of all files that are read, once unpacked
NOTES = (".md", ".markdown", ".txt", ".text", ".json")  # code and pages are texts too, but no notes
UNSAFE = re.compile(r"^/|(^|/)\.\.(/|$)|[\x00-\x1f]")
HIDDEN = re.compile(r"(^|/)(\.(?!/)|__MACOSX/)")  # .obsidian, .DS_Store
UTF_8 = 0x800  # bit of a ZIP entry's flags
LONGEST_NAME = 4096  # code points of a path; a ZIP has room for 65,535 bytes
BLOCK = 512  # bytes of a TAR


class File(NamedTuple):
    """A file of a bundle. With a problem it is not read, nor if it has more bytes than MAX_FILE."""

    name: str
    moment: datetime | None
    size: int
    read: Callable[[], bytes]
    problem: Missing | None = None


Files = Callable[[tzinfo], Iterator[File]]


def is_note(name: str) -> bool:
    return name.lower().endswith(NOTES)


def is_bundle(file: IO[bytes]) -> bool:
    """Tell by its content if a file is a ZIP or a TAR."""
    return _read_at(file, 0, 4) == archive.ENTRY or _read_at(file, 257, 5) == b"ustar"


def packed(files: Iterable[tuple[str, IO[bytes]]]) -> IO[bytes]:
    """Pack files that were chosen one by one or as a folder, to be read as any ZIP. The caller closes it."""
    bundle = tempfile.TemporaryFile()  # noqa: SIM115 - outlives this function
    with zipfile.ZipFile(bundle, "w") as zip_file:
        for name, file in files:
            file.seek(0)
            with zip_file.open(zipfile.ZipInfo(name[-LONGEST_NAME:]), "w") as entry:
                shutil.copyfileobj(file, entry)
    bundle.flush()
    return bundle


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Archive | Files]:
    """Open our own export, or the files of another notebook's. Raises: ArchiveRejected."""
    if _read_at(file, 257, 5) == b"ustar":
        yield partial(tar_files, file)
        return
    with archive.opened(file) as found:
        yield found if isinstance(found, Archive) else partial(zip_files, found)


def notes_of(files: Files, zone: tzinfo) -> Iterator[tuple[File, ForeignNote | Missing]]:
    """Yield each note, or why a file became none; `zone` is that of dates without one. Raises: ArchiveRejected."""
    names = {file.name for file in files(zone)}
    if any(map(UNSAFE.search, names)):
        raise ArchiveRejected(Reason.UNSAFE)
    beside = _beside_keep(names)
    items = _read(file for file in files(zone) if JOPLIN_NAME.search(file.name))
    links = joplin_links(data for _, data in items if isinstance(data, bytes))
    for file, data in _read(file for file in files(zone) if file.name not in beside and not HIDDEN.search(file.name)):
        try:
            found = data if isinstance(data, Missing) else read_note(file.name, data, links, zone)
        except NotTaken as error:
            found = error.reason
        if found is not None:
            yield file, found


def _beside_keep(names: set[str]) -> set[str]:
    """Find what says nothing more: Google Keep writes each note as HTML too, and beside them a list of the labels."""
    pages = {name for name in names if name.endswith(".html") and f"{name[:-5]}.json" in names}
    folders = {name.rpartition("/")[0] for name in pages}
    return pages | {name for name in names if name.endswith(".txt") and name.rpartition("/")[0] in folders}


def _read(files: Iterable[File]) -> Iterator[tuple[File, bytes | Missing]]:
    """Read the files, as long as all together are not too long. Raises: ArchiveRejected."""
    left = MAX_TEXT
    for file in files:
        problem = file.problem if is_note(file.name) else Missing.OTHER
        if problem is None and file.size > MAX_FILE:
            problem = Missing.TOO_LONG
        if problem is not None:
            yield file, problem
            continue
        with damaged_on_error():
            data = file.read()
        left -= len(data)
        if left < 0:
            raise ArchiveRejected(Reason.TOO_MUCH)
        yield file, data


def zip_files(zip_file: zipfile.ZipFile, zone: tzinfo) -> Iterator[File]:
    """Yield the files of a ZIP, whose dates have no zone."""
    for entry in zip_file.infolist():
        if entry.is_dir():
            continue
        is_odd = stat.S_ISLNK(entry.external_attr >> 16) or entry.compress_type not in archive.PACKED
        problem = Missing.LOCKED if entry.flag_bits & archive.ENCRYPTED else Missing.OTHER if is_odd else None
        moment = None
        with suppress(ValueError, OverflowError):  # the 31st of February
            moment = sane(datetime(*entry.date_time, tzinfo=zone))
        yield File(_name(entry), moment, entry.file_size, partial(_read_entry, zip_file, entry), problem)


def _read_entry(zip_file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with zip_file.open(entry) as file:
        return file.read(MAX_FILE + 1)  # without a bound all is unpacked at once, whatever the size is said to be


def _name(entry: zipfile.ZipInfo) -> str:
    """Return the name in NFC. Without the flag of UTF-8, `zipfile` reads it as CP437, which can be any bytes."""
    name = entry.orig_filename  # `filename` ends at a NUL
    for encoding in () if entry.flag_bits & UTF_8 else ("cp949", "utf-8"):
        with suppress(UnicodeError):
            name = entry.orig_filename.encode("cp437").decode(encoding)
    return composed(name.replace("\\", "/"))  # as old programs for Windows write folders


def tar_files(file: IO[bytes], zone: tzinfo) -> Iterator[File]:
    """Yield the files of a TAR, such as Joplin's JEX. Not by `tarfile`: it holds extended headers of any length."""
    at = 0
    while len(head := _read_at(file, at, BLOCK)) == BLOCK and head[0]:
        with damaged_on_error():
            size, seconds = (int(head[start : start + 12].rstrip(b" \0") or b"0", 8) for start in (124, 136))
            folder, name = (field.partition(b"\0")[0].decode(errors="replace") for field in (head[345:500], head[:100]))
            moment = sane(EPOCH + timedelta(seconds=seconds))
            if size < 0:
                raise ArchiveRejected(Reason.DAMAGED)
        if head[156:157] in (b"0", b"\0"):  # a file; others are folders, links and extended headers
            path = composed(f"{folder}/{name}" if folder else name)
            yield File(path, moment, size, partial(_read_part, file, at + BLOCK, size))
        at += BLOCK + -(-size // BLOCK) * BLOCK


def _read_part(file: IO[bytes], at: int, size: int) -> bytes:
    data = _read_at(file, at, size)
    if len(data) < size:
        raise ArchiveRejected(Reason.DAMAGED)
    return data


def _read_at(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
