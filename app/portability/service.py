"""Export and import of everything that a user has, as a ZIP. The caller names the features that take part.

The ZIP is streamed: its first byte comes at once, however long the rest takes, and none of it is held in memory but the
names of its files. An error on the way ends it without its central directory, so no program takes the part for a whole.
"""

import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import IO, TypeVar, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pydantic_core import to_json

from app import storage
from app.accounts import events
from app.accounts.models import Account, EventKind, User
from app.accounts.portable import PROFILE
from app.accounts.service import AccountGone, lock_user
from app.accounts.sessions import SignedIn
from app.extensions import db
from app.follower import writes
from app.limits import rate_limits
from app.limits.quotas import QuotaReached
from app.photos import service as photos
from app.photos.containers import PhotoRejected
from app.portability import archive, bundles, markdown
from app.portability.archive import Archive, ArchiveRejected, Reason
from app.portability.bundles import File
from app.portability.contract import EmptyItem, InvalidItem, Item, PortableTable, Records, read_rows
from app.portability.notebooks import ForeignNote, Missing, hashtags
from app.rejection import held
from app.web.fields import has_control_characters, normalize

MAX_ITEMS = 100_000  # in each list; the largest storage quota
# 20,000 of the longest notes take 56 beside other work on 2 cores. VACUUM and other imports wait for as long.
IMPORT_SECONDS = 180.0
# 20,000 full notes take 15 seconds of CPU to export and 4 to import, and a thread and a connection for as long.
WORKING = threading.BoundedSemaphore(1)  # so one export or import at a time in a process
BUSY_SECONDS = 5.0
T = TypeVar("T")
Portables = Sequence[PortableTable]
FoundNotes = Iterator[tuple[File, ForeignNote | Missing]]


def export(
    account: Account, portables: Portables, records: Records, readme: str, zone: tzinfo, client: events.Client
) -> Iterator[bytes]:
    """Write the ZIP, part by part. The caller takes it to its end, or closes it.

    Each list is one statement, so a note that is changed meanwhile is whole: as it was, or as it became. A transaction
    is open until all rows are read, so the caller must not wait for a slow client between the parts. `zone` is that of
    the days in file names. Raises: RateLimited, Busy, AccountGone, StorageUnavailable; OSError: no room for a file.
    """
    rate_limits.take(rate_limits.EXPORTS, account.id)
    parts = _Export(account, zone).parts(portables, records, readme, client)
    next(parts)  # up to where nothing can be refused any more
    return parts


class _Written:
    """The file of a ZIP that is being streamed: what was written to it and not yet taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: ZipFile asks for it."""

    def take(self, least: int = archive.CHUNK) -> Iterator[bytes]:
        """Yield all of it, if it is so many bytes."""
        if len(self._data) >= least:
            data, self._data = bytes(self._data), bytearray()
            yield data


