"""Read the notes of other notebooks: Markdown with front matter, Joplin's items and Google Keep's JSON. Pure.

Sources: https://joplinapp.org/help/dev/spec/interop_with_frontmatter, Joplin's `BaseItem.serialize`, Obsidian's help on
properties, and the exports of Google Takeout. Each becomes a head and a text, in which links and embeds stay.
"""

import enum
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from app.characters import composed
from app.rejection import Rejected

ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # by their byte order marks
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEADING = re.compile(r" {0,3}#[ \t]+(\S[^\n]*)\n?")
NO_KEY = re.compile(r"(?<=ed)[-_ ]?(?:at|time|date)\"?$|[-_ \"']")  # created_at is created
HEAD_LINE = re.compile(r"([^\s:#\-][^:]{0,60}):(?:[ \t]+(.*))?")
FOLDED = re.compile(r"[|>][-+0-9]{0,2}")
FLOW = re.compile(r"\[(.*)\](?:\s+#.*)?")  # a list in one line, and not "[draft] a title"
SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*+)'(?:\s+#.*)?")
FLOW_ITEM = re.compile(r'"(?:[^"\\]|\\.)*"|' r"'(?:[^']|'')*'|[^,\s][^,]*")
LONGEST_LIST = 4096  # code points of a list in one line: FLOW_ITEM takes the square of the time for unclosed quotes
LONGEST_DATE = 100  # code points
DAY = re.compile(r"([0-9]{4})[-/.년年] ?([0-9]{1,2})[-/.월月] ?([0-9]{1,2})[.일日]?(?![0-9])[ ,T]*(.*)")
DAY_IN_ENGLISH = re.compile(r"(?:([0-9]{1,2}) )?([a-z]{3})[a-z]*\.?(?: ([0-9]{1,2}),?)? ([0-9]{4})(.*)", re.I)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAY = r"[월화수목금토일月火水木金土日](?:요일|曜日|(?=[)）]))|\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
WEEKDAY = re.compile(rf"[ ,(（]*(?:{_WEEKDAY})\b[)）]?", re.I)
SECONDS, MINUTE = re.compile(r"^(1[0-9]{9})(?:[0-9]{3})?$"), re.compile(r"^([0-9]{8})([0-9]{4}(?:[0-9]{2})?)$")
ZONE = re.compile(r" ?(?:(?:GMT|UTC)(?=[-+])|\(.*\)$)|( ?(?:GMT|UTC)$)")
HALF_DAY = re.compile(r"(오전|am|午前)|(오후|pm|午後)", re.IGNORECASE)
HOUR = re.compile(r"[시時](?: ?([0-9]{1,2})[분分])?(?: ?[0-9]{1,2}[초秒])?")
JOPLIN_NAME = re.compile(r"(^|/)[0-9a-f]{32}\.md$")
NO_TAG = re.compile(r"[\s!-,./:-@\[-^`{-~\u3001-\u303f\uff01-\uff0f]+")  # the ends of a tag
MOST_LINKS = 100  # of those that stand beside a text

CREATED = ("created", "datecreated", "creationdate", "ctime", "date", "published")
UPDATED = ("updated", "modified", "datemodified", "lastmod", "lastmodified", "lastupdated", "mtime")
TAGS = ("tags", "tag", "keywords", "labels", "categories")
# A block between two lines of --- is front matter if it has one of these; else it is text between two rules.
KNOWN = {*CREATED, *UPDATED, *TAGS, "title", "pinned", "publish", "source", "author"}
KNOWN |= {"aliases", "cssclass", "cssclasses"}  # of Obsidian

Head = Mapping[str, str | list[str]]
Links = Mapping[str, list[str]]  # the tags of each of Joplin's notes, by its id


class Missing(enum.StrEnum):
    """The reason why a file did not become a note; forms.py has the sentences."""

    TOO_LONG = enum.auto()
    EMPTY = enum.auto()
    UNREADABLE = enum.auto()  # no text, of an unknown encoding, with control characters, or damaged JSON
    LOCKED = enum.auto()  # encrypted
    IN_TRASH = enum.auto()
    OTHER = enum.auto()  # no note: a picture, an archive, a link of the file system


class NotTaken(Rejected):
    """The file does not become a note."""

    reason: Missing


class ForeignNote(NamedTuple):
    """A note of another notebook. Without a date, its file may have one."""

    title: str
    content: str
    tags: Sequence[str]
    pinned: bool
    archived: bool
    created: datetime | None
    updated: datetime | None


def read_note(name: str, data: bytes, links: Links, zone: tzinfo) -> ForeignNote | None:
    """Read a file; None: it stands beside the notes. `zone` is that of dates without one. Raises: NotTaken."""
    text = _decoded(data)
    if name.lower().endswith(".json"):
        return _note(*keep_note(text), zone)
    if JOPLIN_NAME.search(name) and (item := joplin_item(text)):
        return _note(*joplin_note(*item, links), zone) if item[1]["type_"] == "1" else None
    return _note(*markdown_note(name.rpartition("/")[2].rpartition(".")[0], text), zone)


