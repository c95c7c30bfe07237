"""Markdown: what is rendered, and that no text is XSS."""

import re
import time

import pytest

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.markdown import render
from app.notes.models import Note
from tests.visitor import Visitor

REL = 'rel="nofollow noopener noreferrer ugc"'
BOX = '<label class="task"><input type="checkbox"'
ALLOWED_TAGS = {
    "a", "blockquote", "br", "code", "em", "h2", "h3", "h4", "h5", "h6", "hr", "input", "label", "li", "ol", "p", "pre",
    "s", "span", "strong", "ul",
}  # fmt: skip


def html(text: str) -> str:
    return str(render(text, "/notes?tag=")).strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("**bold** *soft* ~~gone~~ `code`", "<p><strong>bold</strong> <em>soft</em> <s>gone</s> <code>code</code></p>"),
        ("# 제목", "<h2>제목</h2>"),
        ("# \n\na", "<p>a</p>"),
        ("[x]()", "<p>x</p>"),
        ("[](http://a.example)", f'<p><a href="http://a.example" {REL}>http://a.example</a></p>'),
        ("### deep", "<h2>deep</h2>"),
        ("# a\n# b\n### c\n## d", "<h2>a</h2>\n<h2>b</h2>\n<h3>c</h3>\n<h3>d</h3>"),
        ("\n".join("#" * level + " x" for level in range(1, 7)),
         "\n".join(f"<h{level}>x</h{level}>" for level in (2, 3, 4, 5, 6, 6))),
        ("#책", '<p><a href="/notes?tag=%EC%B1%85">#책</a></p>'),
        ("#Book, (#일)", '<p><a href="/notes?tag=book">#Book</a>, (<a href="/notes?tag=%EC%9D%BC">#일</a>)</p>'),
        ("#1 a#b ## \\#no `#code`", "<p>#1 a#b ## #no <code>#code</code></p>"),
        ("[a](https://a.example)", f'<p><a href="https://a.example" {REL}>a</a></p>'),
        ("<mailto:a@b.example>", f'<p><a href="mailto:a@b.example" {REL}>mailto:a@b.example</a></p>'),
        ("https://a.example/b_c_d.", f'<p><a href="https://a.example/b_c_d" {REL}>https://a.example/b_c_d</a>.</p>'),
        ("https://a.example에서", f'<p><a href="https://a.example" {REL}>https://a.example</a>에서</p>'),
        ("text\n---", "<p>text</p>\n<hr>"),
        ("    indented", "<p>indented</p>"),
        ("- [ ] a\n- [x] b", f"<ul>\n<li>{BOX} disabled> <span>a</span></label></li>\n"
         f"<li>{BOX} disabled checked> <span>b</span></label></li>\n</ul>"),
        ("[ ] no list", "<p>[ ] no list</p>"),
        ("[x]: https://a.example/", f'<p>[x]: <a href="https://a.example/" {REL}>https://a.example/</a></p>'),
        ("&lt;b&gt; &amp;", "<p>&amp;lt;b&amp;gt; &amp;amp;</p>"),
    ],
)  # fmt: skip
def test_it_renders(text: str, expected: str) -> None:
    assert html(text) == expected


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://a.example/1)",
    "[x](//evil.example)",
    "[x](/sign-out)",
    "[x](#main)",
    "[x](https:evil.example)",
    "<javascript:alert(1)>",
    "![x](https://tracker.example/pixel.png)",
    "![x](javascript:alert(1))",
    "[x]: javascript:alert(1)\n[x]",
    '[x](https://a.example "title" onclick=alert(1))',
    '[x](https://a.example/" onclick="alert(1))',
    'https://a.example/"onmouseover="alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "[![x](https://a.example/x.png)](https://b.example)",
    "[a [b](https://b.example) c](https://a.example)",
    "`<script>`",
    '```"><script>alert(1)</script>\n<script>\n```',
    "- [x] <script>alert(1)</script>",
    "#<script>alert(1)</script>",
    '#tag"onclick="alert(1)',
    "\u202egnirts\u202c [\u202emoc.elpmaxe](https://evil.example)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!-- --><![CDATA[x]]><?php ?>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_xss(text: str) -> None:
    shown = html(text)
    tags = re.findall(r"<(/?)([^\s>/]+)([^>]*)>", shown)
    assert {name for _, name, _ in tags} <= ALLOWED_TAGS
    for _, name, attributes in tags:
        names = re.findall(r' ([^\s=">]+)(?:="[^"]*")?', attributes)
        assert set(names) <= {"href", "rel", "title", "class", "type", "disabled", "checked", "start", "/"}, name
        for url in re.findall(r'href="([^"]*)"', attributes):
            assert re.match(r"https?://[^/]|mailto:[^/]|/notes\?tag=", url), url
    assert shown.count("<a ") == shown.count("</a>")
    assert "<a " not in re.sub(r"<a .*?</a>", "", shown)  # no link inside of a link


WORST = {
    "brackets": "[" * 2000, "pairs": "[" * 1000 + "]" * 1000, "links": "[a](" * 500, "pictures": "![" * 1000,
    "quotes": ">" * 2000, "spaced quotes": "> " * 1000, "ticks": "".join("`" * n + "a" for n in range(62)),
    "stars": "*a" * 1000, "strong": "**a " * 500, "underscores": "_a_" * 660, "strikes": "~~a" * 660,
    "lists": "- " * 1000, "items": "- a\n" * 500, "angles": "<" * 2000, "comments": "<!--" * 500,
    "escapes": "\\" * 2000,
    "tags": "#a " * 660, "schemes": "https://" * 250, "dots": "https://a" + "." * 1980, "mixed": "*_~`[" * 400,
    "fences": "```\n" * 500, "closing": "](" * 1000, "parentheses": "[a](" + "(" * 1990, "newlines": "\n" * 2000,
}  # fmt: skip


@pytest.mark.parametrize("name", WORST)
def test_the_work_is_bounded(name: str) -> None:
    text = WORST[name][:2000]
    html(text)
    times = []
    for _ in range(3):
        start = time.process_time()
        html(text)
        times.append(time.process_time() - start)
    assert min(times) < 0.25  # seconds; 0.05 on the machine it was written on, and what is not linear takes many


def test_the_page_shows_it_below_its_own_heading(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "Title", "# Heading\n\n<script>alert(1)</script> #책")
    page = signed_in.get(f"/notes/{note_id}").text
    assert page.count("<h1") == 1
    assert "<h2>Heading</h2>" in page
    assert "<script>alert" not in page
    assert '<a href="/notes?tag=%EC%B1%85">#책</a>' in page


def test_what_is_stored_stays_as_it_was_typed(signed_in: Visitor, alice: User) -> None:
    text = "# 제목\n\n- [x] **굵게**  \n"
    signed_in.submit("/notes", title="t", content=text)
    assert db.session.scalar(db.select(Note.content)) == text


def test_a_table_is_aligned_by_classes_and_its_heads_have_a_scope() -> None:
    html = render("| a | b | c |\n|---|:-:|--:|\n| 1 | <b> | [x](javascript:y) |", tags_at="/notes?tag=")
    assert '<th scope="col">a</th>' in html
    assert '<th class="center" scope="col">b</th>' in html
    assert '<td class="right">' in html
    assert "style=" not in html
    assert "&lt;b&gt;" in html
    assert "href" not in html


def test_for_a_reader_who_has_no_notes_of_these_tags_they_are_text() -> None:
    html = render("#달 https://a.example/#tag", tags_at=None)
    assert html == f'<p>#달 <a href="https://a.example/#tag" {REL}>https://a.example/#tag</a></p>\n'
