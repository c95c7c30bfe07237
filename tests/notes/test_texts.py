"""The text of a note: its name, its excerpt, marks of a search, tags, task boxes; and Markdown, which is no XSS."""

import re
import sys
from typing import Any

import pytest
from markupsafe import escape

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.markdown import render
from app.notes.models import Note
from app.notes.search import excerpt_around_hit, highlight
from app.notes.syntax import MAX_DELIMITERS
from app.notes.texts import EXCERPT_LENGTH as LENGTH
from app.notes.texts import TaskNotFound, Tick, name_and_excerpt, tags_of, tick_of, ticked
from tests.database import same_row_counts
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
        ("", "x" * 51, "x" * 49 + "…", "…xx"),
        ("", f"{'달이 뜬다 ' * 12}\n끝", ("달이 뜬다 " * 8)[:-1] + "…", "…" + "달이 뜬다 " * 4 + "\n끝"),
        ("", "half a moon " * 5, ("half a moon " * 4)[:-1] + "…", "…half a moon"),
        ("", "私は月を見た。" * 8, ("私は月を見た。" * 8)[:49] + "…", "…" + ("私は月を見た。" * 8)[49:]),
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
    "#😀": ["😀"], "#달😀반": ["달😀반"], "#👨\u200d👩": ["👨\u200d👩"], "first\n#second": ["second"],
    "first\n  #second": ["second"], "wide\u3000#space": ["space"], "no-break\u00a0#space": ["space"],
    "zero\u200b#width": [], "line\u2028#separator": ["separator"], "next\u0085#line": ["line"], "*#bold*": [],
    '"#quoted"': ["quoted"], "<#angle>": [], "#a#b": ["a", "b"], "#Ünïcode": ["ünïcode"],
    "#日本語 #中文": ["中文", "日本語"],
    "#책·영화": ["책"], "#c++": ["c++"], "\\#no": [], "#٣": ["٣"],
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


REL = 'rel="nofollow noopener noreferrer ugc"'
ALLOWED_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "input", "label", "li", "ol", "p", "pre",
    "s", "span", "strong", "ul",
}  # fmt: skip


def html(text: str) -> str:
    return str(render(text, "/notes?tag=")).strip()


def test_it_renders() -> None:
    for text, expected in [
        ("**bold** *soft* ~~gone~~ `code`", "<p><strong>bold</strong> <em>soft</em> <s>gone</s> <code>code</code></p>"),
        ("# \n\na", "<p>a</p>"),
        ("[x]()", "<p>x</p>"),
        ("[](http://a.example)", f'<p><a href="http://a.example" {REL}>http://a.example</a></p>'),
        ("# a\n# b\n### c\n## d", "<h2>a</h2>\n<h2>b</h2>\n<h3>c</h3>\n<h3>d</h3>"),
        (
            "\n".join("#" * level + " x" for level in range(1, 7)),
            "\n".join(f"<h{level}>x</h{level}>" for level in (2, 3, 4, 5, 6, 6)),
        ),
        ("#Book, (#일)", '<p><a href="/notes?tag=book">#Book</a>, (<a href="/notes?tag=%EC%9D%BC">#일</a>)</p>'),
        ("[a](https://a.example)", f'<p><a href="https://a.example" {REL}>a</a></p>'),
        ("<mailto:a@b.example>", f'<p><a href="mailto:a@b.example" {REL}>mailto:a@b.example</a></p>'),
        ("https://a.example/b_c_d.", f'<p><a href="https://a.example/b_c_d" {REL}>https://a.example/b_c_d</a>.</p>'),
        ("https://a.example/(#b)", f'<p><a href="https://a.example/(#b)" {REL}>https://a.example/(#b)</a></p>'),
        ("    indented", "<p>indented</p>"),
        ("[ ] no list", "<p>[ ] no list</p>"),
        ("[x]: https://a.example/", f'<p>[x]: <a href="https://a.example/" {REL}>https://a.example/</a></p>'),
    ]:
        assert html(text) == expected, (text, expected)
    for_others = render("#달 https://a.example/#tag", tags_at=None)  # who have no notes of these tags
    assert for_others == f'<p>#달 <a href="https://a.example/#tag" {REL}>https://a.example/#tag</a></p>\n'


HOSTILE = [
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[x](javascript:alert(1))",
    "[x](java\tscript:alert(1))", "[x](&#106;avascript:alert(1))", "[x](\x01javascript:alert(1))",
    "[x](<javascript:alert(1)>)", "[x](data:text/html;base64,PHNjcmlwdD4=)", "[x](file:///etc/passwd)",
    "[x](//evil.example)", "[x](/sign-out)", "[x](#main)", "[x](https:evil.example)", "<javascript:alert(1)>",
    "![x](https://tracker.example/pixel.png)", "[x]: javascript:alert(1)\n[x]",
    '[x](https://a.example "title" onclick=alert(1))', '[x](https://a.example/" onclick="alert(1))',
    'https://a.example/"onmouseover="alert(1)', "https://a.example/<script>alert(1)</script>",
    "[![x](https://a.example/x.png)](https://b.example)", "[a [b](https://b.example) c](https://a.example)",
    '```"><script>alert(1)</script>\n<script>\n```', "#<script>alert(1)</script>", '#tag"onclick="alert(1)',
    "\u202egnirts\u202c [\u202emoc.elpmaxe](https://evil.example)", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --><![CDATA[x]]><?php ?>",
    "*" * MAX_DELIMITERS + "<script>alert(1)</script>[a](javascript:alert(1))",  # shown as it was typed
]  # fmt: skip


