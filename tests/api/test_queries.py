"""What an operation does not read is refused, and a cursor holds for its own list alone."""

from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from flask import Flask

from app.api.document import document
from app.api.messages import list_mark
from app.keyset import Cursor
from app.notes import service as notes
from app.notes.cursor import START
from app.todos import listing
from app.wordcounts import service
from tests.api.program import Program, pointers
from tests.database import row_counts

LISTS = {
    "/notes": START,
    "/notes?tag=home": START,
    "/notes?q=moon": START,
    "/notes?q=sun": START,
    "/notes/archive": Cursor.start(notes.ARCHIVE_BOUNDS),
    "/todos": Cursor.start(listing.KEY_BOUNDS),
    "/todos?sort=due": Cursor.start(listing.KEY_BOUNDS),
    "/todos?completed=true": Cursor.start(listing.KEY_BOUNDS),
    "/wordcounts": Cursor.start(service.KEY_BOUNDS),
}


class Operation(NamedTuple):
    """
    Args:
        names: of the parameters of its query.
    """

    method: str
    path: str
    names: list[str]
    takes_body: bool


def operations(app: Flask) -> list[Operation]:
    with app.test_request_context():
        paths = app.json.loads(document())["paths"]
    found = []
    for path, of in paths.items():
        place = path.removeprefix("/api/v1").replace("{public_id}", str(UUID(int=0)))
        place = place.replace("{note_id}", "1").replace("{todo_id}", "1")
        for method, each in of.items():
            names = [parameter["name"] for parameter in each["parameters"] if parameter["in"] == "query"]
            found.append(Operation(method.upper(), place, names, "requestBody" in each))
    return found


def cursor_of(app: Flask, path: str) -> str:
    with app.test_request_context(f"/api/v1{path}"):
        return f"{LISTS[path]}.{list_mark()}"


def with_cursor(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}cursor={cursor}"


def test_a_parameter_that_an_operation_does_not_read_is_refused_and_nothing_changes(
    app: Flask, program: Program
) -> None:
    before = row_counts()
    for method, path, _names, _takes_body in operations(app):
        answer = program.ask(method, f"{path}?nonsense=1")
        assert (answer.status_code, pointers(answer)) == (422, ["nonsense"]), (method, path)
    assert row_counts() == before


def test_a_body_that_an_operation_does_not_read_is_refused_and_nothing_changes(app: Flask, program: Program) -> None:
    note = program.post("/notes", {"title": "x"}).json
    without = [each for each in operations(app) if not each.takes_body]
    assert len(without) >= 15
    for method, path, _names, _takes_body in without:
        answer = program.ask(method, path, {})
        assert (answer.status_code, pointers(answer)) == (422, ["#"]), (method, path)
    assert program.ask("DELETE", f"/notes/{note['id']}", b"{garbage").status_code == 422
    assert program.get(f"/notes/{note['id']}").json == note


def test_a_parameter_that_stands_there_twice_is_refused(app: Flask, program: Program) -> None:
    tried = [(method, path, name) for method, path, names, _takes_body in operations(app) for name in names]
    assert len(tried) >= 10
    for method, path, name in tried:
        answer = program.ask(method, f"{path}?{name}=1&{name}=1")
        assert answer.status_code == 422, (method, path, name)
        assert name in pointers(answer)[0], (method, path, name)


def test_a_cursor_holds_for_its_list(app: Flask, program: Program) -> None:
    for path in LISTS:
        cursor = cursor_of(app, path)
        assert program.get(with_cursor(path, cursor)).status_code == 200, path
        mark = cursor.rpartition(".")[2]
        for text in ("", "x", "1-2-3-4-5-6", "01-1-1-1", f"{LISTS['/notes']}0"):
            answer = program.get(with_cursor(path, f"{text}.{mark}"))
            assert (answer.status_code, pointers(answer)) == (422, ["cursor"]), (path, text)


def test_a_cursor_of_another_list_or_filter_is_refused(app: Flask, program: Program) -> None:
    for path, other in pairwise([*LISTS, "/notes"]):
        answer = program.get(with_cursor(path, cursor_of(app, other)))
        assert (answer.status_code, pointers(answer)) == (422, ["cursor"]), (path, other)


def test_a_cursor_holds_for_pages_of_any_size(program: Program) -> None:
    for number in range(4):
        program.post("/notes", {"title": str(number)})
    following = program.get("/notes?limit=1").json["next"]
    rest = program.get(f"/notes?limit=50&cursor={following}").json
    assert [note["title"] for note in rest["notes"]] == ["2", "1", "0"]
