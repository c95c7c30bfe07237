"""Reading a result, and downloading it: totals, the table of words, phrases, or why there are none; and who may not.

A download has the whole result: CSV, safe against CSV injection, and JSON.
"""

import csv
import io
import json
import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from markupsafe import escape

from app.accounts.models import User
from app.wordcounts import service
from app.wordcounts.failures import CANCELLED, INTERRUPTED, Failure
from app.wordcounts.forms import SENTENCES, failure_sentence
from app.wordcounts.report import Report, Row, as_csv, file_name, word_table
from tests.conftest import browser_of
from tests.visitor import Visitor
from tests.wordcounts.results import COUNTED, done, failed, waiting

KINDS = ("result_all", "result_no_stop_words")


def words_of(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><bdi>(.*?)</bdi></th>\n<td class="bar">', page)


def aside_of(page: str) -> str:
    return "".join(re.findall("<aside.*?</aside>", page, re.DOTALL))


def many(count: int, **values: Any) -> dict[str, Any]:
    words = {f"w{number:04}": count - number for number in range(count)}
    return {**dict.fromkeys(KINDS, words), "total_words": sum(words.values()), **values}


def test_it_works(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/wordcounts/{done(alice)}").text
    assert "<title>Half moon · " in page
    assert re.search("<h2[^>]*><bdi>Half moon</bdi></h2>", page)
    assert '<a href="https://example.com/moon/" rel="noopener noreferrer nofollow">' in page
    assert re.findall("<dd>([^<]*)</dd>", page) == ["10", "3", "1,234", "about 2 min"]
    assert "<b>50%</b>" in page
    assert words_of(page) == ["moon", "반달"]
    assert "the moon" in page
    assert "of the moon" in page
    assert "Text hidden with CSS is counted too." in page
    assert re.findall(r'<rect width="([\d.]+)%"', page)[1::2] == ["100.0", "66.7"]  # of the longest
    assert re.findall(r'<td class="amount mute density">([\d.]+%)</td>', page) == ["30.00%", "20.00%"]  # of all words
    assert '<meta name="robots" content="noindex">' in page


def test_stop_words_are_kept_on_request_and_in_the_links(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice, **many(101))
    page = signed_in.get(f"/wordcounts/{public_id}?stop_words=keep").text
    for link in (f"{public_id}.csv?stop_words=keep", f"{public_id}.json?stop_words=keep"):
        assert f'href="/wordcounts/{link}"' in page
    assert f'href="/wordcounts/{public_id}?stop_words=keep&amp;all=1#words"' in page
    assert re.search(rf'href="/wordcounts/{public_id}\?stop_words=keep#words" aria-current="true"', page)
    without = signed_in.get(f"/wordcounts/{public_id}").text
    assert re.search(rf'href="/wordcounts/{public_id}#words" aria-current="true"', without)
    assert f'href="/wordcounts/{public_id}.csv"' in without


def test_twenty_words_are_shown_and_the_others_on_request(signed_in: Visitor, alice: User) -> None:
    assert "Show all" not in signed_in.get(f"/wordcounts/{done(alice, **many(20))}").text
    public_id = done(alice, **many(21))
    page = signed_in.get(f"/wordcounts/{public_id}").text
    assert len(words_of(page)) == 20
    assert "Show all 21" in page
    everything = signed_in.get(f"/wordcounts/{public_id}?all=1").text
    assert len(words_of(everything)) == 21
    assert "Show all" not in everything
    assert f'href="/wordcounts/{public_id}?stop_words=keep&amp;all=1#words"' in everything


def test_ten_phrases_of_each_kind_are_shown_and_words_not_kept_are_spoken_of(signed_in: Visitor, alice: User) -> None:
    not_kept = "The page has more words; the rarest ones aren't kept."
    assert not_kept not in signed_in.get(f"/wordcounts/{done(alice)}").text
    phrases = {"2": {f"two {n}": 30 - n for n in range(20)}, "3": {f"one two {n}": 30 - n for n in range(20)}}
    page = signed_in.get(f"/wordcounts/{done(alice, phrases=phrases, truncated=True)}").text
    assert not_kept in page
    assert re.findall(r"<bdi>(two \d+)</bdi>", page) == [f"two {n}" for n in range(10)]
    assert re.findall(r"<bdi>(one two \d+)</bdi>", page) == [f"one two {n}" for n in range(10)]


def test_an_empty_page_has_a_result(signed_in: Visitor, alice: User) -> None:
    empty: dict[str, Any] = {"result_all": {}, "result_no_stop_words": {}, "phrases": {"2": {}, "3": {}}, "title": None}
    totals = ("total_words", "unique_words", "content_words", "characters", "reading_seconds")
    public_id = done(alice, **empty | dict.fromkeys(totals, 0))
    page = signed_in.get(f"/wordcounts/{public_id}").text
    assert "No words here." in page
    assert "<b>0%</b>" in page
    assert "Reading time" not in page
    assert lines_of(signed_in.get(f"/wordcounts/{public_id}.csv").text)[1:] == []


def test_anybodys_text_comes_back_to_the_letter_and_does_nothing(signed_in: Visitor, alice: User) -> None:
    title = '<script>alert(1)</script>"><svg onload=alert(1)>{{ 7*7 }}'
    values = {"title": title, "result_no_stop_words": {title: 1}, "phrases": {"2": {title: 1}, "3": {title: 1}}}
    public_id = done(alice, url=f"https://example.com/{title}", **values)
    for path in (f"/wordcounts/{public_id}", "/wordcounts"):
        page = signed_in.get(path).text
        assert "<script>" not in page
        assert "<svg onload" not in page
        assert str(escape(title)) in page


def test_a_question_that_is_none_of_ours_is_400(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    for question in ("?stop_words=", "?all=0", "?sort=count", ".csv?stop_words=drop", ".json?stop_words="):
        assert signed_in.get(f"/wordcounts/{public_id}{question}").status_code == 400, question


def test_the_last_results_stand_aside(app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User) -> None:
    read = done(alice, shared=True)
    last = [waiting(alice), failed(alice, "dns"), *(done(alice, title=f"{number}") for number in range(3))]
    service.delete_result(alice.id, done(alice, title="deleted"))  # the newest
    other = done(bob, title="of Bob")
    side = aside_of(signed_in.get(f"/wordcounts/{read}").text)
    assert re.findall(r'href="/wordcounts/([^"]+)"', side) == [str(public_id) for public_id in reversed(last)]
    assert "deleted" not in side
    side = aside_of(browser_of(app, bob).get(f"/wordcounts/{read}").text)
    assert re.findall(r'href="/wordcounts/([^"]+)"', side) == [str(other)]
    assert aside_of(client.get(f"/wordcounts/{read}").text) == ""


def test_the_form_holds_the_address_for_the_owner_and_is_not_there_for_a_stranger(
    app: Flask, client: Visitor, signed_in: Visitor, alice: User, bob: User
) -> None:
    public_id = done(alice, shared=True)
    assert 'value="https://example.com/moon"' in signed_in.get(f"/wordcounts/{public_id}").text
    page = browser_of(app, bob).get(f"/wordcounts/{public_id}").text
    assert 'id="url"' in page
    assert 'value="https://example.com/moon"' not in page
    assert 'id="url"' not in client.get(f"/wordcounts/{public_id}").text


def test_a_failed_one_says_why_and_can_be_counted_again(signed_in: Visitor, alice: User) -> None:
    for code in (Failure.DNS, INTERRUPTED):
        public_id = failed(alice, code)
        page = signed_in.get(f"/wordcounts/{public_id}").text
        with signed_in.application.test_request_context():
            assert str(SENTENCES[code]) in unescape(page)
        assert f'action="/wordcounts/{public_id}/again"' in page
        for extension in ("csv", "json"):
            assert signed_in.get(f"/wordcounts/{public_id}.{extension}").status_code == 404


def test_a_port_is_named_if_the_address_holds_it(app: Flask) -> None:
    with app.test_request_context():
        named = failure_sentence(Failure.PORT, "https://example.com:5077/a")
        assert named.endswith("opened on port 5077. Remove “:5077” from the address.")
        for url in ("https://[2001:db8::5077]/", "https://example.com:/"):
            assert "opened on that port. Remove the colon" in failure_sentence(Failure.PORT, url)


def test_every_code_has_a_sentence_of_its_own_also_one_that_is_unknown_here(app: Flask) -> None:
    assert set(SENTENCES) == {*Failure, INTERRUPTED, CANCELLED}
    with app.test_request_context():
        assert len({str(sentence) for sentence in SENTENCES.values()}) == len(SENTENCES)
        assert failure_sentence("http_4xx", "") == str(SENTENCES[Failure.HTTP_4XX])
        assert failure_sentence("moon_dust", "") == str(SENTENCES[INTERRUPTED])


WORDS = {"달": 157, "moon": 30, "달은": 25, "달을": 23, "달이": 20, "나라": 9, "별에": 5, "별에서": 5, "별로": 4}
TOTAL = 1000


def rows(words: dict[str, int], *, shown: int | None = None, by_word: bool = False) -> list[Row]:
    return word_table(words, TOTAL, shown=shown, by_word=by_word).rows


def moon(alice: User, **values: Any) -> str:
    counts = {"total_words": TOTAL, "unique_words": len(WORDS), "content_words": 810}
    return f"/wordcounts/{done(alice, **{**dict.fromkeys(KINDS, WORDS), **counts, **values})}"


def test_forms_are_counted_together_and_listed_by_frequency() -> None:
    assert rows(WORDS)[:2] == [
        Row("달", 225, 22.5, 100.0, [("달", 157), ("달은", 25), ("달을", 23), ("달이", 20)]),
        Row("moon", 30, 3.0, 100 * 30 / 225, []),  # stands for itself
    ]
    # A stem that is no word is none of its forms.
    assert rows({"배포판에": 2, "배포판을": 3}) == [Row("배포판", 5, 0.5, 100.0, [("배포판을", 3), ("배포판에", 2)])]


@pytest.mark.parametrize("shown", [None, 3])
def test_no_occurrence_is_lost_or_doubled(shown: int | None) -> None:
    table = word_table(WORDS, TOTAL, shown=shown, by_word=False)
    everything = word_table(WORDS, TOTAL, shown=None, by_word=False)
    assert table.rows == everything.rows[:shown]
    assert table.total == len(everything.rows)
    assert sum(row.count for row in everything.rows) == sum(WORDS.values())
    for row in everything.rows:
        assert not row.forms or sum(count for _, count in row.forms) == row.count


def test_a_form_can_bring_its_stem_to_the_top() -> None:
    words = {"b": 5, "a": 4, "달": 3, "달은": 3}
    assert [row.text for row in rows(words, shown=1)] == ["달"]


def test_by_word_the_most_frequent_are_shown_all_the_same() -> None:
    words = {"c": 3, "a": 1, "b": 2, "나": 9, "가": 8}
    assert [row.text for row in rows(words, shown=4, by_word=True)] == ["b", "c", "가", "나"]


def test_a_page_without_words_has_no_rows() -> None:
    table = word_table({}, 0, shown=100, by_word=True)
    assert (table.rows, table.total, table.is_grouped) == ([], 0, False)


def test_the_page_unfolds_a_stem_to_its_forms(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(moon(alice)).text
    [opened] = re.findall(r"<details><summary><bdi>달</bdi></summary><ul>(.*?)</ul>", page, re.DOTALL)
    forms = re.findall(r'<li><bdi>(.*?)</bdi> <span class="mute">(\d+)</span></li>', opened)
    assert forms == [("달", "157"), ("달은", "25"), ("달을", "23"), ("달이", "20")]
    assert words_of(page) == ["moon", "나라", "별로"]
    assert "Words that differ only in a Korean particle are counted together" in page
    page = signed_in.get(moon(alice, result_no_stop_words={"moon": 1, "나라": 1})).text
    assert not re.search("Korean particle are counted together|<details>", page)


def test_downloads_list_every_word_as_it_is_written(signed_in: Visitor, alice: User) -> None:
    words = {**WORDS, **{f"w{number}": 1 for number in range(100)}}
    path = moon(alice, result_no_stop_words=words)
    listed = [(word["word"], word["count"]) for word in json.loads(signed_in.get(f"{path}.json").text)["words"]]
    assert [(word, int(count)) for _, word, count, _ in lines_of(signed_in.get(f"{path}.csv").text)[1:]] == listed
    assert dict(listed) == words
    assert listed[:3] == [("달", 157), ("moon", 30), ("달은", 25)]


def test_the_columns_sort_by_links_that_keep_the_view(signed_in: Visitor, alice: User) -> None:
    path = moon(alice)
    page = signed_in.get(f"{path}?stop_words=keep&all=1").text.replace("&amp;", "&")
    assert f'<th scope="col"><a href="{path}?stop_words=keep&all=1&sort=word#words">Word</a>' in page
    assert f'aria-sort="descending"><a href="{path}?stop_words=keep&all=1#words">Times</a>' in page
    assert 'id="words"' in page
    by_word = signed_in.get(f"{path}?sort=word").text
    assert f'aria-sort="ascending"><a href="{path}?sort=word#words">Word</a>' in by_word
    assert by_word.count("aria-sort") == page.count("aria-sort") == 1
    assert words_of(by_word) == ["moon", "나라", "별로"]


def lines_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_download_as_csv_works(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.get(f"/wordcounts/{done(alice)}.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="words-example.com.csv"'
    assert answer.data.startswith(b"\xef\xbb\xbfrank,")
    assert lines_of(answer.data.decode("utf-8-sig")) == [
        ["rank", "word", "count", "density"],
        ["1", "moon", "3", "30.000"],
        ["2", "반달", "2", "20.000"],
    ]


def test_a_download_as_json_works(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.get(f"/wordcounts/{done(alice)}.json")
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="words-example.com.json"'
    values = json.loads(answer.text)
    assert values.pop("counted_at")
    totals, phrases = values.pop("totals"), values.pop("phrases")
    assert values == {
        "url": "https://example.com/moon",
        "final_url": "https://example.com/moon/",
        "title": "Half moon",
        "stop_words": "drop",
        "truncated": False,
        "words": [{"word": "moon", "count": 3}, {"word": "반달", "count": 2}],
    }
    counted = {"words": 10, "different_words": 3, "words_without_stop_words": 5}
    assert totals == {**counted, "characters": 1234, "reading_seconds": 61}
    two, three = {"phrase": "the moon", "count": 3}, {"phrase": "of the moon", "count": 2}
    assert phrases == {"two_words": [two], "three_words": [three]}


def test_stop_words_are_downloaded_on_request(signed_in: Visitor, alice: User) -> None:
    path = f"/wordcounts/{done(alice)}"
    lines = lines_of(signed_in.get(f"{path}.csv?stop_words=keep").text)
    assert lines[1] == ["1", "the", "5", "50.000"]
    values = signed_in.get(f"{path}.json?stop_words=keep").get_json()
    assert (values["stop_words"], values["words"][0]) == ("keep", {"word": "the", "count": 5})


def test_a_word_that_a_spreadsheet_would_run_is_quoted() -> None:
    formulas = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")
    others = ("moon", "a=b", "don't", "'")
    result = SimpleNamespace(**COUNTED, words=dict.fromkeys((*formulas, *others), 1))
    cells = {row[1] for row in csv.reader(io.StringIO(as_csv(Report(result, "drop")), newline=""))}
    assert cells == {"word", *(f"'{formula}" for formula in formulas), *others}


def test_the_file_is_named_for_the_server_in_plain_letters() -> None:
    names = {
        "http://sub.example.com:80/a/b?c": "words-sub.example.com",
        'https://a"b;c\u202e.example/': "words-abc.example",
        "https://반달/": "words-page",
        f"https://{'a' * 300}/": f"words-{'a' * 100}",
    }
    counted = {**COUNTED, "words": {}}
    reports = {url: Report(SimpleNamespace(**{**counted, "final_url": url}), "drop") for url in names}
    assert {url: file_name(report) for url, report in reports.items()} == names
