"""Downloads: the whole result as CSV, safe against CSV injection, and as JSON."""

import csv
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.models import User
from app.wordcounts.report import as_csv, file_name, of_result
from tests.visitor import Visitor
from tests.wordcounts.results import COUNTED, done


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_csv_works(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.get(f"/wordcounts/{done(alice)}.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="words-example.com.csv"'
    assert answer.data.startswith(b"\xef\xbb\xbfrank,")
    assert rows(answer.data.decode("utf-8-sig")) == [
        ["rank", "word", "count", "density"],
        ["1", "moon", "3", "30.000"],
        ["2", "반달", "2", "20.000"],
    ]


def test_json_works(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.get(f"/wordcounts/{done(alice)}.json")
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="words-example.com.json"'
    values = json.loads(answer.text)
    assert values.pop("counted_at")
    assert values == {
        "url": "https://example.com/moon",
        "final_url": "https://example.com/moon/",
        "title": "Half moon",
        "totals": {
            "words": 10,
            "different_words": 3,
            "words_without_stop_words": 5,
            "characters": 1234,
            "reading_seconds": 61,
        },
        "stop_words": "drop",
        "truncated": False,
        "words": [{"word": "moon", "count": 3}, {"word": "반달", "count": 2}],
        "phrases": {
            "two_words": [{"phrase": "the moon", "count": 3}],
            "three_words": [{"phrase": "of the moon", "count": 2}],
        },
    }


def test_stop_words_are_kept_on_request(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice)
    assert rows(signed_in.get(f"/wordcounts/{public_id}.csv?stop_words=keep").text)[1] == ["1", "the", "5", "50.000"]
    values = signed_in.get(f"/wordcounts/{public_id}.json?stop_words=keep").get_json()
    assert (values["stop_words"], values["words"][0]) == ("keep", {"word": "the", "count": 5})


def test_every_word_that_is_stored_is_in_it(signed_in: Visitor, alice: User) -> None:
    public_id = done(alice, result_no_stop_words={f"w{number}": 1 for number in range(5000)})
    assert len(rows(signed_in.get(f"/wordcounts/{public_id}.csv").text)) == 5001
    assert len(signed_in.get(f"/wordcounts/{public_id}.json").get_json()["words"]) == 5000


def test_a_word_that_a_spreadsheet_would_run_is_quoted() -> None:
    formulas = ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")
    others = ("moon", "a=b", "don't", "'")
    result = SimpleNamespace(**COUNTED, url="", words=dict.fromkeys((*formulas, *others), 1), finished_at=None)
    result.truncated = False
    cells = {row[1] for row in csv.reader(io.StringIO(as_csv(of_result(result, "drop")), newline=""))}
    assert cells == {"word", *(f"'{formula}" for formula in formulas), *others}


@pytest.mark.parametrize(
    ("final_url", "name"),
    [
        ("http://sub.example.com:80/a/b?c", "words-sub.example.com"),
        ("https://xn--2e0b.example/", "words-xn--2e0b.example"),
        ('https://a"b;c\u202e.example/', "words-abc.example"),
        ("https://반달/", "words-page"),
        (f"https://{'a' * 300}/", f"words-{'a' * 100}"),
    ],
)
def test_the_file_is_named_for_the_server_in_plain_letters(final_url: str, name: str) -> None:
    result = SimpleNamespace(**COUNTED, url="", words={}, finished_at=None, truncated=False)
    result.final_url = final_url
    assert file_name(of_result(result, "drop")) == name


def test_a_page_without_words_can_be_downloaded(signed_in: Visitor, alice: User) -> None:
    nothing: dict[str, Any] = {"total_words": 0, "result_no_stop_words": {}, "phrases": {"2": {}, "3": {}}}
    assert signed_in.get(f"/wordcounts/{done(alice, **nothing)}.csv").status_code == 200
