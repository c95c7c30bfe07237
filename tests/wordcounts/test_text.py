"""HTML to text as a reader sees it, which is held against Chromium in test_oracles.py; titles, refreshes and frames."""

from html import escape

from app.wordcounts.analysis.text import Document, document
from app.wordcounts.models import TITLE_LENGTH

SEEN = {
    "inline tags do not part a word": ("<p>un<b>believ</b>able un<wbr>seen</p>", "unbelievable unseen"),
    "items of a list are lines": ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
    "a line break is one": ("foo<br>bar", "foo\nbar"),
    "a particle stays with the code before it": ("<p><code>i32</code>이고</p>", "i32이고"),
    "cells of a table are lines": ("<table><tr><td>a<td>b<tr><th>c</table>", "a\nb\nc"),
    "an unknown element is a block": ("a<my-card>b</my-card>c", "a\nb\nc"),
    "buttons are lines": ("a<button>b</button>c<input>d<textarea>e</textarea>f", "a\nb\nc\nd\ne\nf"),
    "also in the line": ("a<button style=display:inline-block>b</button>c", "a\nb\nc"),
    "of a drop-down list the chosen option is seen": (
        "a<select><optgroup label=no><option>no<option>no</optgroup><option selected>b<option>no</select>c",
        "a\nb\nc",
    ),
    "the first one that can be chosen, of those of which none is": (
        "<select size=1><option disabled>no<option>a<option>no</select>",
        "a",
    ),
    "though it is hidden from the list": ("<select><option hidden selected>a<option>no</select>", "a"),
    "of a list box all are": (
        "<select multiple><option>a<option>b</select><select size=2><option>c</select>",
        "a\nb\nc",
    ),
    "of closed details the summary is seen": ("<details>no<summary>a</summary><p>no</p>no</details>b", "a\nb"),
    "the first one": (
        "<details><div><summary>no</summary></div><summary>a</summary><summary>no</summary></details>",
        "a",
    ),
    "of open ones all": ("<details open><summary>a</summary>b</details>", "a\nb"),
    "closed details in closed ones": (
        "<details><summary>a</summary><details><summary>no</summary><select><option>no</select></details></details>b",
        "a\nb",
    ),
    "details without a summary": ("a<details>no</details>b", "a\nb"),
    "a closed dialog is not seen": ("a<dialog>no</dialog>b<dialog open>c</dialog>", "ab\nc"),
    "what pops up is not": ("a<div popover>no</div><p popover=manual>no</p>b", "ab"),
    "unless its style shows it": (
        "<p popover style='display: block'>a</p><dialog style='display:flex'>b</dialog><p hidden style=display:grid>c",
        "a\nb\nc",
    ),
    "visibility hides all inside but what has its own": (
        "<p style=visibility:hidden>no<b>no</b><i style='visibility: visible'>a</i></p><p style=VISIBILITY:collapse>no",
        "a",
    ),
    "a style makes lines": (
        "<b style='color:red;display:block'>a</b>b<i style=display:flex>c</i><i style=float:left>d</i>"
        "<i style='position:absolute'>e</i><i style=display:table-cell>f</i><i style=display:table-cell>g</i>",
        "a\nb\nc\nd\ne\nf\ng",
    ),
    "or none": (
        "<div style=display:inline>a</div>b<li style='display:inline-block'>c</li><div style=display:contents>d</div>e",
        "abcde",
    ),
    "the last one of a style decides": ("<i style='display:none;display:block'>a</i>b", "a\nb"),
    "a flexible box and a grid have lines": (
        "<p style=display:flex><i>a</i><b>b<u>c</u></b></p><u style=display:inline-grid><i>d</i>e</u>",
        "a\nbc\nd\ne",
    ),
    "spans and links in a row are one word": ("<nav><a href=a>a</a><a href=b>b</a></nav><i>c</i><i>d</i>", "ab\ncd"),
    "what has no box parts no word": ("a<meta itemprop=b><link rel=b><area><base>b<progress>no</progress>c", "abc"),
    "a line break of the source is a space": ("<p>one\r\n two\t\n\n three</p>", "one two three"),
    "a space that does not break is a space": ("<p>one&nbsp;&#8195;two</p>", "one two"),
    "code of scripts and styles is not seen": ("<style>no</style>a<script>'<p>no</p>'</script>b", "ab"),
    "what only other browsers show is not seen": ("<body><noscript>no</noscript><template><p>no</p></template>a", "a"),
    "drawings and media are not seen": ("<svg><text>no</text></svg><video>no</video><canvas>no</canvas>a", "a"),
    "frames and objects are not seen": ("<iframe>no</iframe><object>no</object>a", "a"),
    "pronunciation is not in the line": ("<ruby>漢<rp>(</rp><rt>한</rt><rp>)</rp></ruby>", "漢"),
    "a hidden element is not seen": ("<p hidden>no</p><p hidden=until-found>no</p>a", "a"),
    "what is hidden from screen readers is": ("<i aria-hidden=true>a</i>b", "ab"),
    "display none hides": ('<p style="color:red; DISPLAY : none">no</p>a', "a"),
    "other displays do not": ('<p style="display:block; --display:none-of-it">a</p>', "a"),
    "the title is not in the text": ("<title>no</title>a", "a"),
    "tags that are closed in the wrong order": ("<b><i>a</b>b</i></p></div>c", "ab\nc"),
    "an empty page": ("", ""),
    "nothing but white space": (" \n\t<p> </p>", ""),
    "a tag that is cut off": ("<p>a</p><di", "a"),
}


