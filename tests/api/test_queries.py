"""Refuse in few words whatever an operation does not read, however much that is; a cursor is of one list."""

import gzip
import re
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flask import Flask

from app.api.document import document
from app.api.messages import LONGEST_NAME, MOST_ERRORS, list_mark, page
from app.keyset import IDS, Cursor
from app.notes import service as notes
from app.notes.cursor import START
from app.todos import listing
from tests.api.conftest import Program, pointers
from tests.database import same_row_counts
from tests.samples import samples

LISTS = {
    "/notes": START,
    "/notes?tag=home": START,
    "/notes?q=moon": START,
    "/notes?q=sun": START,
    "/notes/archive": Cursor.start(notes.PUT_AWAY_BOUNDS),
    "/notes/trash": Cursor.start(notes.PUT_AWAY_BOUNDS),
    "/todos": Cursor.start(listing.KEY_BOUNDS),
    "/todos?sort=due": Cursor.start(listing.KEY_BOUNDS),
    "/todos?q=moon": Cursor.start(listing.KEY_BOUNDS),
    "/todos?completed=true": Cursor.start(listing.KEY_BOUNDS),
    **{each.path: Cursor.start((IDS,)) for each in samples()},
}


class Operation(NamedTuple):
    method: str
    path: str
    query: dict[str, dict[str, Any]]  # the schemas of its parameters
    takes_body: bool
    fields: dict[str, dict[str, Any]]  # of its JSON, or of each item


def operations(app: Flask) -> list[Operation]:
    with app.test_request_context():
        told = app.json.loads(document())
    found = []
    for path, of in told["paths"].items():
        place = path.removeprefix("/api/v1").replace("{public_id}", str(UUID(int=0)))
        place = re.sub(r"\{\w+\}", "1", place)
        for method, each in of.items():
            query = {other["name"]: other["schema"] for other in each["parameters"] if other["in"] == "query"}
            content = each.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {"schema": {"properties": {}}})["schema"]
            while "properties" not in schema:
                schema = schema.get("items") or told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            found.append(Operation(method.upper(), place, query, bool(content), schema["properties"]))
    return found


def cursor_of(app: Flask, path: str) -> str:
    with app.test_request_context(f"/api/v1{path}"):
        return f"{LISTS[path]}.{list_mark()}"


def with_cursor(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}cursor={cursor}"


def test_a_parameter_that_no_operation_reads_is_refused_and_changes_nothing(app: Flask, program: Program) -> None:
    with same_row_counts():
        for method, path, *_ in operations(app):
            answer = program.ask(method, f"{path}?nonsense=1")
            assert (answer.status_code, pointers(answer)) == (422, ["nonsense"]), (method, path)


def test_a_body_that_an_operation_does_not_read_is_refused_and_nothing_changes(app: Flask, program: Program) -> None:
    note = program.post("/notes", {"title": "x"}).json
    without = [each for each in operations(app) if not each.takes_body]
    assert len(without) >= 15
    for method, path, *_ in without:
        answer = program.ask(method, path, {"title": "y"})
        assert (answer.status_code, pointers(answer)) == (422, ["#"]), (method, path)
        assert program.ask(method, path, gzip.compress(b"{}"), Content_Encoding="gzip").status_code == 415
    for body in (b"{garbage", b"{}{}", b"[1]", b"[null]", b"[{}]", b"0", b"false", b'""', b"nullx", b"a=1", b"\0"):
        assert program.ask("DELETE", f"/notes/{note['id']}", body).status_code == 422, body
    assert program.get(f"/notes/{note['id']}").json == note


@pytest.mark.usefixtures("no_limits")
def test_a_body_that_says_nothing_is_taken_where_none_is_read(app: Flask, program: Program) -> None:
    for method, path, *_ in (each for each in operations(app) if not each.takes_body):
        for body in (b"{}", b" { }\r\n", b"[]", b"null", b"\n", b"\xef\xbb\xbf{}", b""):
            answer = program.ask(method, path, body, Content_Type="application/json" if body != b"[]" else "")
            assert answer.status_code in (200, 204, 404, 429), (method, path, body)  # exports have a limit of theirs


def test_a_parameter_that_stands_there_twice_is_refused(app: Flask, program: Program) -> None:
    tried = [(method, path, name) for method, path, query, *_ in operations(app) for name in query]
    assert len(tried) >= 8
    for method, path, name in tried:
        answer = program.ask(method, f"{path}?{name}=1&{name}=1")
        assert answer.status_code == 422, (method, path, name)
        assert name in pointers(answer)[0], (method, path, name)


