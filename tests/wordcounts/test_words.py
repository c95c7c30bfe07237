"""HTML to text, what a reader sees, one line per block; and text to tokens, counts and phrases that can be stored."""

import json

import pytest

from app.wordcounts.analysis import words
from app.wordcounts.analysis.text import Document, document
from app.wordcounts.analysis.words import LONGEST_WORD, PHRASES_KEPT, STOP_WORDS, WORDS_KEPT, by_frequency, count
from app.wordcounts.models import TITLE_LENGTH

SEEN = {
    "inline tags do not part a word": ("<p>un<b>believ</b>able un<wbr>seen</p>", "unbelievable unseen"),
    "items of a list are lines": ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
    "a line break is one": ("foo<br>bar", "foo\nbar"),
    "a particle stays with the code before it": ("<p><code>i32</code>이고</p>", "i32이고"),
    "cells of a table are lines": ("<table><tr><td>a<td>b<tr><th>c</table>", "a\nb\nc"),
    "an unknown element is a block": ("a<my-card>b</my-card>c", "a\nb\nc"),
    "buttons and options are lines": ("a<button>b</button><select><option>c<option>d</select>", "a\nb\nc\nd"),
    "a line break of the source is a space": ("<p>one\r\n two\t\n\n three</p>", "one two three"),
    "a space that does not break is a space": ("<p>one&nbsp;&#8195;two</p>", "one two"),
    "code of scripts and styles is not seen": ("<style>no</style>a<script>'<p>no</p>'</script>b", "ab"),
    "what only other browsers show is not seen": ("<body><noscript>no</noscript><template><p>no</p></template>a", "a"),
    "drawings and media are not seen": ("<svg><text>no</text></svg><video>no</video><canvas>no</canvas>a", "a"),
    "frames and objects are not seen": ("<iframe>no</iframe><object>no</object>a", "a"),
    "pronunciation is not in the line": ("<ruby>漢<rp>(</rp><rt>한</rt><rp>)</rp></ruby>", "漢"),
    "a hidden element is not seen": ("<p hidden>no</p><p hidden=until-found>no</p>a", "a"),
    "what is hidden from screen readers is not": ("<i aria-hidden=TRUE>no</i><i aria-hidden=false>a</i>", "a"),
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


WORDS = {
    "apostrophes of all kinds are one": ("Don't don’t DON'T can't", {"don't": 3, "can't": 1}),
    "case is folded": ("Straße STRASSE", {"strasse": 2}),
    "accents are composed": ("cafe\u0301 café", {"café": 2}),
    "folding leaves letters composed": ("ΐ", {"ΐ": 1}),
    "a soft hyphen parts nothing": ("x\u00ady", {"xy": 1}),
    "an invisible character parts nothing": ("x\u200by\u200dz\u2060a\ufeffb", {"xyzab": 1}),
    "hangul ends where latin begins": ("Rust를 Rust는 rust", {"rust": 3, "를": 1, "는": 1}),
    "and where digits begin": ("IT업계 COVID-19는", {"it": 1, "업계": 1, "covid": 1, "19": 1, "는": 1}),
    "taken apart hangul is composed": ("\u1112\u1161\u11ab글", {"한글": 1}),
    "lone letters of hangul stay what they are": ("ㅋㅋㅋ 안녕ㅋㅋ ㅠㅠ", {"ㅋㅋㅋ": 1, "안녕ㅋㅋ": 1, "ㅠㅠ": 1}),
    "a blank letter of hangul is not a word": ("\u3164 \u115f \u1160 \uffa0 한\u3164글", {"한글": 1}),
    "symbols are no words": ("👩‍👩‍👧 🇰🇷 ok — … __ _ ‿", {"ok": 1}),
    "chinese characters are one each, katakana runs one": ("東京 カタカナ", {"東": 1, "京": 1, "カタカナ": 1}),
    "numbers and names of programs": ("3.14 1,000,000 a_b v2.0", {"3.14": 1, "1,000,000": 1, "a_b": 1, "v2.0": 1}),
    "hyphens part": ("state-of-the-art 11-21", {"state": 1, "of": 1, "the": 1, "art": 1, "11": 1, "21": 1}),
    "an address is two": ("foo@example.com", {"foo": 1, "example.com": 1}),
    "the last full stop is none of the word": ("U.S.A. end.", {"u.s.a": 1, "end": 1}),
    "full width letters are letters": ("ＡＢＣ ﬁn", {"abc": 1, "fin": 1}),
    "a dotted capital keeps its dot": ("İstanbul", {"i̇stanbul": 1}),
    "nothing": ("", {}),
    "nothing but white space": (" \n\t\u3000", {}),
}  # fmt: skip


def test_words() -> None:
    for what, (text, counted) in WORDS.items():
        counts = count(text)
        assert counts.result_all == counted, what
        assert counts.total_words == sum(counted.values())
        assert counts.unique_words == len(counted)


def test_stop_words_are_left_out_of_their_own_list_and_no_other() -> None:
    counts = count("Rust를 Rust는 rust")
    assert counts.result_no_stop_words == {"rust": 3}
    assert (counts.total_words, counts.content_words) == (5, 3)
    # Stop words of both languages in one text.
    counts = count("The computer is on the home page. 이 컴퓨터 의 사용 및 설명 수 있습니다. Don't dont don’t")
    assert list(counts.result_no_stop_words) == ["computer", "home", "page", "사용", "설명", "컴퓨터"]


def test_every_stop_word_is_one_word_in_the_form_that_is_counted_and_none_of_content() -> None:
    """One in another form, such as with a capital, would never match."""
    content = "computer system home page world value welcome hello ill shell 함수 사용 한국"
    assert STOP_WORDS.isdisjoint(content.split())
    assert 350 <= len(STOP_WORDS) <= 550
    assert count("\n".join(STOP_WORDS)).result_all == dict.fromkeys(sorted(STOP_WORDS), 1)


def test_the_most_frequent_come_first_and_then_by_code_points() -> None:
    assert by_frequency({"b": 1, "가": 2, "a": 1, "c": 2}) == [("c", 2), ("가", 2), ("a", 1), ("b", 1)]
    assert list(count("b a 가 c 가 c").result_all) == ["c", "가", "a", "b"]


def test_the_most_frequent_are_kept_and_the_totals_are_of_all() -> None:
    text = "\n".join(f"w{number}" for number in range(WORDS_KEPT))
    assert not count(text).truncated
    counts = count(f"{text} zebra zebra")
    assert counts.truncated
    assert (counts.total_words, counts.unique_words) == (WORDS_KEPT + 2, WORDS_KEPT + 1)
    assert len(counts.result_all) == len(counts.result_no_stop_words) == WORDS_KEPT
    assert next(iter(counts.result_all.items())) == ("zebra", 2)


def test_phrases_occur_twice_and_end_with_their_line() -> None:
    counts = count("to be or not\nto be\nor\nnot to be or not")
    assert counts.phrases["2"] == {"to be": 3, "be or": 2, "or not": 2}
    assert counts.phrases["3"] == {"to be or": 2, "be or not": 2}
    assert count("a b a x b a y b").phrases["2"] == {"b a": 2}  # no word that occurs once is skipped


def test_the_50_most_frequent_phrases_are_kept_the_earliest_of_equals() -> None:
    lines = [f"left{number} right{number}" for number in range(PHRASES_KEPT + 10)]
    phrases = count("\n".join([*lines, *lines, lines[-1]])).phrases["2"]
    assert list(phrases) == [lines[-1], *lines[: PHRASES_KEPT - 1]]


def test_a_text_with_more_words_than_are_cached_is_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(f"the {number % 7} of {number % 11} words" for number in range(400))
    remembered = count(text)
    monkeypatch.setattr(words, "CHUNKS_CACHED", 3)
    assert count(text) == remembered
    assert list(count(text).phrases["3"]) == list(remembered.phrases["3"])


def test_characters_are_counted_without_white_space() -> None:
    assert count("a b\u3000c,\n 한글.").characters == 7


def test_english_is_read_by_words_and_korean_by_characters() -> None:
    assert count("word " * 238).reading_seconds == 60
    assert count("한국 " * 250).reading_seconds == 60
    assert count("word " * 238 + "한국 " * 250).reading_seconds == 120
    assert count("word").reading_seconds == 1
    assert count("").reading_seconds == 0


def test_a_word_of_300_kb_is_one_and_stored_short() -> None:
    counts = count("x" * 300_000 + " " + "x" * LONGEST_WORD)
    assert counts.result_all == {"x" * (LONGEST_WORD - 1) + "…": 1, "x" * LONGEST_WORD: 1}
    assert counts.characters == 300_000 + LONGEST_WORD


def test_a_text_without_a_space_takes_linear_time() -> None:
    """ReDoS: a pattern that backtracks would take minutes."""
    for piece in ("a", "a.", "한a", "_", "a\u0301", "\u0301", "1,", "'", "東"):
        times = 100_000 // len(piece)
        assert count(piece * times).characters == times * len(piece)


def test_what_is_stored_is_json_for_postgresql_and_of_some_megabytes() -> None:
    for text in ("a\0b", "a\ud800b", "\0"):
        stored = json.dumps(count(text), ensure_ascii=False)
        assert "\\u0000" not in stored
        assert stored.encode()
    text = " ".join(f"{number:06}" + "𐐀" * LONGEST_WORD for number in range(WORDS_KEPT + 100))
    assert len(json.dumps(count(text), ensure_ascii=False).encode()) < 5_000_000
