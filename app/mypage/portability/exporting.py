"""Everything that a person has, as a ZIP. Which features have something, the caller says."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app import storage
from app.accounts.service import SignedIn
from app.mypage.portability import archive
from app.mypage.portability.markdown import Page, pages_for
from app.mypage.portability.turns import one_at_a_time
from app.portable import Item, Portable


def export(account: SignedIn, portables: Sequence[Portable], readme: str, zone: tzinfo) -> IO[bytes]:
    """The ZIP of everything, in a temporary file that the caller closes: no export is held in memory.

    Args:
        portables: the features' modules.
        readme: what README.txt says.
        zone: in which the days of file names are.

    Raises:
        StorageUnavailable: there is a photo and it cannot be read.
        Busy
    """
    with one_at_a_time():
        photo = _photo_of(account)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            _Export(file, account, zone).write(portables, readme, photo)
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return file


def _photo_of(account: SignedIn) -> bytes | None:
    """None also when its object is missing, or lies in a bucket of before."""
    key = storage.key_of(account.image_url) if account.image_url else None
    return storage.get(key) if key else None


class _Export:
    """A ZIP that is being written. Of two entries at once it takes one, so the JSON waits in a file of its own."""

    def __init__(self, file: IO[bytes], account: SignedIn, zone: tzinfo) -> None:
        self._file = file
        self._account = account
        self._zone = zone
        self._now = datetime.now(UTC)

    def write(self, portables: Sequence[Portable], readme: str, photo: bytes | None) -> None:
        with ZipFile(self._file, "w") as self._zip, tempfile.TemporaryFile() as document:
            self._add(Page("README.txt", readme))
            document.writelines(line.encode() for line in self._document(portables))
            document.seek(0)
            with self._zip.open(self._entry(archive.DOCUMENT), "w", force_zip64=True) as entry:
                shutil.copyfileobj(document, entry)
            if photo is not None:
                self._zip.writestr(self._entry(archive.PHOTO, compression=ZIP_STORED), photo)

    def _document(self, portables: Sequence[Portable]) -> Iterator[str]:
        """The JSON, an item a line, so that it can be searched and compared line by line."""
        yield "{" + ",\n".join(f"{_json(name)}:{_json(value)}" for name, value in self._head().items())
        for portable in portables:
            yield f",\n{_json(portable.NAME)}:["
            for number, item in enumerate(self._with_pages(portable)):
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

    def _with_pages(self, portable: Portable) -> Iterator[Item]:
        """The items; what people are to read of them is written on the way, so that the rows are read once."""
        pages = pages_for(portable.NAME, self._zone)
        for item in portable.dump(self._account.id):
            for page in pages.of(item):
                self._add(page)
            yield item
        for page in pages.rest():
            self._add(page)

    def _add(self, page: Page) -> None:
        self._zip.writestr(self._entry(page.name, page.moment), page.text)

    def _entry(self, name: str, moment: datetime | None = None, *, compression: int = ZIP_DEFLATED) -> ZipInfo:
        local = (moment or self._now).astimezone(self._zone)  # a ZIP tells the time of the reader's clock
        entry = ZipInfo(name, (max(local.year, 1980), *local.timetuple()[1:6]))
        entry.compress_type = compression
        entry.external_attr = 0o644 << 16  # or nobody may read the unpacked file
        return entry


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_iso)


def _iso(value: date) -> str:
    """Of a moment or a day."""
    return value.isoformat()