def test_a_cursor_holds_for_its_list_and_filter_alone(app: Flask, program: Program) -> None:
    for path in LISTS:
        cursor = cursor_of(app, path)
        assert program.get(with_cursor(path, cursor)).status_code == 200, path
        mark = cursor.rpartition(".")[2]
        for text in ("", "x", "1-2-3-4-5-6", "01-1-1-1", f"{LISTS['/notes']}0"):
            answer = program.get(with_cursor(path, f"{text}.{mark}"))
            assert (answer.status_code, pointers(answer)) == (422, ["cursor"]), (path, text)
    for path, other in pairwise([*LISTS, "/notes"]):
        answer = program.get(with_cursor(path, cursor_of(app, other)))
        assert (answer.status_code, pointers(answer)) == (422, ["cursor"]), (path, other)
    marks = set()  # no two lists of today have cursors of one form, but those of new features have
    for path in LISTS:
        with app.test_request_context(path.partition("?")[0]):
            marks.add(list_mark())
    assert len(marks) == len({path.partition("?")[0] for path in LISTS})


@pytest.mark.parametrize("path", list(LISTS))
def test_the_link_of_each_page_leads_to_the_next_one_of_the_same_list(app: Flask, path: str) -> None:
    """Of a page that was itself reached by a cursor."""
    with app.test_request_context(f"/api/v1{with_cursor(path, 'of-this-page')}"):
        answer, following = page("items", [], LISTS[path]), f"{LISTS[path]}.{list_mark()}"
    assert answer.json == {"items": [], "next": following}
    assert answer.headers["Link"] == f'</api/v1{with_cursor(path, following)}>; rel="next"'


MANY = {f"{number:05}": number for number in range(250)}
LONGEST_ANSWER = 20_000  # bytes; in any language, and of any letters
BATCHES: dict[str, Any] = {
    "one item of many unknown fields": [MANY],
    "many items of one unknown field": [{"titel": "x"}] * 100,
    "many items of wrong types": [{"title": 1, "content": []}] * 100,
    "many items with texts that are too long": [{"title": "x" * 121, "content": "x" * 20_001}] * 100,
    "an unknown field with a long name": [{"x" * 100_000: 1}],
    "many unknown fields with long names": [{f"{number}{'/' * 2_000}": 1 for number in range(25)}],
    "more items than a batch has": [{}] * 101,
    "a field of many fields": [{"title": MANY}],
    "a known field many times": [{"title": "x" * 121}] * 99 + [{**MANY, "title": 1}],
}


def refused_in_few_words(answer: Any) -> list[str]:
    assert answer.status_code == 422
    assert len(answer.data) < LONGEST_ANSWER
    named = pointers(answer)
    assert 0 < len(named) <= MOST_ERRORS
    assert max(map(len, named)) < 3 * LONGEST_NAME
    return named


def test_a_batch_that_is_all_wrong_is_refused_in_few_words(program: Program) -> None:
    with same_row_counts():
        for body in BATCHES.values():
            refused_in_few_words(program.post("/notes/batch", body))


def test_the_first_twenty_are_named_in_their_order(program: Program) -> None:
    first = [f"#/0/{number:05}" for number in range(MOST_ERRORS)]
    assert refused_in_few_words(program.post("/notes/batch", [MANY])) == first
    titles = [f"#/{number}/title" for number in range(MOST_ERRORS)]
    assert refused_in_few_words(program.post("/notes/batch", [{"title": "x" * 121}] * 100)) == titles
    # Nothing after that is looked for: the type of a title would be named first.
    assert "#/title" not in refused_in_few_words(program.post("/notes", {**MANY, "title": 1}))


def test_fewer_unknown_fields_are_named_together_with_what_else_is_wrong(program: Program) -> None:
    named = refused_in_few_words(program.post("/notes", {"title": 1, **dict.fromkeys("abc", 1)}))
    assert sorted(named) == ["#/a", "#/b", "#/c", "#/title"]


def test_a_long_name_is_cut_before_it_is_escaped(program: Program) -> None:
    [name] = refused_in_few_words(program.post("/todos", {"description": "x", "~" * 60_000: 1}))
    assert name == f"#/{'~0' * LONGEST_NAME}…"


def test_a_body_that_is_deep_or_a_number_without_end_is_400(program: Program) -> None:
    for body in (b"[" * 60_000, b'{"title":' * 7_000, b'{"title":' + b"9" * 60_000 + b"}"):
        answer = program.ask("POST", "/notes", body, Content_Type="application/json")
        assert (answer.status_code, len(answer.data) < LONGEST_ANSWER) == (400, True)


def test_every_body_of_many_fields_is_refused_in_few_words(app: Flask, program: Program) -> None:
    tried = [each for each in operations(app) if each.fields and each.path != "/notes/batch"]
    with same_row_counts():
        for each in tried:
            refused_in_few_words(program.ask(each.method, each.path, MANY, If_Match="*"))
        assert len(tried) > 4


def test_a_query_of_many_parameters_is_refused_in_few_words(program: Program) -> None:
    for query in (urlencode(MANY), urlencode({"x" * 3_000: 1}), "&".join(["limit=1"] * 400)):
        refused_in_few_words(program.get(f"/notes?{query}"))
