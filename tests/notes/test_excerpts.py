"""The name of a note, the part of it that a list shows, and marks around what was searched for."""

from markupsafe import escape

from app.notes.search import excerpt_around_hit, highlight
from app.notes.texts import EXCERPT_LENGTH as LENGTH
from app.notes.texts import name_and_excerpt


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
