"""However much is wrong with a request, the answer is short: the first twenty errors, with names that are cut."""

from typing import Any
from urllib.parse import urlencode

from flask import Flask

from app.api.messages import LONGEST_NAME, MOST_ERRORS
from tests.api.program import Program, pointers
from tests.api.test_queries import operations
from tests.database import row_counts

MANY = {f"{number:05}": number for number in range(2_500)}
LONGEST_ANSWER = 20_000  # bytes; in any language, and of any letters
BATCHES: dict[str, Any] = {
    "one item of many unknown fields": [{f"{number}": 1 for number in range(250_000)}],
    "many items of many unknown fields": [MANY] * 80,
    "many items of one unknown field": [{"titel": "x"}] * 100,
    "many items of wrong types": [{"title": 1, "content": []}] * 100,
    "many items with texts that are too long": [{"title": "x" * 51, "content": "x" * 2_001}] * 100,
    "an unknown field with a long name": [{"x" * 2_500_000: 1}],
    "many unknown fields with long names": [{f"{number}{'/' * 2_000}": 1 for number in range(1_000)}],
    "more items than a batch has": [{}] * 600_000,
    "a field of many fields": [{"title": MANY}],
    "a known field many times": [{"title": "x" * 51}] * 99 + [{**MANY, "title": 1}],
}


def refused_in_few_words(answer: Any) -> list[str]:
    assert answer.status_code == 422
    assert len(answer.data) < LONGEST_ANSWER
    named = pointers(answer)
    assert 0 < len(named) <= MOST_ERRORS
    assert max(map(len, named)) < 3 * LONGEST_NAME
    return named


def test_a_batch_that_is_all_wrong_is_refused_in_few_words(program: Program) -> None:
    before = row_counts()
    for body in BATCHES.values():
        refused_in_few_words(program.post("/notes/batch", body))
    assert row_counts() == before


def test_the_first_twenty_are_named_in_their_order(program: Program) -> None:
    first = [f"#/0/{number:05}" for number in range(MOST_ERRORS)]
    assert refused_in_few_words(program.post("/notes/batch", [MANY])) == first
    titles = [f"#/{number}/title" for number in range(MOST_ERRORS)]
    assert refused_in_few_words(program.post("/notes/batch", [{"title": "x" * 51}] * 100)) == titles


def test_fewer_unknown_fields_are_named_together_with_what_else_is_wrong(program: Program) -> None:
    named = refused_in_few_words(program.post("/notes", {"title": 1, **dict.fromkeys("abc", 1)}))
    assert sorted(named) == ["#/a", "#/b", "#/c", "#/title"]


def test_what_follows_the_first_twenty_is_not_looked_for(program: Program) -> None:
    """The type of a title behind them is not, and would be named first."""
    assert "#/title" not in refused_in_few_words(program.post("/notes", {**MANY, "title": 1}))


def test_a_long_name_is_cut_before_it_is_escaped(program: Program) -> None:
    [name] = refused_in_few_words(program.post("/todos", {"description": "x", "~" * 60_000: 1}))
    assert name == f"#/{'~0' * LONGEST_NAME}…"


def test_a_body_that_is_deep_or_a_number_without_end_is_400(program: Program) -> None:
    for body in (b"[" * 60_000, b'{"title":' * 7_000, b'{"title":' + b"9" * 60_000 + b"}"):
        answer = program.ask("POST", "/notes", body, Content_Type="application/json")
        assert (answer.status_code, len(answer.data) < LONGEST_ANSWER) == (400, True)


def test_every_body_of_many_fields_is_refused_in_few_words(app: Flask, program: Program) -> None:
    tried = [
        each for each in operations(app) if each.takes_body and each.path not in ("/profile/photo", "/notes/batch")
    ]
    before = row_counts()
    for each in tried:
        refused_in_few_words(program.ask(each.method, each.path, MANY, If_Match="*"))
    assert len(tried) > 4
    assert row_counts() == before


def test_every_query_of_many_parameters_is_refused_in_few_words(app: Flask, program: Program) -> None:
    before = row_counts()
    for each in operations(app):
        body: object = {} if each.takes_body else None
        refused_in_few_words(program.ask(each.method, f"{each.path}?{urlencode(MANY)}", body))
    for query in (urlencode({"x" * 3_000: 1}), "&".join(["limit=1"] * 400)):
        refused_in_few_words(program.get(f"/notes?{query}"))
    assert row_counts() == before
