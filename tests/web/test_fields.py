"""Texts of forms, API and import: what is drawn as nothing is no text, and every line break is one of ours."""

import unicodedata

import pytest
from flask import Flask

from app.accounts.models import User
from app.notes import service as notes
from app.portability.contract import line, text
from app.todos import service as todos
from app.web.fields import lines, normalize, strip
from tests.api.conftest import program_of
from tests.database import same_row_counts
from tests.portability import hostile_archives as hostile
from tests.portability.exports import import_
from tests.visitor import Visitor

# One of each range of Default_Ignorable_Code_Point, and the letters and symbols that are drawn as nothing.
BLANK = [
    *("", " \t\n", "\u00a0\u3000\u2003\u202f\u205f", "\v\f\x85\u2028\u2029"),
    *("\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180b\u180e", "\u200b", "\u200c\u200d", "\u200e"),
    *("\u202a\u202e", "\u2060\u2064", "\u2066\u2069", "\u206a", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ufff0"),
    *("\U0001bca0", "\U0001d173", "\U000e0001", "\U000e0061\U000e007f", "\U000e0100"),
    *("\u2800", "\ufff9\ufffb", "\U0001d159", "\U00016fe4", "\U00013430"),
    " \u3164\n\u200b\u2800 ",
]
SEEN = ["a", ".", "ㅤ나", "\u200ba", "ㅋ", "\u1100", "⠁", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\u20e3", "か\u3099", "अ\u094d\u200d", "0", "—"]


def test_what_is_drawn_as_nothing_is_no_text() -> None:
    assert [typed for typed in BLANK + SEEN if strip(normalize(typed)) == ""] == BLANK


@pytest.mark.parametrize(
    ("typed", "in_lines", "in_one"),
    [
        ("a\vb\fc", "a\nb\nc", "a b c"),
        ("가\x85나", "가\n나", "가 나"),
        ("一\u2028二\u2029三", "一\n二\n三", "一 二 三"),
        ("\u2028a\u2029", "\na\n", "a"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd", "a\nb\nc\nd"),  # typed by a keyboard, which a field of one line refuses
        (" a\tb ", " a\tb ", "a\tb"),
        ("a\x1cb", "a\x1cb", "a\x1cb"),  # refused as a control character
        ("\u200b👨‍👩‍👧", "\u200b👨‍👩‍👧", "\u200b👨‍👩‍👧"),
    ],
)
def test_a_line_break_is_a_line_feed_and_in_one_line_a_space(typed: str, in_lines: str, in_one: str) -> None:
    assert (lines(normalize(typed)), strip(normalize(typed))) == (in_lines, in_one)


def test_a_run_of_marks_is_parted_before_it_is_sorted() -> None:
    """Sorting takes the square of its length: 44 s for what one request may have."""
    few = "e" + "\u0316\u0301" * 15
    assert normalize(few) == unicodedata.normalize("NFC", few)
    for marks in ("\u0301\u0316", "\u0345\u0334", "\U0001d165\u0307"):
        found = normalize("a" + marks * 1_000)
        assert max(map(len, found.split("\u034f"))) <= 31
        assert normalize(found) == found


@pytest.mark.parametrize("blank", ["\u200b", "\u00ad\u2060", "\u3164", "\u2800 \ufeff", "\u2028", "\U000e0041"])
def test_no_door_takes_a_text_that_nobody_sees(app: Flask, signed_in: Visitor, alice: User, blank: str) -> None:
    note_id, todo_id = notes.create_note(alice.id, "title", "text"), todos.create_todo(alice.id, "milk")
    program = program_of(app, alice)
    note, version = f"/notes/{note_id}", program.get(f"/notes/{note_id}").headers["ETag"]
    imported = {
        "notes": [{**hostile.NOTE, "title": blank, "content": blank}],
        "todos": [{**hostile.TODO, "description": blank}],
    }
    with same_row_counts():
        for path, fields in {
            "/notes": {"title": blank, "content": blank},
            note: {"title": blank, "content": blank, "version": "1"},
            "/todos": {"description": blank},
            f"/todos/{todo_id}": {"description": blank},
            "/mypage/nickname": {"nickname": blank},
            "/mypage/tokens": {"name": blank, "scopes": "notes:read", "expiry": "30"},
            "/wordcounts": {"url": blank},
        }.items():
            assert signed_in.submit(path, **fields).status_code == 422, path
        for answer in (
            program.post("/notes", {"title": blank, "content": blank}),
            program.patch(note, {"title": blank, "content": blank}, If_Match=version),
            program.post("/todos", {"description": blank}),
            program.patch(f"/todos/{todo_id}", {"description": blank}),
            program.patch("/profile", {"nickname": blank}),
            import_(signed_in, hostile.zipped(hostile.document(**imported))),
        ):
            assert answer.status_code == 422, answer.request.path
    assert program.get(note).json["version"] == 1
    assert program.get("/todos").json["todos"][0]["description"] == "milk"


def test_a_blank_title_is_none_and_line_breaks_are_the_same_at_every_door(app: Flask, signed_in: Visitor) -> None:
    signed_in.submit("/notes", title="\u3164", content="a\u2028b\vc")
    signed_in.submit("/notes", title="a\u2028b\vc", content="\u200b")
    assert (line("\u3164", 50), text("a\u2028b\vc", 50)) == ("", "a\nb\nc")
    assert (line("a\u2028b", 50), text("\u200b", 50)) == ("a b", "\u200b")
    page = signed_in.get("/notes").text
    assert "a b c" in page
    assert "\u2028" not in page


def test_rows_of_before_are_shown_ticked_and_edited(app: Flask, signed_in: Visitor, alice: User) -> None:
    note_id, todo_id = notes.create_note(alice.id, "\u3164", "a\u2028b"), todos.create_todo(alice.id, "\u200b")
    assert "\na\nb</textarea>" in signed_in.get(f"/notes/{note_id}/edit").text
    assert signed_in.submit(f"/todos/{todo_id}", completed="1").status_code == 302
    assert signed_in.submit(f"/todos/{todo_id}", description="milk").status_code == 302
    assert signed_in.submit(f"/notes/{note_id}", title="\u3164", content="a\u2028b", version="1").status_code == 302
    assert program_of(app, alice).get(f"/notes/{note_id}").json["content"] == "a\nb"
