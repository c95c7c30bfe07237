"""The name of a note, its excerpt in a list, marks around what was searched for, its tags and its task boxes."""

import re

import pytest
from markupsafe import escape

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import Note
from app.notes.search import excerpt_around_hit, highlight
from app.notes.texts import EXCERPT_LENGTH as LENGTH
from app.notes.texts import TaskNotFound, Tick, name_and_excerpt, tags_of, tick_of, ticked
from tests.visitor import Visitor


def test_name_and_excerpt() -> None:
    for title, text, name, excerpt in [
        ("Books", "\n\na\n\n\nb\n", "Books", "a\nb"),
        ("", "\n\n  first\nsecond", "first", "second"),
        ("", "## heading\ntext", "heading", "text"),
        ("Books", "# **bold**\n> *one* ~~two~~ `three`", "Books", "bold\none two three"),
        ("Books", "- [ ] milk\n  - [x] *bread*\n1. one\n2) two", "Books", "milk\nbread\none\ntwo"),
        ("Books", "a\n---\n```python\nb = 1\n```\n* * *\nc", "Books", "a\nb = 1\nc"),
        ("Books", "[half](https://example.com/a_b) and [not](javascript:x)", "Books", "half and [not](javascript:x)"),
        ("Books", "2 * 3 * 4, a_b_c, -1, #tag, *", "Books", "2 * 3 * 4, a_b_c, -1, #tag, *"),
        ("Books", "| a | b c |\n|:--|---:|\n| 1 | 2 |\nend", "Books", "a · b c\n1 · 2\nend"),
        ("Books", "a | b, |x| > 1, ||", "Books", "a | b, |x| > 1, ||"),
        ("", "| a | b |\n|---|---|", "a · b", ""),
        ("Books", "- [x] a\n- [x", "Books", "a"),
        ("Books", "see [", "Books", "see ["),
        ("Books", "| a | b |\n|-", "Books", "a · b"),
        ("", "x" * 50, "x" * 50, ""),
        ("", "x" * 51, "x" * 49 + "…", "x" * 51),
        ("", "", "", ""),
    ]:
        assert name_and_excerpt(title, text) == (name, excerpt), (title, text, name, excerpt)


def test_marks() -> None:
    for text, words, html in [
        ("반달과 반", ("반",), "<mark>반</mark>달과 <mark>반</mark>"),
        ("<b>&</b>", ("b",), "&lt;<mark>b</mark>&gt;&amp;&lt;/<mark>b</mark>&gt;"),
        ("&amp;", ("amp",), "&amp;<mark>amp</mark>;"),
        ("abc", ("ab", "abc"), "<mark>abc</mark>"),
        ("(a)", ("(", "["), "<mark>(</mark>a)"),
        ("text", (), "text"),
        ("<", (), "&lt;"),
        ('"quoted"', ("quoted",), "&#34;<mark>quoted</mark>&#34;"),
        ("{0} %s", ("{0}",), "<mark>{0}</mark> %s"),
        ("햇감자와 고주", ("ㄱㅈ",), "햇<mark>감자</mark>와 <mark>고주</mark>"),
        ("햇감자와 고주", ("감ㅈ",), "햇<mark>감자</mark>와 고주"),
        ("햇감자와 고주", ("ㄱ",), "햇<mark>감</mark>자와 <mark>고</mark>주"),
    ]:
        assert escape(highlight(text, words)) == html, (text, words, html)


def test_the_excerpt_holds_the_first_hit_and_begins_with_the_text_where_that_is_near() -> None:
    assert excerpt_around_hit("반달 " + "x" * 500, ("반달",)).startswith("반달 ")
    assert excerpt_around_hit("short", ("nothing",)) == "short"
    assert excerpt_around_hit("x" * 1990 + "반달", ("반달",)).endswith("반달")
    far = excerpt_around_hit("one two " * 100 + "반달 " + "three " * 100, ("반달",))
    assert (far[:8], far[-1], "반달" in far, len(far)) == ("…two one", "…", True, LENGTH + 2)


SAMPLES = {
    "": [], "#책": ["책"], "오늘 읽은 #책 두 권 #책": ["책"], "#b #a #B": ["a", "b"], "#태그, 그리고": ["태그"],
    "#태그. #둘! #셋? (#넷) [#다섯]": ["넷", "다섯", "둘", "셋", "태그"], "#가。#나、#다": ["가"], "끝#아님": [],
    "# 제목": [], "# ": [], "we are #1": [], "#2026년": ["2026년"], "#1st": ["1st"], "#-": ["-"],
    "#a-b_c": ["a-b_c"], "https://example.com/#frag": [], "https://example.com/ #frag": ["frag"], "a&#39;b": [],
    "&#x27;": [], "#" + "가" * 30: ["가" * 30], "#" + "가" * 31: [], "#" + "x" * 30 + ",": ["x" * 30],
    "#😀": ["😀"], "#달😀반": ["달😀반"], "#👨\u200d👩": ["👨"], "first\n#second": ["second"],
    "first\n  #second": ["second"], "wide\u3000#space": ["space"], "no-break\u00a0#space": ["space"],
    "zero\u200b#width": [], "line\u2028#separator": ["separator"], "next\u0085#line": ["line"], "*#bold*": [],
    '"#quoted"': [], "<#angle>": [], "#a#b": ["a"], "#Ünïcode": ["ünïcode"], "#日本語 #中文": ["中文", "日本語"],
    "#책·영화": ["책"], "#c++": ["c"], "\\#no": [], "#٣": ["٣"],
}  # fmt: skip