def _decoded(data: bytes) -> str:
    marked = [encoding for mark, encoding in ENCODINGS.items() if data.startswith(mark)]
    for encoding in marked or ("utf-8", "cp949"):  # a Korean Windows writes the second
        try:
            return composed(data.decode(encoding)).lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise NotTaken(Missing.UNREADABLE)


def _note(head: Head, content: str, zone: tzinfo) -> ForeignNote:
    title, done = (_line(head, key) for key in ("title", "completed?"))
    content = content.strip("\n")
    if done:  # the title of Joplin's to-do is a task
        content = f"- [{'x' if done == 'yes' else ' '}] {title}\n\n{content}"
    value = head.get("source", "")
    beside = value[:MOST_LINKS] if isinstance(value, list) else [value]
    urls = dict.fromkeys(url for url in beside if url.startswith(("https://", "http://")))
    source = "\n".join(url for url in urls if url not in content)
    created, updated = (
        next(filter(None, (moment_of(_line(head, key), zone) for key in keys)), None) for keys in (CREATED, UPDATED)
    )
    return ForeignNote(
        title=" ".join(title.split()),
        content="\n\n".join(filter(None, (content.rstrip("\n"), source))),
        tags=[tag.partition(" #")[0].strip() for key in TAGS for tag in _list(head, key)],
        pinned=_line(head, "pinned").lower() in ("true", "yes"),
        archived=_line(head, "archived") == "true",
        created=created,
        updated=updated,
    )


def _line(head: Head, key: str) -> str:
    value = head.get(key, "")
    return value if isinstance(value, str) else " ".join(value)


def _list(head: Head, key: str) -> list[str]:
    value = head.get(key, [])
    mark = next((mark for mark in ",;，、" if mark in value), None)
    return value if isinstance(value, list) else value.split(mark)


def markdown_note(stem: str, text: str) -> tuple[Head, str]:
    """Read Markdown. Its title is that of the front matter, else the heading it begins with, else the file's name."""
    head, body = front_matter(text)
    if "title" in head:
        return head, body
    body = body.strip("\n")
    if heading := HEADING.match(body):
        title = heading[1].rstrip()
        cut = title.rstrip("#")  # its closing #s, but not that of "C#"
        return {**head, "title": cut if cut[-1:].isspace() else title}, body[heading.end() :]
    first, _, rest = body.partition("\n\n")
    return {**head, "title": stem}, rest if first.strip() == stem else body  # as in Joplin's plain Markdown


def front_matter(text: str) -> tuple[Head, str]:
    """Split a text into its front matter and the rest. Keys are in small letters, without spaces, quotes, `-` and `_`.

    A small reader and no YAML parser, so a stranger's aliases and types of YAML are not even parsed. It reads what
    notebooks write: words, quoted words, folded lines and lists. A block that has other lines is left in the text.
    """
    opening, *lines = text.split("\n")
    end = next((number for number, line in enumerate(lines) if line.rstrip() in ("---", "...")), None)
    if opening.rstrip() != "---" or end is None:
        return {}, text
    written: dict[str, list[str]] = {}
    values: list[str] = []
    for line in map(str.rstrip, lines[:end]):
        if found := HEAD_LINE.fullmatch(line):
            values = written[NO_KEY.sub("", found[1].lower())] = [found[2] or ""]
        elif values and line[:1] in ("", " ", "\t", "-", "]") and not line.lstrip().startswith("# "):
            values += line.split(maxsplit=0)
        elif line and not line.lstrip().startswith("#"):
            return {}, text
    if not written.keys() & KNOWN:
        return {}, text
    return {key: _value(*value) for key, value in written.items()}, "\n".join(lines[end + 1 :])


def _value(first: str, *more: str) -> str | list[str]:
    if not first and more and all(line.startswith("-") for line in more):
        return [_scalar(line[1:].strip()) for line in more]
    value = " ".join(["" if FOLDED.fullmatch(first) else first, *more]).strip()
    flow = FLOW.fullmatch(value)
    return [_scalar(item.strip()) for item in FLOW_ITEM.findall(flow[1][:LONGEST_LIST])] if flow else _scalar(value)


def _scalar(value: str) -> str:
    """Read a word or a quoted text. What stands behind the quotes is no comment unless it says so: it is kept then."""
    if quoted := SINGLE_QUOTED.fullmatch(value):
        return quoted[1].replace("''", "'")
    if value.startswith('"'):
        try:
            text, end = json.JSONDecoder().raw_decode(value)
        except ValueError:
            return value.strip('"')
        return value if value[end:].partition(" #")[0].strip() else str(text)
    return "" if value in ("null", "~") else value


def hashtags(tags: Sequence[str]) -> list[str]:
    """Write tags as a text can hold them: without a space, once each."""
    written = (NO_TAG.sub("-", tag).strip("-") for tag in tags)
    return list(dict.fromkeys(f"#{tag}" for tag in written if tag))