class _Export:
    """A ZIP being written. Only one entry can be open at a time, so rows are written to another file first."""

    def __init__(self, account: Account, zone: tzinfo) -> None:
        self._account = account
        self._zone = zone
        self._now = datetime.now(UTC)
        self._names: dict[str, int] = {}  # of notes
        self._written = _Written()
        self._zip = ZipFile(cast(IO[bytes], self._written), "w")

    def parts(self, portables: Portables, records: Records, readme: str, client: events.Client) -> Iterator[bytes]:
        """Yield nothing first, once nothing can be refused any more, and then the bytes."""
        key = storage.key_of(self._account.image_url) if self._account.image_url else None
        with held(WORKING, BUSY_SECONDS), tempfile.TemporaryFile() as file:
            photo = storage.get(key) if key else None  # None also when the object is missing, or in an earlier bucket
            events.record(self._account.id, EventKind.EXPORTED, client)  # now: what follows may be cut off
            db.session.commit()
            yield b""
            self._add("README.txt", readme)
            yield from self._written.take(1)
            yield from self._packed(archive.DOCUMENT, self._document(portables), file)
            for name, rows in records.items():
                lines = (to_json(row) + b"\n" for row in read_rows(rows, self._account.id))
                yield from self._packed(f"records/{name}.jsonl", lines, file)
            if photo is not None:
                self._zip.writestr(self._entry(archive.PHOTO), photo)
            self._zip.close()  # writes the central directory
            yield from self._written.take(1)

    def _packed(self, name: str, lines: Iterator[bytes], file: IO[bytes]) -> Iterator[bytes]:
        file.seek(0)
        file.truncate()
        for line in lines:
            file.write(line)
            yield from self._written.take()
        db.session.rollback()  # the rows are read, and packing them takes longer than a transaction may be idle
        entry = self._entry(name)
        entry.file_size = file.tell()  # ZipFile decides by it whether the entry needs ZIP64
        file.seek(0)
        with self._zip.open(entry, "w") as packed:
            for chunk in iter(partial(file.read, archive.CHUNK), b""):
                packed.write(chunk)
                yield from self._written.take()

    def _document(self, portables: Portables) -> Iterator[bytes]:
        """Write the JSON, one item a line for grep and diff, and add the Markdown files: so the rows are read once."""
        [account] = read_rows(PROFILE, self._account.id)
        head = {"format": archive.FORMAT, "version": archive.VERSION, "exported_at": self._now, "account": account}
        yield to_json(head)[:-1]
        todos: list[str] = []
        for portable in portables:
            yield f',\n"{portable.name}":['.encode()
            for number, item in enumerate(read_rows(portable.rows(portable.exported), self._account.id)):
                if portable.name == "notes":
                    name = markdown.note_name(item, self._zone, self._names)
                    self._add(name, markdown.note_file(item), item["updated_at"])
                elif portable.name == "todos":
                    todos.append(markdown.todo_line(item))
                yield (b",\n" if number else b"\n") + to_json(item)
            yield b"]"
        if todos:
            self._add("todos.md", "\n".join([*reversed(todos), ""]))  # in the order of the page
        yield b"}\n"

    def _add(self, name: str, text: str, moment: datetime | None = None) -> None:
        self._zip.writestr(self._entry(name, moment), text)

    def _entry(self, name: str, moment: datetime | None = None) -> ZipInfo:
        local = (moment or self._now).astimezone(self._zone)  # a ZIP has local time
        entry = ZipInfo(name, (max(local.year, 1980), *local.timetuple()[1:6]))
        entry.compress_type = ZIP_DEFLATED  # also of the photo: without compression its end cannot be found in a stream
        entry.external_attr = 0o644 << 16  # without it the unpacked file has no permissions
        return entry


@dataclass
class Progress:
    """Count what an import has read so far, for another thread to tell, and at its end say what it did."""

    read: int = 0
    left_out: dict[Missing, list[str]] = field(default_factory=dict)  # the names of files that became no note
    new: Mapping[str, int] = field(default_factory=dict)  # items that came in, by name of the feature
    photo: bool = False  # it came in

    @property
    def taken(self) -> int:
        """Return how many items came in, or were there already."""
        return self.read - sum(map(len, self.left_out.values()))


def import_archive(
    account: SignedIn | User,
    file: IO[bytes],
    portables: Portables,
    progress: Progress,
    *,
    replace_photo: bool,
    zone: tzinfo = UTC,
) -> None:
    """Store what an export holds and the account does not have: all of it or, if anything is refused, nothing.

    Where the account has a photo, that of the export is taken with `replace_photo` alone. Of another notebook's export
    the notes are taken that can be, and `progress` names the others; `zone` is that of dates without one.

    Raises: ArchiveRejected, AccountGone, StorageUnavailable, Busy: nothing was stored.
    """
    # Waiting for another import counts as well.
    deadline, end = time.monotonic() + photos.UPLOAD_SECONDS, time.monotonic() + IMPORT_SECONDS
    with held(WORKING, BUSY_SECONDS), bundles.opened(file) as opened:
        may_show = replace_photo or account.image_url is None
        photo = opened.photo() if isinstance(opened, Archive) and may_show else None
        try:  # object first, then the row: see app/photos/service.py
            url = photos.store(photo, deadline=deadline) if photo is not None else None
        except PhotoRejected as error:
            raise ArchiveRejected(Reason.PHOTO) from error
        try:
            lock_user(account.id)  # two imports at once would store everything twice
            if isinstance(opened, Archive):
                new = _load(account.id, opened, portables, end, progress)
            else:
                [notes] = (portable for portable in portables if portable.name == "notes")
                found = _counted(bundles.notes_of(opened, zone), end, progress)
                new = _load_notes(account.id, found, notes, progress)
            if url is not None:
                photos.show(account.id, url)
        except (ArchiveRejected, AccountGone):
            db.session.rollback()
            storage.delete_later(url)
            db.session.commit()
            raise
        writes.mark(account.id)  # this may be a thread of its own, without the request
        db.session.commit()
        progress.new, progress.photo = new, url is not None


