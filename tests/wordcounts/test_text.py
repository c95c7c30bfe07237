"""HTML to text: what a reader sees, one line per block."""

import pytest

from app.wordcounts.analysis.text import LONGEST_TITLE, Document, document

SEEN = {
    "inline tags do not part a word": ("<p>un<b>believ</b>able un<wbr>seen</p>", "unbelievable unseen"),
    "items of a list are lines": ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
    "a line break is one": ("foo<br>bar", "foo\nbar"),
    "a particle stays with the code before it": ("<p><code>i32</code>이고</p>", "i32이고"),
    "cells of a table are lines": ("<table><tr><td>a<td>b<tr><th>c</table>", "a\nb\nc"),
    "headings and paragraphs are lines": ("<h1>a</h1>b<p>c", "a\nb\nc"),
    "an unknown element is a block": ("a<my-card>b</my-card>c", "a\nb\nc"),
    "buttons and options are lines": ("a<button>b</button><select><option>c<option>d</select>", "a\nb\nc\nd"),
    "a line break of the source is a space": ("<p>one\r\n two\t\n\n three</p>", "one two three"),
    "a space that does not break is a space": ("<p>one&nbsp;&#8195;two</p>", "one two"),
    "entities are letters": ("<p>caf&eacute; &amp; &#xD55C;&#44544;</p>", "café & 한글"),
    "text behind the first end counts": ("<html><body>a</body></html>b<p>c</html>d", "ab\ncd"),
    "comments are not seen": ("a<!-- <p>no</p> -->b", "ab"),
    "code of scripts and styles is not seen": ("<style>no</style>a<script>'<p>no</p>'</script>b", "ab"),
    "what only other browsers show is not seen": ("<body><noscript>no</noscript><template><p>no</p></template>a", "a"),
    "drawings and media are not seen": ("<svg><text>no</text></svg><video>no</video><canvas>no</canvas>a", "a"),
    "frames and objects are not seen": ("<iframe>no</iframe><object>no</object>a", "a"),
    "pronunciation is not in the line": ("<ruby>漢<rp>(</rp><rt>한</rt><rp>)</rp></ruby>", "漢"),
    "a hidden element is not seen": ("<p hidden>no</p><p hidden=until-found>no</p>a", "a"),
    "nothing within a hidden element is seen": ("<div hidden><p>no<b>no</b></p></div>a", "a"),
    "what is hidden from screen readers is not": ("<i aria-hidden=TRUE>no</i><i aria-hidden=false>a</i>", "a"),
    "display none hides": ('<p style="color:red; DISPLAY : none">no</p>a', "a"),
    "other displays do not": ('<p style="display:block; --display:none-of-it">a</p>', "a"),
    "the title is not in the text": ("<title>no</title>a", "a"),
    "tags that are never closed": ("<div><p>a<b>b<ul><li>c", "ab\nc"),
    "tags that are closed in the wrong order": ("<b><i>a</b>b</i></p></div>c", "ab\nc"),
    "no tags at all": ("just words", "just words"),
    "an empty page": ("", ""),
    "an empty body": ("<html><body></body></html>", ""),
    "nothing but white space": (" \n\t<p> </p>", ""),
    "a tag that is cut off": ("<p>a</p><di", "a"),
}


def test_text() -> None:
    found = {what: document(html).text for what, (html, _) in SEEN.items()}
    assert found == {what: text for what, (_, text) in SEEN.items()}


def test_20_000_nested_elements_are_read_to_the_bottom() -> None:
    assert document("<div>" * 20_000 + "deep").text == "deep"
    assert document("<b>" * 20_000 + "deep" + "</b>" * 20_000 + "<p>after").text == "deep\nafter"


@pytest.mark.parametrize("html", ["a\0b", "<p>a\0b", "<p a\0>ab", "<title>a\0b</title>ab", "<textarea>a\0b</textarea>"])
def test_no_nul_comes_out(html: str) -> None:
    page = document(html)
    assert "\0" not in page.title + page.text
    assert page.text == "ab"


@pytest.mark.parametrize("html", ["<p>a\ud800b", "<title>a\udfff</title>ab", "<p>a&#xD800;b", "<p>a&#0;b"])
def test_what_comes_out_can_be_encoded(html: str) -> None:
    page = document(html)
    assert "\0" not in page.title + page.text
    assert (page.title + page.text).encode()


TITLES = {
    "<title>A\n  title &amp;\tmore </title>": "A title & more",
    "<title>한글 제목</title>": "한글 제목",
    "<body><p>a</p><title>late</title>": "late",
    "<title>first</title><title>second</title>": "first",
    "<svg><title>of a drawing</title></svg>": "",
    "<title></title>": "",
    "no title": "",
    "<title>a\u202eb\u2066c</title>": "abc",
    "<title>bell\x07 escape\x1b[31m</title>": "bell escape[31m",
}


def test_title() -> None:
    assert {html: document(html).title for html in TITLES} == TITLES


def test_a_title_is_cut_at_its_longest() -> None:
    assert document(f"<title>{'x' * LONGEST_TITLE}</title>").title == "x" * LONGEST_TITLE
    assert document(f"<title>{'x' * (LONGEST_TITLE + 1)}</title>").title == "x" * LONGEST_TITLE


def test_what_a_browser_without_scripts_is_told_in_the_head_is_not_read() -> None:
    page = (
        "<head><noscript>Please enable JavaScript</noscript><title>t</title></head><body>hello<noscript>no</noscript>"
    )
    assert document(page) == Document("t", "hello")
