"""Archives that are not our export, or a manipulated one. Each key of ARCHIVES names the defect."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from app.portability import archive
from app.portability import service as portability
from app.portability.archive import Reason
from tests.portability.exports import packed

NOTE: dict[str, Any] = {
    "title": "title",
    "content": "content",
    "tags": [],
    "pinned": False,
    "created_at": "2026-03-01T09:00:00.123456+00:00",
    "updated_at": "2026-03-01T09:00:00+00:00",
    "archived_at": None,
    "deleted_at": None,
}
TODO: dict[str, Any] = {
    "description": "buy milk",
    "completed": False,
    "due_on": None,
    "created_at": "2026-03-01T09:00:00+00:00",
    "completed_at": None,
}
HEAD: dict[str, Any] = {"format": archive.FORMAT, "version": 1, "exported_at": "", "account": {}}
# Valid items that precede the invalid part of each archive. They must not be stored when it is refused.
LISTS: dict[str, Any] = {"notes": [NOTE], "todos": [TODO]}


def document(**changes: Any) -> str:
    return json.dumps({**HEAD, **LISTS, **changes})


def document_of_lists(**lists: Any) -> str:
    """Return one whose other lists are empty."""
    return document(**{name: [] for name in LISTS} | lists)


def zipped(text: str | bytes) -> bytes:
    return packed({"semicircle.json": text})


def note(**changes: Any) -> bytes:
    return zipped(document(notes=[NOTE, {**NOTE, **changes}]))


def todo(**changes: Any) -> bytes:
    return zipped(document(todos=[TODO, {**TODO, **changes}]))


def without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def with_entries(*names: str, content: bytes | str = "x") -> bytes:
    """Return an export with additional entries. A name may occur twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zip_file:
        zip_file.writestr("semicircle.json", document())
        for number, name in enumerate(names):
            zip_file.writestr(f"{number:0{len(name.encode())}}", content)
    data = file.getvalue()
    for number, name in enumerate(names):  # zipfile would sanitize some of these names and warn about others
        data = data.replace(f"{number:0{len(name.encode())}}".encode(), name.encode())
    return data


def encrypted() -> bytes:
    """Return an archive whose flags say that it is encrypted; its data is not."""
    data = bytearray(zipped(document()))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    return bytes(data)


def zip_bomb() -> bytes:
    """Return a zip bomb of 70 kB: a valid document, padded with more white space than may be unpacked."""
    return zipped(document().encode()[:-1] + b" " * (archive.MAX_JSON + 1) + b"}")


def zip_bomb_with_forged_size() -> bytes:
    """Return the zip bomb with headers that claim an unpacked size of 1000 bytes."""
    data = bytearray(zip_bomb())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", 1000)
    return bytes(data)


def with_flipped_bit(position: float) -> bytes:
    """Return an archive with one flipped bit at `position`, a fraction (0 to 1) of its length."""
    data = bytearray(zipped(document(notes=[{**NOTE, "title": f"{number}"} for number in range(500)])))
    data[int(len(data) * position)] ^= 0x10
    return bytes(data)


def many_entries() -> bytes:
    names = map(str, range(archive.MAX_ENTRIES))
    return packed({"semicircle.json": document(), **dict.fromkeys(names, "")}, zipfile.ZIP_STORED)


def many_entries_with_forged_count() -> bytes:
    """Return `many_entries` whose end of central directory record counts one entry."""
    data = bytearray(many_entries())
    at = data.rindex(b"PK\x05\x06")
    data[at + 8 : at + 12] = struct.pack("<HH", 1, 1)
    return bytes(data)


