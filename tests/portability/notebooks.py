"""Exports of other notebooks, as their documentation has them."""

import io
import json
import tarfile
from typing import Any

from tests.portability.exports import PORTABLES, packed

[NOTES] = (portable for portable in PORTABLES if portable.name == "notes")

CREATED, UPDATED = "2024-01-15T05:30:00+00:00", "2024-02-01T00:00:00+00:00"
NOTE_ID, TAG_ID = "a" * 32, "b" * 32


def keep(**changes: Any) -> str:
    """Return a note of Google Keep, as Takeout has it."""
    note = {
        "color": "DEFAULT",
        "isTrashed": False,
        "isPinned": False,
        "isArchived": False,
        "textContent": "우유와 빵",
        "title": "장보기",
        "userEditedTimestampUsec": 1706745600000000,
        "createdTimestampUsec": 1705296600000000,
    }
    return json.dumps(note | changes, ensure_ascii=False)


def takeout(*notes: str) -> bytes:
    """Return a Takeout: each note as JSON and as HTML, and the labels."""
    files: dict[str, bytes | str] = {"Takeout/Keep/Labels.txt": "집\n일\n"}
    for number, note in enumerate(notes):
        name = f"Takeout/Keep/2024-01-15T05_30_00.{number:03}+00_00"
        files |= {f"{name}.json": note, f"{name}.html": "<html>"}
    return packed(files)


def joplin(type_: int, id_: str, text: str = "", **fields: Any) -> tuple[str, str]:
    """Return the name and the text of an item of Joplin's "raw" export."""
    dates = dict.fromkeys(("created_time", "updated_time"), "2025-06-01T00:00:00.000Z")
    dates |= {"user_created_time": "2024-01-15T05:30:00.000Z", "user_updated_time": "2024-02-01T00:00:00.000Z"}
    foot = "\n".join(f"{key}: {value}" for key, value in {"id": id_, **dates, **fields, "type_": type_}.items())
    return f"{id_}.md", f"{text}\n\n{foot}" if text else foot


def jex(*items: tuple[str, str]) -> bytes:
    """Return a JEX: a TAR of items."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in items:
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return file.getvalue()


TAGGED = [
    joplin(2, "c" * 32, "공책", parent_id=""),
    joplin(1, NOTE_ID, "회의\n\n둘째 줄\n\n셋째 줄", parent_id="c" * 32, is_todo=0, todo_completed=0),
    joplin(6, "d" * 32, note_id=NOTE_ID, tag_id=TAG_ID),
    joplin(5, TAG_ID, "회사 일"),
    joplin(4, "e" * 32, "그림.png", mime="image/png"),
]


def tagged_joplin() -> bytes:
    return jex(*TAGGED, (f"resources/x{'그림' * 20}.png", "\0PNG"))  # its name is cut within a letter


JOPLIN_MARKDOWN = """---
title: 'It''s: 회의'
updated: 2024-02-01 00:00:00Z
created: 2024-01-15 05:30:00Z
latitude: 37.56660000
completed?: yes
tags:
  - 회사 일
  - work
---

둘째 줄
"""

PLAN = """---
tags: [일/기획, '독서']
aliases:
  - 계획
created: 2024-01-15T14:30
---
[[다른 글]]을 보고 ![[그림.png]]"""

VAULT = packed(
    {
        "볼트/.obsidian/app.json": "{}",
        "볼트/프로젝트/기획.md": PLAN,
        "볼트/매일/2024-01-15.md": "# 오늘\n\n- [ ] 산책 #건강\n",
        "볼트/그림.png": b"\x89PNG\0",
        "볼트/__MACOSX/._기획.md": b"\0\5\x16\7",
    }
)