def _load(user_id: int, export_file: Archive, portables: Portables, end: float, progress: Progress) -> dict[str, int]:
    by_name, new = {portable.name: portable for portable in portables}, {portable.name: 0 for portable in portables}
    for name, items in export_file.lists({portable.name: portable.longest_item for portable in portables}):
        if name in by_name:
            new[name] = _store(user_id, by_name[name], _read(by_name[name], _counted(items, end, progress), progress))
        else:
            deque(_counted(items, end, Progress()), maxlen=0)  # reads them, and keeps none
    return new


def _store(user_id: int, portable: PortableTable, items: Iterator[Item]) -> int:
    try:
        return portable.load(user_id, items)
    except QuotaReached as error:
        raise ArchiveRejected(Reason.QUOTA, portable.name) from error


def _read(portable: PortableTable, items: Iterator[object], progress: Progress) -> Iterator[Item]:
    """Yield the items as rows, and name those of which nobody sees anything. Raises: ArchiveRejected."""
    for number, item in enumerate(items, start=1):
        place = f"{portable.name} {number}"
        try:
            yield portable.read(item)
        except EmptyItem:
            progress.left_out.setdefault(Missing.EMPTY, []).append(place)
        except InvalidItem as error:
            raise ArchiveRejected(Reason.INVALID, f"{place}, {error.field}".rstrip(", ")) from error


def _load_notes(user_id: int, found: FoundNotes, notes: PortableTable, progress: Progress) -> dict[str, int]:
    """Store the notes of another notebook that are not here yet by title and text: dates change as files are copied."""
    table = replace(notes, same=[name for name in notes.same if name != "created_at"])
    new = _store(user_id, table, _read_notes(found, notes, progress))
    if not progress.taken and progress.left_out.keys() <= {Missing.OTHER}:
        raise ArchiveRejected(Reason.NOT_OURS)
    return {notes.name: new}


def _read_notes(found: FoundNotes, notes: PortableTable, progress: Progress) -> Iterator[Item]:
    for file, note in found:
        item = note if isinstance(note, Missing) else _item_of(note, file.moment, notes)
        if isinstance(item, Missing):
            progress.left_out.setdefault(item, []).append(file.name)
        else:
            yield item


def _item_of(note: ForeignNote, moment: datetime | None, notes: PortableTable) -> Item | Missing:
    """Read it as one of an export, with the tags that its text does not have yet."""
    if has_control_characters(normalize(note.title + note.content)):
        return Missing.UNREADABLE
    created = note.created or note.updated or moment or datetime.now(UTC)
    updated = max(created, note.updated or created).isoformat()
    item: Item = {"title": note.title, "content": note.content, "tags": [], "pinned": note.pinned, "deleted_at": None}
    item |= {
        "created_at": created.isoformat(),
        "updated_at": updated,
        "archived_at": updated if note.archived else None,
    }
    try:
        present = notes.read(item)["tags"]
        tags = " ".join(tag for tag in hashtags(note.tags) if tag[1:].lower() not in present)
        return notes.read({**item, "content": "\n\n".join(filter(None, (note.content, tags)))})
    except EmptyItem:
        return Missing.EMPTY
    except InvalidItem as error:
        if error.field == "title":  # as a heading of the text it has room
            return _item_of(note._replace(title="", content=f"# {note.title}\n\n{note.content}"), moment, notes)
        return Missing.TOO_LONG


def _counted(items: Iterator[T], end: float, progress: Progress) -> Iterator[T]:
    """Yield the items. Raises: ArchiveRejected: there are more than MAX_ITEMS, or the time is over."""
    for number, item in enumerate(items, start=1):
        progress.read += 1
        if number > MAX_ITEMS:
            raise ArchiveRejected(Reason.TOO_MUCH)
        if time.monotonic() > end:
            raise ArchiveRejected(Reason.TOO_SLOW)
        yield item