def long_central_directory() -> bytes:
    """Return an export with few entries, whose central directory is longer than may be read."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zip_file:
        zip_file.writestr("semicircle.json", document())
        for number in range(archive.MAX_DIRECTORY // 60_000 + 1):
            entry = zipfile.ZipInfo(f"{number}.md")
            entry.comment = bytes(60_000)
            zip_file.writestr(entry, "")
    return file.getvalue()


def headed(members: str) -> bytes:
    """Return an export with these members behind its head, and with more than may be unpacked behind them."""
    head = json.dumps(HEAD).removesuffix("}")
    return zipped(f"{head}, {members}{' ' * (archive.MAX_JSON + 1)}" + "}")


def raw(text: str) -> bytes:
    """Return an export in which this JSON text replaces the title of a note."""
    return zipped(document(notes=[{**NOTE, "title": "HERE"}]).replace('"HERE"', text))


ARCHIVES: dict[str, tuple[Reason, Callable[[], bytes]]] = {
    # The upload
    "nothing": (Reason.NOT_A_ZIP, lambda: b""),
    "a ZIP behind something else": (Reason.NOT_A_ZIP, lambda: b"#!/bin/sh\n" + zipped(document())),
    "more than an upload may have": (Reason.TOO_LARGE, lambda: zipped(document()) + bytes(archive.MAX_BYTES)),
    # The entries
    "a ZIP of something else": (Reason.NOT_OURS, lambda: packed({"photo.webp": "x", "a.html": "x"})),
    "the document deep in folders": (Reason.NOT_OURS, lambda: packed({"a/b/semicircle.json": document()})),
    "two documents": (Reason.NOT_OURS, lambda: with_entries("a/semicircle.json")),
    "a name twice but for its case": (Reason.UNSAFE, lambda: with_entries(archive.DOCUMENT.upper())),
    "a name that leads up": (Reason.UNSAFE, lambda: with_entries("notes/../../x.md")),
    "a name with NUL": (Reason.UNSAFE, lambda: with_entries("semicircle.json\0.md")),
    "an archive in it": (Reason.UNSAFE, lambda: with_entries("more.ZIP")),
    "a password": (Reason.UNSAFE, encrypted),
    "another compression": (Reason.UNSAFE, lambda: packed({"semicircle.json": document()}, zipfile.ZIP_LZMA)),
    "too many entries": (Reason.TOO_MUCH, many_entries),
    "too many entries, and an end that says there is one": (Reason.TOO_MUCH, many_entries_with_forged_count),
    "a central directory of nothing but long names": (Reason.TOO_MUCH, long_central_directory),
    "a bomb": (Reason.TOO_MUCH, zip_bomb),
    "a bomb that lies about its size": (Reason.DAMAGED, zip_bomb_with_forged_size),
    "a bomb as a photo": (Reason.TOO_MUCH, lambda: packed({"semicircle.json": document(), "photo.webp": bytes(2**24)})),
    "no photo as a photo": (Reason.PHOTO, lambda: packed({"semicircle.json": document(), "photo.webp": "<svg/>"})),
    "a flipped bit": (Reason.DAMAGED, lambda: with_flipped_bit(0.5)),
    # The JSON
    "a document cut off": (Reason.DAMAGED, lambda: zipped(document()[:-2])),
    "something behind the document": (Reason.DAMAGED, lambda: zipped(document() + "{}")),
    "a comma too few": (Reason.DAMAGED, lambda: zipped(document(notes=[NOTE, NOTE]).replace("}, {", "} {", 1))),
    "an object with nothing in it": (Reason.NOT_OURS, lambda: zipped("{}")),
    "another format": (Reason.FORMAT, lambda: zipped(document(format="memos"))),
    "a format that is no name": (Reason.FORMAT, lambda: zipped(document(format=None))),
    "a version to come": (Reason.FORMAT, lambda: zipped(document(version=archive.VERSION + 1))),
    "a version before the first": (Reason.FORMAT, lambda: zipped(document(version=0))),
    "a version that is no number": (Reason.FORMAT, lambda: zipped(document(version=True))),
    "a version behind the lists": (
        Reason.FORMAT, lambda: zipped(json.dumps({**without(HEAD, "version"), **LISTS, "version": 1}))),
    "no account in the head": (Reason.NOT_OURS, lambda: zipped(json.dumps({**without(HEAD, "account"), **LISTS}))),
    "a number as a name": (Reason.DAMAGED, lambda: zipped(document()[:-1] + ", 1: []}")),
    "a document cut off in an item": (Reason.DAMAGED, lambda: zipped(document()[:-4])),
    "a byte that is no UTF-8, in a later chunk": (
        Reason.DAMAGED,
        lambda: zipped(document(notes=[NOTE, "HERE"]).encode().replace(b'"HERE"', b" " * archive.CHUNK + b'"\xff"'))),
    "a list twice": (Reason.DAMAGED, lambda: zipped(document()[:-1] + ', "notes": []}')),
    # An item that no export has is read over, within the bounds of those that one has.
    "a bomb in a list that no export has": (Reason.TOO_MUCH, lambda: headed('"users": [')),
    "too many items in a list that no export has": (
        Reason.TOO_MUCH, lambda: zipped(document(users=[0] * (portability.MAX_ITEMS + 1)))),
    "too many members": (Reason.DAMAGED, lambda: zipped(document(**{f"{number}": 1 for number in range(100)}))),
    "a member longer than any": (Reason.DAMAGED, lambda: zipped(document(user="x" * archive.LONGEST_OTHER))),
    "a list that no export has, before the head": (
        Reason.NOT_OURS, lambda: zipped(json.dumps({"users": [], **HEAD, **LISTS}))),
    "a long name of a member": (Reason.DAMAGED, lambda: zipped(document(**{"x" * 300: 1}))),
    "a long list as a member of the head": (Reason.DAMAGED, lambda: zipped(document(exported_at=["x"] * 2_000))),
    "a list that is an object": (Reason.NOT_OURS, lambda: zipped(document(notes={}))),
    "deep lists": (Reason.DAMAGED, lambda: raw("[" * 500_000 + "]" * 500_000)),
    "an item without an end": (Reason.DAMAGED, lambda: raw('"' + "x" * 5_000_000 + '"')),
    "NaN": (Reason.DAMAGED, lambda: raw("NaN")),
    "a number of many digits": (Reason.DAMAGED, lambda: raw("9" * 10_000)),
    "a field twice": (Reason.DAMAGED, lambda: raw('"a", "title": "b"')),
    "too many notes": (Reason.TOO_MUCH, lambda: zipped(document(notes=[NOTE] * (portability.MAX_ITEMS + 1)))),
    # The items
    "a note that is null": (Reason.INVALID, lambda: zipped(document(notes=[None]))),
    "a note longer than any": (Reason.DAMAGED, lambda: note(**{f"{number}": 1 for number in range(100_000)})),
    "a todo in too much white space": (
        Reason.DAMAGED, lambda: zipped(document(todos=["HERE"]).replace('"HERE"', "[" + " " * 17_000 + "]"))),
    "a note without a title": (Reason.INVALID, lambda: zipped(document(notes=[without(NOTE, "title")]))),
    "a title that is null": (Reason.INVALID, lambda: note(title=None)),
    "a title of 121": (Reason.INVALID, lambda: note(title="한" * 121)),
    "a title with NUL": (Reason.INVALID, lambda: note(title="a\0b")),
    "a title with half a character": (Reason.INVALID, lambda: raw('"\\ud83c"')),
    "a text of 20,001": (Reason.INVALID, lambda: note(content="😀" * 20_001)),
    "pinned as a number": (Reason.INVALID, lambda: note(pinned=1)),
    "a moment without a zone": (Reason.INVALID, lambda: note(created_at="2026-03-01T09:00:00")),
    "a moment to come": (Reason.INVALID, lambda: note(created_at="2126-03-01T09:00:00+00:00")),
    "a moment at the end of time": (Reason.INVALID, lambda: note(deleted_at="9999-12-31T23:59:59-14:00")),
    "a todo that is null": (Reason.INVALID, lambda: todo(description=None)),
    "a day that never was": (Reason.INVALID, lambda: todo(due_on="2026-02-29")),
}  # fmt: skip