def test_hostile_text_is_no_xss() -> None:
    for text in HOSTILE:
        shown = html(text)
        tags = re.findall(r"<(/?)([^\s>/]+)([^>]*)>", shown)
        assert {name for _, name, _ in tags} <= ALLOWED_TAGS, text
        for _, name, attributes in tags:
            names = re.findall(r' ([^\s=">]+)(?:="[^"]*")?', attributes)
            assert set(names) <= {"href", "rel", "title", "class", "type", "disabled", "checked", "start", "/"}, name
            for url in re.findall(r'href="([^"]*)"', attributes):
                assert re.match(r"https?://[^/]|mailto:[^/]|/notes\?tag=", url), url
        assert shown.count("<a ") == shown.count("</a>"), text
        assert "<a " not in re.sub(r"<a .*?</a>", "", shown), text  # no link inside of a link


def test_the_page_shows_it_below_its_own_heading(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "Title", "# Heading\n\n<script>alert(1)</script> #책")
    page = signed_in.get(f"/notes/{note_id}").text
    assert page.count("<h1") == 1
    assert "<h2>Heading</h2>" in page
    assert "<script>alert" not in page
    assert '<a href="/notes?tag=%EC%B1%85">#책</a>' in page


def test_a_table_is_aligned_by_classes_and_its_heads_have_a_scope() -> None:
    html = render("| a | b | c |\n|---|:-:|--:|\n| 1 | <b> | [x](javascript:y) |", tags_at="/notes?tag=")
    assert '<th scope="col">a</th>' in html
    assert '<th class="center" scope="col">b</th>' in html
    assert '<td class="right">' in html
    assert "style=" not in html
    assert "&lt;b&gt;" in html
    assert "href" not in html


# Lines of Python that run, against as much prose. Lines of one letter take 14 times as many, and `[` would take 75
# without its bound.
MOST_STEPS = 15
LONGEST = 20_000
PROSE = "lorem ipsum dolor sit amet consectetur adipisci\n"

UNITS = [
    "a**b", "a_b ", "**a ", "*_", "a~~b", "[", "[a](", "<", "<http://a>", "` a", "``a`", "\\*", "> ", "- ", "* a\n",
    ">\n", "#a ", "# a\n", "http://a.b ", "&amp;", "|a|b\n", "- [x] a\n", "*[`_<~", "[*a*](http://a.b)", "\n",
    "]", "a\n", "a|\n-|\n", "<a@b.c>", "http://a.b/[", "> - > - a\n", "\\",
]  # fmt: skip
DEEP = "\n".join("  " * depth + "- a" for depth in range(140))
FENCES = " ".join("`" * length for length in range(1, 200))


def steps(text: str) -> int:
    """Return how many lines of Python rendering runs."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        render(text, "/notes?tag=")
    finally:
        sys.settrace(before)
    return count


def test_no_note_takes_many_steps() -> None:
    rows = "|a" * 50 + "|\n" + "|-" * 50 + "|\n" + "|\n" * 1400
    columns = "|a" * 2500 + "|\n" + "|-" * 2500 + "|\n" + "|" * 9000
    render("#a https://a.example", "/notes?tag=")  # compiles patterns
    most = MOST_STEPS * steps((PROSE * LONGEST)[:LONGEST])
    for unit in (*UNITS, DEEP, FENCES, rows, columns):
        assert steps((unit * LONGEST)[:LONGEST]) < most, unit


def test_it_shows_the_text_as_the_page_of_the_note_will_and_stores_nothing(signed_in: Visitor) -> None:
    with same_row_counts():
        page = signed_in.submit("/notes/preview", title="장보기", content="# 오늘\n- [ ] **우유** #장보기").text
        assert '<h1><bdi lang="ko">장보기</bdi></h1>' in page
        assert "<h2>오늘</h2>" in page
        assert "<strong>우유</strong>" in page
        assert 'name="task"' not in page


def test_any_text_is_shown_and_is_no_xss(signed_in: Visitor) -> None:
    for content in ["<script>alert(1)</script>", "[x](javascript:alert(1))", "x" * 60_000, "\x00", ""]:
        answer = signed_in.submit("/notes/preview", title="<b>", content=content)
        assert answer.status_code == 200, content
        assert "<script>alert" not in answer.text, content
        assert 'href="javascript' not in answer.text, content
        assert "<b>" not in answer.text, content
    assert signed_in.submit("/notes/preview").status_code == 200
