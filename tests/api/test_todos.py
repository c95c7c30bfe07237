"""Todos, the profile, the photo and the export by the API: the rules of the pages."""

import io
import json
import zipfile
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select, update

from app.accounts.models import AccountEvent, User
from app.api.messages import list_mark
from app.extensions import db
from app.keyset import Cursor
from app.todos import service
from app.todos.models import Todo
from app.web.request_size import TEXT_BODY_LIMIT
from tests.api.conftest import Program, pointers, program_of
from tests.database import commit, row_counts, same_row_counts
from tests.photos.photo_files import red_jpeg, saved


def create(program: Program, description: str = "a todo", **fields: object) -> dict[str, Any]:
    answer = program.post("/todos", {"description": description, **fields})
    assert answer.status_code == 201
    return dict(answer.json)


def listed(program: Program, query: str = "") -> list[str]:
    return [todo["description"] for todo in program.get(f"/todos{query}").json["todos"]]


def test_a_todo_is_created_changed_and_listed(program: Program) -> None:
    todo = create(program, " call ", due_on="2026-12-01")
    asked = {"description": "call", "due_on": "2026-12-01", "completed": False}
    assert todo == {**todo, **asked, "position": todo["id"], "completed_at": None, "deleted_at": None}
    assert todo["created_at"] == todo["updated_at"]
    path, version = f"/todos/{todo['id']}", todo["version"]
    done = program.patch(path, {"completed": True}).json
    assert done == {**todo, "completed": True, "completed_at": done["completed_at"], "version": version + 1}
    assert done["completed_at"].endswith("Z")
    assert program.patch(path, {"due_on": None}).json["due_on"] is None
    assert program.patch(path, {"description": "write", "completed": False}).json["description"] == "write"
    written = {**todo, "description": "write", "due_on": None, "version": version + 3}
    assert program.patch(path, {}).json == written
    assert program.get("/todos").json["todos"] == [written]


def test_what_is_wrong_is_named_and_nothing_is_stored(program: Program) -> None:
    with same_row_counts():
        wrong: list[tuple[object, str]] = [
            *(({}, "#/description"), ({"description": "x" * 501}, "#/description")),
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
    assert listed(program, "?q=AR%20e&sort=due") == listed(program, "?q=early&completed=false") == ["early"]
    assert listed(program, "?q=e") == ["done", "early", "late"]
    assert listed(program, "?q=early&completed=true") == listed(program, "?q=nowhere") == []
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
    assert (again.status_code, again.headers["Location"]) == (201, first.headers["Location"])
    assert (again.json["id"], bool(again.json["deleted_at"])) == (first.json["id"], True)
    assert program.post("/todos", {"description": "x"}, Idempotency_Key="k").status_code == 422
    assert listed(program) == []
    assert (program.get(path).status_code, program.delete(path).status_code) == (404, 404)
    assert program.post(f"{path}/restore").json == {**first.json, "version": again.json["version"] + 1}
    program.delete(path)
    commit(update(Todo).values(deleted_at=func.now() - service.UNDO_FOR))
    service.purge_deleted_todos(0)
    assert row_counts()["todos"] == 0
    with same_row_counts():
        assert program.post("/todos", {"description": "once"}, Idempotency_Key="k").status_code == 410
    assert program.post("/todos", {"description": "once"}, Idempotency_Key="k2").status_code == 201


def test_the_profile_is_read_and_changed_field_by_field(program: Program, alice: User) -> None:
    before = program.get("/profile").json
    assert (before["email"], before["nickname"], before["photo_url"]) == ("alice@example.com", "alice", None)
    assert program.patch("/profile", {"nickname": " Half Moon "}).json == {**before, "nickname": "Half Moon"}
    changed = program.patch("/profile", {"language": "ko", "time_zone": "Asia/Seoul"}).json
    assert program.patch("/profile", {"time_zone": None}).json == {**changed, "time_zone": None}
    assert program.patch("/profile", {"time_zone": "Asia/Calcutta"}).json == {**changed, "time_zone": "Asia/Kolkata"}
    assert program.patch("/profile", {"time_zone": None}).json == {**changed, "time_zone": None}
    assert program.patch("/profile", {}).json == program.get("/profile").json == {**changed, "time_zone": None}


def test_what_is_wrong_is_named_and_nothing_is_changed(program: Program, bob: User) -> None:
    before = program.get("/profile").json
    for body, pointer in (
        ({"nickname": ""}, "#/nickname"),
        ({"language": "fr"}, "#/language"),
        ({"nickname": "new", "time_zone": "Mars/Olympus"}, "#/time_zone"),
        ({"nickname": "bob", "time_zone": "Asia/Seoul"}, "#/nickname"),
        ({"email": "other@example.com"}, "#/email"),
    ):
        answer = program.patch("/profile", body)
        assert (answer.status_code, {*pointers(answer)}) == (422, {pointer}), body
    assert program.get("/profile").json == before


def test_a_photo_longer_than_a_form_may_be_is_put_and_deleted(program: Program, objects: set[str]) -> None:
    long = saved(Image.effect_noise((400, 400), 100), "PNG")
    assert len(long) > TEXT_BODY_LIMIT
    for photo, kind in ((red_jpeg(), "application/octet-stream"), (long, "image/png")):
        assert program.put("/profile/photo", photo, Content_Type=kind).status_code == 204
        assert program.get("/profile").json["photo_url"].endswith(".webp")
    assert program.delete("/profile/photo").status_code == 204
    assert program.get("/profile").json["photo_url"] is None


def test_what_is_no_photo_is_refused(program: Program, objects: set[str]) -> None:
    for sent in (b"", b"no photo"):
        for kind, status in (("image/png", 422), ("application/octet-stream", 422), ("application/zip", 415)):
            assert program.put("/profile/photo", sent, Content_Type=kind).status_code == status
    assert program.get("/profile").json["photo_url"] is None


def test_a_photo_that_is_too_large_or_of_a_stranger_is_413_before_it_is_read(app: Flask, program: Program) -> None:
    assert program.put("/profile/photo", b"x" * (7 * 2**20), Content_Type="image/png").status_code == 413
    assert Program(app, None).put("/profile/photo", b"x" * (2**20), Content_Type="image/png").status_code == 401


def test_the_export_needs_a_scope_of_its_own_or_read(app: Flask, alice: User) -> None:
    assert program_of(app, alice, "notes:read", "profile:read", "write").get("/export").status_code == 403
    assert db.session.scalars(select(AccountEvent.kind)).all() == ["access_token_made"]


def test_the_export_is_that_of_my_page(app: Flask, program: Program, alice: User) -> None:
    program.post("/notes", {"title": "mine"})
    before = row_counts()
    answer = program_of(app, alice, "export:read").get("/export")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    exported = json.loads(zipfile.ZipFile(io.BytesIO(answer.data)).read("semicircle.json"))
    assert [note["title"] for note in exported["notes"]] == ["mine"]
    assert row_counts() == {**before, "access_tokens": before["access_tokens"] + 1}
    assert "exported" in db.session.scalars(select(AccountEvent.kind)).all()
