"""Export: everything that a user has, as a ZIP. The caller names the features that take part.

The ZIP is streamed: its first byte comes at once, however long the rest takes, and none of it is held in memory but the
names of its files. An error on the way ends it without its central directory, so no program takes the part for a whole.
"""

import json
import tempfile
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from app import storage
from app.accounts import events
from app.accounts.events import Client
from app.accounts.models import Account, EventKind
from app.extensions import db
from app.portability import archive
from app.portability.concurrency import one_at_a_time
from app.portability.contract import Item, Portable
from app.portability.markdown import MarkdownFile, files_for

CHUNK = 64 * 1024  # bytes


def export(
    account: Account, portables: Sequence[Portable], readme: str, zone: tzinfo, client: Client
) -> Iterator[bytes]:
    """The ZIP, as it is written. The caller takes it to its end, or closes it.

    Each list is one statement, so a note that is changed meanwhile is whole: as it was, or as it became. A transaction
    is open until all rows are read, so the caller must not wait for a slow client between the parts.

    Args:
        portables: the features' modules.
        readme: the text of README.txt.
        zone: the zone of the days in file names.
        client: who takes it, for the account's events.

    Raises:
        StorageUnavailable: the photo cannot be read.
        OSError: there is no place for a temporary file.
        Busy, AccountGone
    """
    parts = _parts(account, portables, readme, zone, client)
    parts.send(None)  # up to where nothing can be refused any more
    return parts


def _parts(
    account: Account, portables: Sequence[Portable], readme: str, zone: tzinfo, client: Client
) -> Generator[bytes]:
    with one_at_a_time(), tempfile.TemporaryFile() as document:
        photo = _photo_of(account)
        events.record(account.id, EventKind.EXPORTED, client)  # before the first byte: what follows may be cut off
        db.session.commit()
        yield b""
        yield from _Export(account, zone).parts(portables, readme, photo, document)


def _photo_of(account: Account) -> bytes | None:
    """The photo. None also when its object is missing or lies in an earlier bucket."""
    key = storage.key_of(account.image_url) if account.image_url else None
    return storage.get(key) if key else None


class _Written:
    """The file of a ZIP that is being streamed: what was written to it and not yet taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """For ZipFile."""

    def take(self, least: int = CHUNK) -> Iterator[bytes]:
        """All of it, if it is so many bytes."""
        if len(self._data) >= least:
            data, self._data = bytes(self._data), bytearray()
            yield data


class _Export:
    """A ZIP being written. Only one entry can be open at a time, so the JSON is written to a file of its own first."""

    def __init__(self, account: Account, zone: tzinfo) -> None:
        self._account = account
        self._zone = zone
        self._now = datetime.now(UTC)

    def parts(
        self, portables: Sequence[Portable], readme: str, photo: bytes | None, document: IO[bytes]
    ) -> Iterator[bytes]:
        written = _Written()
        self._zip = ZipFile(cast(IO[bytes], written), "w")
        self._add(MarkdownFile("README.txt", readme))
        yield from written.take(1)
        for line in self._document(portables):
            document.write(line.encode())
            yield from written.take()
        db.session.rollback()  # the rows are read, and packing them takes longer than a transaction may be idle
        entry = self._entry(archive.DOCUMENT)
        entry.file_size = document.tell()  # ZipFile decides by it whether the entry needs ZIP64
        document.seek(0)
        with self._zip.open(entry, "w") as packed:
            for chunk in iter(partial(document.read, CHUNK), b""):
                packed.write(chunk)
                yield from written.take()
        if photo is not None:
            self._zip.writestr(self._entry(archive.PHOTO), photo)
        self._zip.close()  # writes the central directory
        yield from written.take(1)

    def _document(self, portables: Sequence[Portable]) -> Iterator[str]:
        """The JSON, one item a line, so that grep and diff work on it."""
        yield "{" + ",\n".join(f"{_json(name)}:{_json(value)}" for name, value in self._head().items())
        for portable in portables:
            yield f",\n{_json(portable.NAME)}:["
            for number, item in enumerate(self._with_files(portable)):
                yield (",\n" if number else "\n") + _json(item)
            yield "]"
        yield "}\n"

    def _head(self) -> dict[str, Any]:
        return {
            "format": archive.FORMAT,
            "version": archive.VERSION,
            "exported_at": self._now,
            "account": {name: getattr(self._account, name) for name in ("email", "nickname", "language", "time_zone")},
        }

    def _with_files(self, portable: Portable) -> Iterator[Item]:
        """The items. Their Markdown files are written on the way, so that the rows are read once."""
        files = files_for(portable.NAME, self._zone)
        for item in portable.dump(self._account.id):
            for file in files.of(item):
                self._add(file)
            yield item
        for file in files.rest():
            self._add(file)

    def _add(self, file: MarkdownFile) -> None:
        self._zip.writestr(self._entry(file.name, file.moment), file.text)

    def _entry(self, name: str, moment: datetime | None = None) -> ZipInfo:
        local = (moment or self._now).astimezone(self._zone)  # a ZIP has local time
        entry = ZipInfo(name, (max(local.year, 1980), *local.timetuple()[1:6]))
        entry.compress_type = ZIP_DEFLATED  # also of the photo: without compression its end cannot be found in a stream
        entry.external_attr = 0o644 << 16  # without it the unpacked file has no permissions
        return entry


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_iso)


def _iso(value: date) -> str:
    """Of a moment or a day."""
    return value.isoformat()