def test_text() -> None:
    found = {what: document(html).text for what, (html, _) in SEEN.items()}
    assert found == {what: text for what, (_, text) in SEEN.items()}


def test_20_000_nested_elements_are_read_to_the_bottom() -> None:
    assert document("<div>" * 20_000 + "deep").text == "deep"
    assert document("<b>" * 20_000 + "deep" + "</b>" * 20_000 + "<p>after").text == "deep\nafter"


def test_what_comes_out_can_be_stored() -> None:
    for html in ("a\0b", "<p a\0>ab", "<title>a\0b</title>ab", "<textarea>a\0b</textarea>"):
        page = document(html)
        assert ("\0" in page.title, page.text) == (False, "ab"), html
    for html in ("<p>a\ud800b", "<title>a\udfff</title>ab", "<p>a&#xD800;b", "<p>a&#0;b"):
        page = document(html)
        assert b"\0" not in (page.title + page.text).encode(), html


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
    assert document(f"<title>{'x' * TITLE_LENGTH}</title>").title == "x" * TITLE_LENGTH
    assert document(f"<title>{'x' * (TITLE_LENGTH + 1)}</title>").title == "x" * TITLE_LENGTH


def test_what_a_browser_without_scripts_is_told_in_the_head_is_not_read() -> None:
    head = "<head><noscript>Please enable JavaScript</noscript><title>t</title></head>"
    assert document(f"{head}<body>hello<noscript>no</noscript>") == Document("t", "hello")


XHTML = {
    "<script/><title/>ab": "ab",
    "<title>t</title><p/>a<br/>b<hr></hr>c<iframe/>d<textarea/>e": "a\nb\ncd\ne",
    "a<![CDATA[ <b> & ]]>c": "a <b> & c",
    "a&nbsp;b&amp;lt;&#233;&hangul;": "a b&lt;é&hangul;",
    "<h:p xmlns:h='http://www.w3.org/1999/xhtml'>a</h:p>b": "a\nb",
    "<p title='a>b' hidden='hidden'>no</p>a<!-- <b> --><?php no?>b": "ab",
    "<p>not well-formed<br></p>": "not well-formed",
}