def moment_of(value: str, zone: tzinfo) -> datetime | None:
    """Read a date as people and programs write it; None if it is none, or not of the years after 1980 until now."""
    value = value.partition(" #")[0][:LONGEST_DATE].strip(" []")  # without a comment, and as a link to that day
    value = ZONE.sub(lambda zone: "Z" if zone[1] else "", WEEKDAY.sub("", value).strip(" ,"))
    try:
        value = SECONDS.sub(lambda since: _from_usec(f"{since[1]}000000"), MINUTE.sub(r"\1T\2", value))
        if named := DAY_IN_ENGLISH.fullmatch(value):
            value = f"{named[4]}-{MONTHS.index(named[2].lower()) + 1}-{named[1] or named[3]}{named[5]}"
        if day := DAY.fullmatch(value):
            value = f"{day[1]}-{day[2]:0>2}-{day[3]:0>2} {_clock(day[4])}".strip()
        found = datetime.fromisoformat(value.replace(" +", "+").replace(" -", "-"))
        return sane(found if found.tzinfo else found.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _clock(time: str) -> str:
    """Write "오후 2:30", "2:30 PM" and "9:05" as ISO 8601 has them. Raises: ValueError."""
    half = HALF_DAY.search(time)
    time = HOUR.sub(lambda hour: f":{hour[1] or '00':0>2}", time.removeprefix("at "))
    hour, colon, rest = HALF_DAY.sub("", time).strip().partition(":")
    if half:
        hour = f"{int(hour) % 12 + 12 * bool(half[2])}"
    return f"{hour:0>2}:{rest.strip()}" if colon else hour


def sane(moment: datetime) -> datetime | None:
    """Return a moment as UTC, unless nothing was written then: 1970 and 1980 are the zeros of files and archives."""
    moment = moment.astimezone(UTC)
    return moment if moment.year > 1980 and moment <= datetime.now(UTC) else None


def joplin_item(text: str) -> tuple[str, dict[str, str]] | None:
    """Split an item of Joplin's "raw" and JEX exports: a title and a text, and the metadata in its last lines."""
    body, _, foot = text.lstrip("\ufeff").replace("\r\n", "\n").rstrip("\n").rpartition("\n\n")
    fields = {key: value.strip() for key, _, value in (line.partition(":") for line in foot.split("\n"))}
    return (body, fields) if {"id", "type_"} <= fields.keys() else None


def joplin_note(body: str, fields: Mapping[str, str], links: Links) -> tuple[Head, str]:
    """Read a note of Joplin's. Raises: NotTaken."""
    if fields.get("encryption_applied") == "1":
        raise NotTaken(Missing.LOCKED)
    if fields.get("deleted_time", "0") not in ("", "0"):
        raise NotTaken(Missing.IN_TRASH)
    title, _, content = body.partition("\n\n")
    head = {name: fields.get(f"user_{name}_time") or fields.get(f"{name}_time", "") for name in ("created", "updated")}
    is_done = fields.get("todo_completed", "0") not in ("", "0")
    completed = {"1": "yes" if is_done else "no"}.get(fields.get("is_todo", ""), "")
    source = fields.get("source_url", "")
    tags = links.get(fields["id"], [])
    return {**head, "title": title, "completed?": completed, "source": source, "tags": tags}, content


def joplin_links(files: Iterable[bytes]) -> Links:
    """Find the tags of each note: an item of its own names a tag, and another one hangs it on a note."""
    names, links = {}, dict[str, list[str]]()
    for body, fields in filter(None, (joplin_item(data.decode(errors="replace")) for data in files)):
        if fields["type_"] == "5":
            names[fields["id"]] = body
        elif fields["type_"] == "6":
            links.setdefault(fields.get("note_id", ""), []).append(fields.get("tag_id", ""))
    return {note: [names[tag] for tag in tags if tag in names] for note, tags in links.items()}


def keep_note(text: str) -> tuple[Head, str]:
    """Read a note as Google Takeout has it: a JSON object. Raises: NotTaken."""
    try:
        note = json.loads(text)
        if not isinstance(note, dict) or not note.keys() & {"isTrashed", "userEditedTimestampUsec", "textContent"}:
            raise NotTaken(Missing.OTHER)
        if note.get("isTrashed") is True:
            raise NotTaken(Missing.IN_TRASH)
        boxes = [("x" if item.get("isChecked") else " ", _text(item, "text")) for item in note.get("listContent") or []]
        tasks = "\n".join(f"- [{box}] {' '.join(words.split())}" for box, words in boxes)
        head: Head = {
            "title": _text(note, "title"),
            "tags": [_text(label, "name") for label in note.get("labels") or []],
            "source": [_text(link, "url") for link in note.get("annotations") or []],
            "pinned": str(note.get("isPinned")),
            "archived": str(note.get("isArchived")).lower(),
            "created": _from_usec(note.get("createdTimestampUsec")),
            "updated": _from_usec(note.get("userEditedTimestampUsec")),
        }
        return head, "\n\n".join(filter(None, (_text(note, "textContent").strip("\n"), tasks)))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # JSON of any other shape
        raise NotTaken(Missing.UNREADABLE) from error


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key) or ""
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _from_usec(value: object) -> str:
    """Write microseconds since 1970 as a date. They are a number, in some exports a string."""
    try:
        return str(EPOCH + timedelta(microseconds=int(float(str(value)))))
    except (ValueError, OverflowError):
        return ""
