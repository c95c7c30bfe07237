"""Todos by the API: the pages' rules, partial changes, and the order."""

from typing import Any

import pytest
from sqlalchemy import func, update

from app.api.messages import list_mark
from app.keyset import Cursor
from app.todos import service
from app.todos.models import Todo
from tests.api.program import Program, pointers
from tests.database import commit, row_counts, same_row_counts


def create(program: Program, description: str = "a todo", **fields: object) -> dict[str, Any]:
    answer = program.post("/todos", {"description": description, **fields})
    assert answer.status_code == 201
    return dict(answer.json)


def listed(program: Program, query: str = "") -> list[str]:
    return [todo["description"] for todo in program.get(f"/todos{query}").json["todos"]]


def test_a_todo_is_created_changed_and_listed(program: Program) -> None:
    todo = create(program, " call ", due_on="2026-12-01")
    assert todo == {"id": todo["id"], "description": "call", "due_on": "2026-12-01", "completed": False}
    path = f"/todos/{todo['id']}"
    assert program.patch(path, {"completed": True}).json == {**todo, "completed": True}
    assert program.patch(path, {"due_on": None}).json["due_on"] is None
    assert program.patch(path, {"description": "write", "completed": False}).json["description"] == "write"
    assert program.patch(path, {}).json == {**todo, "description": "write", "due_on": None}
    assert program.get(path).json["completed"] is False


def test_what_is_wrong_is_named_and_nothing_is_stored(program: Program) -> None:
    with same_row_counts():
        wrong: list[tuple[object, str]] = [
            *(({}, "#/description"), ({"description": "x" * 201}, "#/description")),
            *(({"description": "x", "due_on": due_on}, "#/due_on") for due_on in ("1999-12-31", 20261201)),
        ]
        for body, pointer in wrong:
            answer = program.post("/todos", body)
            assert (answer.status_code, pointers(answer)) == (422, [pointer]), body


def test_a_change_that_is_wrong_changes_nothing(program: Program) -> None:
    todo = create(program)
    for body in ({"description": ""}, {"completed": None}, {"completed": 1}, {"completed": "1"}, {"id": 1}):
        assert program.patch(f"/todos/{todo['id']}", body).status_code == 422, body
    assert program.get(f"/todos/{todo['id']}").json == todo


def test_a_place_too_far_is_refused_and_the_order_stays(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "FARTHEST", 2)
    ids = {name: create(program, name)["id"] for name in ("c", "b", "a")}
    refused = program.post(f"/todos/{ids['a']}/move", {"onto": ids["c"]})
    assert (refused.status_code, pointers(refused)) == (422, ["#/onto"])
    assert listed(program) == ["a", "b", "c"]


def test_the_order_is_changed_by_a_place_or_to_a_place(program: Program) -> None:
    ids = {name: create(program, name)["id"] for name in ("c", "b", "a")}
    assert listed(program) == ["a", "b", "c"]
    assert program.post(f"/todos/{ids['c']}/move", {"direction": "up"}).status_code == 204
    assert listed(program) == ["a", "c", "b"]
    integer = float(ids["a"])  # JSON schema says so
    assert program.post(f"/todos/{ids['b']}/move", {"onto": integer}).status_code == 204
    assert listed(program) == ["b", "a", "c"]
    onto_nothing: list[object] = [{"onto": place} for place in (0, 1.5, 2**63)]
    for wrong in ({}, {"direction": "left"}, {"direction": "up", "onto": ids["a"]}, *onto_nothing):
        assert program.post(f"/todos/{ids['a']}/move", wrong).status_code == 422
    assert program.post(f"/todos/{ids['a']}/move", {"onto": ids["a"]}).status_code == 204
    assert listed(program) == ["b", "a", "c"]


def test_the_list_by_state_and_by_due_date_and_page_by_page(program: Program) -> None:
    create(program, "late", due_on="2026-12-02")
    create(program, "early", due_on="2026-12-01")
    done = create(program, "done")
    program.patch(f"/todos/{done['id']}", {"completed": True})
    assert listed(program, "?completed=true") == ["done"]
    assert listed(program, "?completed=false&sort=due") == ["early", "late"]
    for wrong in ("?completed=2", "?sort=name", "?cursor=x", "?limit=5"):
        assert program.get(f"/todos{wrong}").status_code == 422
    following = str(Cursor((done["id"], done["id"])))  # as that of a page which ends with it
    with program.app.test_request_context("/api/v1/todos"):
        rest = program.get(f"/todos?cursor={following}.{list_mark()}").json
    assert ([todo["description"] for todo in rest["todos"]], rest["next"]) == (["early", "late"], None)


def test_a_request_with_a_key_is_obeyed_once_also_after_its_todo_was_deleted_or_purged(program: Program) -> None:
    first = program.post("/todos", {"description": "once"}, Idempotency_Key="k")
    path = f"/todos/{first.json['id']}"
    assert program.delete(path).status_code == 204
    again = program.post("/todos", {"description": "once"}, Idempotency_Key="k")
    assert (again.status_code, again.json, again.headers["Location"]) == (201, first.json, first.headers["Location"])
    assert program.post("/todos", {"description": "x"}, Idempotency_Key="k").status_code == 422
    assert listed(program) == []
    assert (program.get(path).status_code, program.delete(path).status_code) == (404, 404)
    assert program.post(f"{path}/restore").json == first.json
    program.delete(path)
    commit(update(Todo).values(deleted_at=func.now() - service.UNDO_FOR))
    service.purge_deleted_todos(0)
    assert row_counts()["todos"] == 0
    with same_row_counts():
        assert program.post("/todos", {"description": "once"}, Idempotency_Key="k").status_code == 410
    assert program.post("/todos", {"description": "once"}, Idempotency_Key="k2").status_code == 201
