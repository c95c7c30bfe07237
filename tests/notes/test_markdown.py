"""Markdown: what is rendered and previewed, that no text is XSS, and that the cost is bounded by steps, not by time."""

import re
import sys
from typing import Any

from app.accounts.models import User
from app.notes import service
from app.notes.markdown import MAX_DELIMITERS, render
from app.notes.models import CONTENT_LENGTH
from tests.database import same_row_counts
from tests.visitor import Visitor

REL = 'rel="nofollow noopener noreferrer ugc"'
BOX = '<label class="task"><input type="checkbox"'
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
        ("#책", '<p><a href="/notes?tag=%EC%B1%85">#책</a></p>'),
        ("#Book, (#일)", '<p><a href="/notes?tag=book">#Book</a>, (<a href="/notes?tag=%EC%9D%BC">#일</a>)</p>'),
        ("**a** #b", '<p><strong>a</strong> <a href="/notes?tag=b">#b</a></p>'),
        ("**a**#b", "<p><strong>a</strong>#b</p>"),
        ("#1 a#b ## \\#no `#code`", "<p>#1 a#b ## #no <code>#code</code></p>"),
        ("[a](https://a.example)", f'<p><a href="https://a.example" {REL}>a</a></p>'),
        ("<mailto:a@b.example>", f'<p><a href="mailto:a@b.example" {REL}>mailto:a@b.example</a></p>'),
        ("https://a.example/b_c_d.", f'<p><a href="https://a.example/b_c_d" {REL}>https://a.example/b_c_d</a>.</p>'),
        ("https://a.example에서", f'<p><a href="https://a.example" {REL}>https://a.example</a>에서</p>'),
        ("https://a.example/(#b", f'<p><a href="https://a.example/(#b" {REL}>https://a.example/(#b</a></p>'),
        ("    indented", "<p>indented</p>"),
        (
            "- [ ] a\n- [x] b",
            f"<ul>\n<li>{BOX} disabled> <span>a</span></label></li>\n"
            f"<li>{BOX} disabled checked> <span>b</span></label></li>\n</ul>",
        ),
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


# Lines of Python. One paragraph: 660 #tags take 195,000; `a**b` took 240,000 and `[` 1,129,000. In lines: a list of 500
# items takes 486,000, and each of them is shown.
MOST_STEPS_OF_A_PARAGRAPH = 220_000
MOST_STEPS = 550_000

UNITS = [
    "a**b", "a_b ", "**a ", "*_", "a~~b", "[", "[a](", "<", "<http://a>", "` a", "``a`", "\\*", "> ", "- ", "* a\n",
    ">\n", "#a ", "# a\n", "http://a.b ", "&amp;", "|a|b\n", "- [x] a\n", "*[`_<~", "[*a*](http://a.b)", "\n",
]  # fmt: skip
DEEP = "\n".join("  " * depth + "- a" for depth in range(40))
FENCES = " ".join("`" * length for length in range(1, 60))


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
    for unit in (*UNITS, DEEP, FENCES):
        longest = (unit * CONTENT_LENGTH)[:CONTENT_LENGTH]
        assert steps(longest) < (MOST_STEPS if "\n" in unit else MOST_STEPS_OF_A_PARAGRAPH), unit


def test_what_has_many_delimiters_is_shown_as_it_was_typed_and_is_no_xss() -> None:
    assert "<strong>" in render("a **b** " * (MAX_DELIMITERS // 4), "/notes?tag=")
    shown = render("a **b** " * (MAX_DELIMITERS // 4 + 1), "/notes?tag=")
    assert "<strong>" not in shown
    assert "**b**" in shown
    assert "<strong>" in render("* a\n" * 400 + "* **b**", "/notes?tag="), "bullets are no delimiters"
    shown = render("<script>alert(1)</script>" * 80 + "[a](javascript:alert(1))" * 10, "/notes?tag=")
    assert not re.search("<script|href", shown)


def test_it_shows_the_text_as_the_page_of_the_note_will_and_stores_nothing(signed_in: Visitor) -> None:
    with same_row_counts():
        page = signed_in.submit("/notes/preview", title="장보기", content="# 오늘\n- [ ] **우유** #장보기").text
        assert "<h1><bdi>장보기</bdi></h1>" in page
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
