"""The name of a note, its excerpt in a list, marks around what was searched for, and its tags."""

from markupsafe import escape

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import Note
from app.notes.search import excerpt_around_hit, highlight
from app.notes.texts import EXCERPT_LENGTH as LENGTH
from app.notes.texts import name_and_excerpt, tags_of


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
    ]:
        assert escape(highlight(text, words)) == html, (text, words, html)


def test_the_excerpt_begins_with_the_text_where_the_hit_is_near() -> None:
    assert excerpt_around_hit("반달 " + "x" * 500, ("반달",)).startswith("반달 ")
    assert excerpt_around_hit("short", ("nothing",)) == "short"


def test_the_excerpt_holds_a_hit_that_is_far() -> None:
    excerpt = excerpt_around_hit("one two " * 100 + "반달 " + "three " * 100, ("반달",))
    assert "반달" in excerpt
    assert excerpt.startswith("…two one")
    assert excerpt.endswith("…")
    assert len(excerpt) == LENGTH + 2


def test_a_hit_at_the_very_end_is_shown() -> None:
    assert excerpt_around_hit("x" * 1990 + "반달", ("반달",)).endswith("반달")


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


def test_a_title_can_have_tags_and_is_a_line_of_its_own() -> None:
    assert tags_of("장보기 #집", "#책") == ["집", "책"]
    assert tags_of("끝", "#책") == ["책"]


def test_an_edit_updates_the_tags(alice: User) -> None:
    note_id = service.create_note(alice.id, "Books", "three #책 #Home")
    assert db.session.scalar(db.select(Note.tags)) == ["home", "책"]
    service.update_note(alice.id, note_id, "Books", "#new", version=1)
    assert db.session.scalar(db.select(Note.tags)) == ["new"]
