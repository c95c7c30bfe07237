"""Export: everything that a user has, as a ZIP. The caller names the features that take part."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app import storage
from app.accounts import events
from app.accounts.events import Client
from app.accounts.models import EventKind
from app.accounts.sessions import SignedIn
from app.extensions import db
from app.portability import archive
from app.portability.concurrency import one_at_a_time
from app.portability.contract import Item, Portable
from app.portability.markdown import MarkdownFile, files_for


def export(account: SignedIn, portables: Sequence[Portable], readme: str, zone: tzinfo, client: Client) -> IO[bytes]:
    """Write the ZIP to a temporary file, so that no export is held in memory. The caller closes the file.

    Args:
        portables: the features' modules.
        readme: the text of README.txt.
        zone: the zone of the days in file names.
        client: who takes it, for the account's events.

    Raises:
        StorageUnavailable: the photo cannot be read.
        Busy, AccountGone
    """
    with one_at_a_time():
        photo = _photo_of(account)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            _Export(file, account, zone).write(portables, readme, photo)
            events.record(account.id, EventKind.EXPORTED, client)
            db.session.commit()
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return file


def _photo_of(account: SignedIn) -> bytes | None:
    """The photo. None also when its object is missing or lies in an earlier bucket."""
    key = storage.key_of(account.image_url) if account.image_url else None
    return storage.get(key) if key else None


class _Export:
    """A ZIP being written. Only one entry can be open at a time, so the JSON is written to a file of its own first."""

    def __init__(self, file: IO[bytes], account: SignedIn, zone: tzinfo) -> None:
        self._file = file
        self._account = account
        self._zone = zone
        self._now = datetime.now(UTC)

    def write(self, portables: Sequence[Portable], readme: str, photo: bytes | None) -> None:
        with ZipFile(self._file, "w") as self._zip, tempfile.TemporaryFile() as document:
            self._add(MarkdownFile("README.txt", readme))
            document.writelines(line.encode() for line in self._document(portables))
            document.seek(0)
            with self._zip.open(self._entry(archive.DOCUMENT), "w", force_zip64=True) as entry:
                shutil.copyfileobj(document, entry)
            if photo is not None:
                self._zip.writestr(self._entry(archive.PHOTO, compression=ZIP_STORED), photo)

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

    def _entry(self, name: str, moment: datetime | None = None, *, compression: int = ZIP_DEFLATED) -> ZipInfo:
        local = (moment or self._now).astimezone(self._zone)  # a ZIP has local time
        entry = ZipInfo(name, (max(local.year, 1980), *local.timetuple()[1:6]))
        entry.compress_type = compression
        entry.external_attr = 0o644 << 16  # without it the unpacked file has no permissions
        return entry


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_iso)


def _iso(value: date) -> str:
    """Of a moment or a day."""
    return value.isoformat()