def test_xhtml_is_read_by_a_parser_of_xml() -> None:
    start, end = (
        '<?xml version="1.0" encoding="utf-16"?><html xmlns="http://www.w3.org/1999/xhtml"><body>',
        "</body></html>",
    )
    for xhtml, text in XHTML.items():
        assert document(f"{start}{xhtml}{end}", is_xml=True).text == text, xhtml
    for entity, text in (('SYSTEM "file:///etc/hostname"', "ab"), ('"&c;"', "a&c;b"), ("'&a;'", "]>\na&a;b")):
        xhtml = f"<!DOCTYPE html [<!ENTITY a {entity}>]><p>a&a;b</p>"
        assert document(xhtml, is_xml=True).text == text, entity


REFRESHED = {
    "0;url=/b": "/b", "0; URL='/b'": "/b", '0, url = "/b" no': "/b", " 5.9 /b": "/b", "0;/b": "/b",
    "0;url=b c": "b%20c", "00;url=/b": "/b", ";url=/b": "/b",
    "0;url=app://open": "", "0;url=javascript:a": "", "0;url=about:blank": "",
    "0": "", "": "", "6;url=/b": "", "300;url=/b": "", "url=/b": "", "0url=/b": "", "-1;url=/b": "", "0;": "",
    "0;url=": "", "0;url=''": "", f"{'0' * 99_999};": "", f"0{' ' * 99_999}": "", f"0;url{' ' * 99_999}": "url",
}  # fmt: skip


def test_a_page_that_refreshes_at_once_says_where() -> None:
    for content, target in REFRESHED.items():
        assert document(f'<meta http-equiv=Refresh content="{escape(content)}">').refresh == target, content
    meta = "<meta http-equiv=refresh content=0;url=b>"
    for unseen in (
        f"<!-- {meta} -->",
        f"<noscript>{meta}</noscript>",
        f"<template>{meta}</template>",
        "<meta content=0;url=b>",
    ):
        assert document(unseen).refresh == "", unseen
    assert document(f"<base href=/a/>{meta}").refresh == "/a/b"
    assert document(f"<base href='http://['>{meta}").refresh == "b"


FRAMES = {
    "<iframe src=a></iframe><iframe src=' /b '></iframe>": ("a", "/b"),
    "<frameset><frame src=a><frameset><frame src='https://b.example/c d'></frameset></frameset>": ("a", "https://b.example/c%20d"),
    "<base href='https://b.example/c/'><iframe src=a></iframe>": ("https://b.example/c/a",),
    "<iframe></iframe><iframe src></iframe><iframe src=about:blank></iframe><iframe src=' JavaScript:a'></iframe>": (),
    "<iframe src=a width=1px></iframe><iframe src=a style='width: 0; border: 0'></iframe>": (),
    "<iframe src=a width=0 style=width:100%></iframe>": ("a",),
    "<iframe src=a hidden></iframe><iframe src=a width=1></iframe><iframe src=a height=0></iframe>": (),
    "<iframe src=a style='display:none'></iframe><iframe src=a style='visibility:hidden'></iframe>": (),
    "<div style='display:none'><iframe src=a></iframe></div><p style='visibility:hidden'><iframe src=a></iframe>": (),
    "<dialog><iframe src=a></iframe></dialog><details><iframe src=a></iframe></details><div hidden><iframe src=a>": (),
    "<object><iframe src=a></iframe></object><video><iframe src=a></iframe></video>": (),
    "<noscript><iframe src=a></iframe></noscript><!-- <iframe src=a> --><template><iframe src=b></template>": (),
}  # fmt: skip


def test_a_page_tells_the_frames_that_a_reader_sees() -> None:
    assert {html: document(html).frames for html in FRAMES} == FRAMES
    assert [document(html).is_frameset for html in FRAMES].index(True) == 1


def test_a_page_tells_if_it_has_scripts() -> None:
    for kind in ("", " type=module", " type='text/JavaScript'", " src=a"):
        assert document(f"<script{kind}></script>").has_scripts, kind
    for html in ("<script type=application/ld+json>{}</script>", "<!-- <script></script> -->", "<p>a"):
        assert not document(html).has_scripts, html
