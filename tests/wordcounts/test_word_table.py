"""The table of words: Korean forms under their stem, exact to the last count, and sorted as one asks."""

import json
import re
from typing import Any

import pytest

from app.accounts.models import User
from app.wordcounts.report import Row, word_table
from tests.visitor import Visitor
from tests.wordcounts.results import done
from tests.wordcounts.test_read import words_of

WORDS = {"달": 157, "moon": 30, "달은": 25, "달을": 23, "달이": 20, "나라": 9, "별에": 5, "별에서": 5, "별로": 4}
TOTAL = 1000


def rows(words: dict[str, int], *, shown: int | None = None, by_word: bool = False) -> list[Row]:
    return word_table(words, TOTAL, shown=shown, by_word=by_word).rows


def moon(alice: User, **values: Any) -> str:
    counts: dict[str, Any] = {
        "result_all": WORDS,
        "result_no_stop_words": WORDS,
        "total_words": TOTAL,
        "unique_words": len(WORDS),
        "content_words": 810,
    }
    return f"/wordcounts/{done(alice, **{**counts, **values})}"


def test_forms_are_counted_together_and_listed_by_frequency() -> None:
    assert rows(WORDS)[0] == Row(1, "달", 225, 22.5, 100.0, [("달", 157), ("달은", 25), ("달을", 23), ("달이", 20)])


def test_a_word_without_other_forms_stands_for_itself() -> None:
    assert rows(WORDS)[1] == Row(2, "moon", 30, 3.0, 100 * 30 / 225, [])


def test_a_stem_that_is_no_word_is_none_of_its_forms() -> None:
    assert rows({"배포판에": 2, "배포판을": 3}) == [Row(1, "배포판", 5, 0.5, 100.0, [("배포판을", 3), ("배포판에", 2)])]


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
    assert [(row.rank, row.text) for row in rows(words, shown=4, by_word=True)] == [
        (4, "b"),
        (3, "c"),
        (2, "가"),
        (1, "나"),
    ]


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


def test_where_nothing_is_grouped_nothing_is_said_of_it(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(moon(alice, result_no_stop_words={"moon": 1, "나라": 1})).text
    assert "Korean particle are counted together" not in page
    assert "<details>" not in page


def test_downloads_list_the_words_as_they_are_written(signed_in: Visitor, alice: User) -> None:
    path = moon(alice)
    listed = [(word["word"], word["count"]) for word in json.loads(signed_in.get(f"{path}.json").text)["words"]]
    lines = [line.split(",")[1:3] for line in signed_in.get(f"{path}.csv").text.splitlines()[1:]]
    assert dict(listed) == WORDS
    assert [(word, int(count)) for word, count in lines] == listed
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
    assert re.findall(r'rank mute">(\d+)', by_word) == ["2", "4", "1", "3", "5"]