def test_the_rule_for_tags() -> None:
    assert {content: tags_of("", content) for content in SAMPLES} == SAMPLES
    assert tags_of("장보기 #집", "#책") == ["집", "책"]
    assert tags_of("끝", "#책") == ["책"], "the title is a line of its own"


def test_an_edit_updates_the_tags(alice: User) -> None:
    note_id = service.create_note(alice.id, "Books", "three #책 #Home")
    assert db.session.scalar(db.select(Note.tags)) == ["home", "책"]
    service.update_note(alice.id, note_id, "Books", "#new", version=1)
    assert db.session.scalar(db.select(Note.tags)) == ["new"]


TEXT = "우유 목록\n- [ ] 우유\n- [x] 빵\n  * [ ] 호밀\n> 1. [X] 잼\n\n```\n- [ ] 코드\n```\n- [ ] 우유"
VALUE = re.compile(r'name="task" value="([^"]+)" aria-pressed="(\w+)"')


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "장보기", TEXT)


def boxes(visitor: Visitor, note_id: int) -> list[tuple[str, str]]:
    return VALUE.findall(visitor.get(f"/notes/{note_id}").text)


def text_of(user: User, note_id: int) -> str:
    return str(service.get_note(user.id, note_id).content)


def test_a_task_line_is_ticked_off_or_opened() -> None:
    for line, expected in [
        ("- [ ] milk", "- [x] milk"),
        ("* [x] milk", "* [ ] milk"),
        ("  + [X] milk", "  + [ ] milk"),
        ("12. [ ] milk", "12. [x] milk"),
        ("> - [ ] a", "> - [x] a"),
    ]:
        tick = tick_of([line], 0)
        assert tick, line
        assert ticked(line, tick) == ticked(expected, tick) == expected, "sent twice it is the same"


def test_any_other_line_is_no_task() -> None:
    for line in ["milk", "- milk", "[ ] milk", "- [] milk", "-[ ] milk", "- [y] milk", "- [ ]", "-- [ ] a"]:
        assert tick_of([line], 0) is None, line


def test_a_line_that_is_another_one_by_now_is_left_alone() -> None:
    for tick in [Tick(0, 0, True), Tick(1, 0, True), Tick(9999, 0, True), Tick(2, 1, False)]:
        with pytest.raises(TaskNotFound):
            ticked(TEXT, tick)


def test_each_box_of_the_page_changes_its_line_and_nothing_else(signed_in: Visitor, alice: User, note_id: int) -> None:
    shown = boxes(signed_in, note_id)  # used one after the other: the page is not loaded again between them
    assert [checked for _, checked in shown] == ["false", "true", "false", "true", "false"]
    changes = [
        ("- [ ] 우유\n-", "- [x] 우유\n-"),
        ("- [x] 빵", "- [ ] 빵"),
        ("* [ ] 호밀", "* [x] 호밀"),
        ("[X] 잼", "[ ] 잼"),
        ("```\n- [ ] 우유", "```\n- [x] 우유"),
    ]
    for (value, _), (before, after) in zip(shown, changes, strict=True):
        text = text_of(alice, note_id)
        assert signed_in.submit(f"/notes/{note_id}/task", task=value).location == f"/notes/{note_id}"
        assert text_of(alice, note_id) == text.replace(before, after)
    assert service.get_note(alice.id, note_id).version == 1 + len(changes)  # so an open editor is told


def test_a_task_that_was_moved_meanwhile_stays_as_it_is_and_the_note_is_shown_as_it_is_now(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    service.update_note(alice.id, note_id, "장보기", f"above\n{TEXT}", 1)
    assert signed_in.submit(f"/notes/{note_id}/task", task=value).location == f"/notes/{note_id}"
    assert "This note was changed in the meantime." in signed_in.get(f"/notes/{note_id}").text
    data = {"task": value, "csrf_token": signed_in.csrf_token()}
    answer = signed_in.post(f"/notes/{note_id}/task", data=data, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert text_of(alice, note_id) == f"above\n{TEXT}"


def test_a_tick_is_tried_again_after_an_edit_of_the_same_moment_but_not_for_ever(
    signed_in: Visitor, alice: User, note_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    left = service.TRIES + 1

    def edited_meanwhile(text: str, tick: Tick) -> str:
        nonlocal left
        left -= 1
        if left:
            note = service.get_note(alice.id, note_id)
            service.update_note(alice.id, note_id, note.title, f"{note.content}.", note.version)
        return ticked(text, tick)

    monkeypatch.setattr(service, "ticked", edited_meanwhile)
    with pytest.raises(service.StaleVersion):
        service.tick_task(alice.id, note_id, Tick.parse(value))
    assert text_of(alice, note_id) == f"{TEXT}....."
    service.tick_task(alice.id, note_id, Tick.parse(value))
    assert text_of(alice, note_id) == f"{TEXT}.....".replace("[ ]", "[x]", 1)


def test_what_no_box_sends_is_422(signed_in: Visitor, alice: User, note_id: int) -> None:
    for value in ["", "1", "x", "1-0-1", "1-00000000-2", "-1-00000000-1", "99999-00000000-1", "1-0000000G-1"]:
        assert signed_in.submit(f"/notes/{note_id}/task", task=value).status_code == 422, value
        assert text_of(alice, note_id) == TEXT, value


def test_one_in_the_trash_is_404_and_unchanged(signed_in: Visitor, alice: User, note_id: int) -> None:
    [(value, _), *_] = boxes(signed_in, note_id)
    service.delete_note(alice.id, note_id)
    assert signed_in.submit(f"/notes/{note_id}/task", task=value).status_code == 404
    assert boxes(signed_in, note_id) == []
    service.restore_note(alice.id, note_id)
    assert text_of(alice, note_id) == TEXT
