"""Notes by the API: the pages' rules, edits by version, and a request that comes twice is obeyed once."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.limits import quotas
from app.limits.quotas import IdempotencyKey
from app.notes import service
from app.notes.api import BATCH_BYTES
from app.notes.models import Note
from tests.accounts.conftest import won
from tests.api.conftest import Program, pointers, program_of
from tests.conftest import PASSWORD
from tests.database import commit, same_row_counts, watching
from tests.samples import samples
from tests.waiting import somebody_waits, wait_until


def create(program: Program, **fields: str) -> dict[str, Any]:
    answer = program.post("/notes", {"title": "a title", **fields})
    assert answer.status_code == 201
    return dict(answer.json)


PUT_AWAY = {"archived": "PUT {}/archive", "deleted": "DELETE {}"}


def titles(program: Program, path: str) -> list[str]:
    return [note["title"] for note in program.get(path).json["notes"]]


def test_a_note_is_created_read_and_listed_whole(program: Program) -> None:
    answer = program.post("/notes", {"title": " Cafe\u0301 ", "content": "a\r\nb #Book"})
    note = answer.json
    assert (note["title"], note["content"], note["tags"], note["version"]) == ("Café", "a\nb #Book", ["book"], 1)
    assert note["created_at"].endswith("Z")
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/api/v1/notes/{note['id']}", '"1"')
    assert program.get(f"/notes/{note['id']}").json == note
    assert program.get("/notes").json == {"notes": [note], "next": None}


def test_what_is_wrong_is_named_and_nothing_is_stored(program: Program) -> None:
    with same_row_counts():
        wrong: list[tuple[object, str]] = [
            *(({}, "#/content"), ({"title": "a\x00b"}, "#/title"), ({"title": 1}, "#/title")),
            *(({"title": "x", "user_id": 2}, "#/user_id"), ({"title": "x", "a/b~c": 1}, "#/a~1b~0c")),
        ]
        for body, pointer in wrong:
            answer = program.post("/notes", body)
            assert (answer.status_code, pointers(answer)) == (422, [pointer]), body


def test_pages_follow_each_other_and_link_to_the_next(program: Program) -> None:
    ids = [create(program, title=f"book {number}")["id"] for number in range(8)]
    for path in ("/notes?limit=2&tag=", "/notes?limit=2&q=book"):
        found, following = [], path
        while following:
            answer = program.get(following)
            assert len(answer.json["notes"]) <= 3
            found += [note["id"] for note in answer.json["notes"]]
            assert len(found) <= len(ids), path
            link = answer.headers.get("Link", "")
            assert ('rel="next"' in link) == (answer.json["next"] is not None)
            following = link.partition(">")[0].removeprefix("</api/v1").replace("limit=2", "limit=3")
        assert found == ids[::-1], path


def test_a_query_that_is_wrong_is_refused_with_the_parameter(program: Program) -> None:
    for query in ("limit=0", "limit=101", "limit=x", "cursor=", "cursor=x", "before=1-1-1-1", "Q=a&q=a"):
        answer = program.get(f"/notes?{query}")
        assert (answer.status_code, pointers(answer)) == (422, [query.partition("=")[0]]), query


def test_search_and_tags_find_what_the_pages_find(program: Program) -> None:
    create(program, title="고양이", content="밥 #집")
    create(program, title="dogs", content="walk #집 #산책")
    assert titles(program, "/notes?q=고양이") == ["고양이"]
    assert titles(program, "/notes?tag=집") == ["dogs", "고양이"]
    assert titles(program, "/notes?tag=집&limit=1") == titles(program, "/notes?q=%23집 %23산책") == ["dogs"]
    assert titles(program, "/notes?q=%00") == ["dogs", "고양이"]


def test_an_edit_needs_the_version_that_it_started_from(program: Program) -> None:
    note = create(program, content="first")
    path = f"/notes/{note['id']}"
    assert program.patch(path, {"title": "x"}).status_code == 428
    edited = program.patch(path, {"content": "second"}, If_Match='"1"')
    assert (edited.status_code, edited.headers["ETag"]) == (200, '"2"')
    assert (edited.json["title"], edited.json["content"]) == ("a title", "second")
    stale = program.patch(path, {"content": "third"}, If_Match='"1"')
    assert (stale.status_code, stale.json["current"]) == (412, edited.json)
    assert pointers(program.patch(path, {"content": "", "title": ""}, If_Match='"2"')) == ["#/content"]
    assert program.get(path).json == edited.json


def test_an_edit_changes_nothing_that_is_so_already(program: Program) -> None:
    note = create(program, content="text")
    path = f"/notes/{note['id']}"
    for same in ({}, {"title": note["title"]}, {"content": "text"}):
        assert program.patch(path, same, If_Match='"1"').json == note


def test_pin_archive_trash_and_restore(program: Program) -> None:
    first, second = create(program, title="first"), create(program, title="second")
    path = f"/notes/{first['id']}"
    assert program.put(f"{path}/pin").status_code == 204
    assert titles(program, "/notes") == ["first", "second"]
    assert program.delete(f"{path}/pin").status_code == 204
    assert program.put(f"{path}/archive").status_code == 204
    assert (titles(program, "/notes"), titles(program, "/notes/archive")) == (["second"], ["first"])
    assert program.delete(f"{path}/archive").status_code == 204
    assert program.delete(path).status_code == 204
    assert (titles(program, "/notes"), titles(program, "/notes/trash")) == (["second"], ["first"])
    assert program.get(path).json["deleted_at"]
    assert program.post(f"{path}/restore").json["deleted_at"] is None
    program.delete(path)
    assert program.patch(path, {"title": "y"}, If_Match="*").status_code == 404
    assert program.delete(f"/notes/trash/{second['id']}").status_code == 404
    assert program.delete(f"/notes/trash/{first['id']}").status_code == 204
    assert program.get(path).status_code == 404


def test_a_search_finds_the_archive_and_a_tag_narrows_it_or_the_list(program: Program) -> None:
    for title in ("listed", "archived", "deleted"):
        path = f"/notes/{create(program, title=title, content='moon #home #new')['id']}"
        assert title == "listed" or program.ask(*PUT_AWAY[title].format(path).split()).status_code == 204
    for query in ("tag=home", "tag=%23home", "tag=home+new", "q=&tag=home", "q=+&tag=home", "q=%00&tag=home"):
        assert titles(program, f"/notes?{query}") == ["listed"], query
    for query in ("moon", "%23home", "%23HOME", "%23home+%23new", "moon+%23home", "moon&tag=home", "%23new&tag=home"):
        assert titles(program, f"/notes?q={query}") == ["archived", "listed"], query
        first = program.get(f"/notes?q={query}&limit=1").json
        assert [note["title"] for note in first["notes"]] == ["archived"], query
        assert titles(program, f"/notes?q={query}&limit=1&cursor={first['next']}") == ["listed"], query
    for query in ("q=%23none", "q=%23home&tag=none", "q=sun&tag=home", "tag=none"):
        assert titles(program, f"/notes?{query}") == [], query


def test_a_batch_is_stored_whole_or_not_at_all(program: Program) -> None:
    answer = program.post("/notes/batch", [{"title": "one"}, {"content": "two"}])
    assert [note["content"] for note in answer.json["notes"]] == ["", "two"]
    with same_row_counts():
        for wrong, pointer in (
            ([], "#"),
            ([{"title": "x"}] * 101, "#"),
            ([{"title": "x"}, {"title": "x" * 121}], "#/1/title"),
            ([{"title": "x"}, {"titel": "x"}], "#/1/titel"),
            ({"title": "x"}, "#"),
        ):
            answer = program.post("/notes/batch", wrong)
            assert answer.status_code == 422
            assert pointers(answer) == [pointer], wrong
        several = program.post("/notes/batch", [{"title": "x" * 121}, {"title": "x"}, {"content": " "}])
        assert pointers(several) == ["#/0/title", "#/2/content"]


def test_a_batch_may_be_longer_than_other_bodies_but_not_without_a_token(app: Flask, program: Program) -> None:
    many = [{"content": "각" * 2000}] * 100
    assert program.post("/notes/batch", many).status_code == 201
    assert Program(app, None).post("/notes/batch", many).status_code == 401
    too_long = b"[" + b" " * BATCH_BYTES + b"]"
    assert program.ask("POST", "/notes/batch", too_long, Content_Type="application/json").status_code == 413
    long_note = json.dumps({"content": " " * 500_000}).encode()
    assert program.ask("POST", "/notes", long_note, Content_Type="application/json").status_code == 413


@pytest.mark.parametrize(("path", "body"), [("/notes", {"title": "once"}), ("/notes/batch", [{"title": "once"}] * 2)])
def test_a_request_with_a_key_is_obeyed_once(app: Flask, program: Program, bob: User, path: str, body: Any) -> None:
    first = program.post(path, body, Idempotency_Key="k1")
    with same_row_counts():
        again = program.post(path, body, Idempotency_Key="k1")
        assert (again.status_code, again.json) == (201, first.json)
        other = [*body, {"title": "more"}] if isinstance(body, list) else {"title": "another"}
        refused = program.post(path, other, Idempotency_Key="k1")
        assert (refused.status_code, pointers(refused)) == (422, ["Idempotency-Key"])
        assert program.post("/todos", {"description": "once"}, Idempotency_Key="k1").status_code == 422
    assert program.post(path, body, Idempotency_Key="k2").json != first.json
    his = program_of(app, bob).post(path, body, Idempotency_Key="k1")
    assert his.json != first.json  # keys are each person's own


def test_a_key_is_forgotten_after_a_day_and_by_what_was_refused(program: Program) -> None:
    for wrong in ("", "x" * 256):
        assert program.post("/notes", {"title": "x"}, Idempotency_Key=wrong).status_code == 422
    assert program.post("/notes", {"title": "x" * 121}, Idempotency_Key="k").status_code == 422
    first = program.post("/notes", {"title": "x"}, Idempotency_Key="k").json
    commit(update(IdempotencyKey).values(created_at=func.now() - quotas.KEY_KEPT))
    second = program.post("/notes", {"title": "y"}, Idempotency_Key="k").json
    assert second["id"] != first["id"]
    assert program.post("/notes", {"title": "y"}, Idempotency_Key="k").json == second  # for a day again
    db.session.execute(update(IdempotencyKey).values(created_at=func.now() - quotas.KEY_KEPT))
    quotas.purge_old_keys(0)
    assert db.session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0


def test_a_key_outlives_the_note_that_it_created(program: Program) -> None:
    note = create(program)
    made = program.post("/notes", {"title": "once"}, Idempotency_Key="k").json
    program.delete(f"/notes/{made['id']}")
    assert program.post("/notes", {"title": "once"}, Idempotency_Key="k").json["deleted_at"]
    program.delete(f"/notes/trash/{made['id']}")
    with same_row_counts():
        for _ in range(2):
            assert program.post("/notes", {"title": "once"}, Idempotency_Key="k").status_code == 410
        assert program.post("/notes", {"title": "other"}, Idempotency_Key="k").status_code == 422
    assert [each["id"] for each in program.get("/notes").json["notes"]] == [note["id"]]
    assert program.post("/notes", {"title": "once"}, Idempotency_Key="k2").status_code == 201
    db.session.execute(update(IdempotencyKey).values(created_at=func.now() - quotas.KEY_KEPT))
    assert program.post("/notes", {"title": "once"}, Idempotency_Key="k").status_code == 201


def test_a_key_outlives_a_batch_and_each_of_its_notes(program: Program) -> None:
    batch = [{"title": "one"}, {"title": "two"}]
    one, two = program.post("/notes/batch", batch, Idempotency_Key="k").json["notes"]
    for left, gone in (([two], one), ([], two)):
        program.delete(f"/notes/{gone['id']}")
        program.delete(f"/notes/trash/{gone['id']}")
        with same_row_counts():
            again = program.post("/notes/batch", batch, Idempotency_Key="k")
            assert (again.status_code, again.json.get("notes", [])) == (201 if left else 410, left)


def test_a_full_quota_refuses_a_note_and_a_batch(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.QUOTA, "most", 2)
    create(program)
    with same_row_counts():
        assert program.post("/notes/batch", [{"title": "x"}] * 3, Idempotency_Key="k").status_code == 422
    create(program)
    assert program.post("/notes", {"title": "x"}).status_code == 422


def test_many_at_once_with_one_key_store_one_note_and_get_one_answer(migrated: Flask) -> None:
    token = program_of(migrated, accounts.sign_up("alice@example.com", "alice", PASSWORD)).token
    answers: set[tuple[int, bytes]] = set()

    def send(_: int) -> None:
        answer = Program(migrated, token).post("/notes", {"title": "once"}, Idempotency_Key="the same")
        answers.add((answer.status_code, answer.data))

    won(migrated, send, range(5))
    assert [status for status, _ in answers] == [201]
    assert db.session.scalar(select(func.count()).select_from(Note)) == 1


@pytest.fixture
def programs(migrated: Flask) -> list[Program]:
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    found = [program_of(migrated, user) for _ in range(2)]
    db.session.remove()
    return found


@contextmanager
def waiting_for(statement: str, program: Program, *request: Any, **headers: str) -> Iterator[Future[Any]]:
    """Yield the answer to a request that waits for this statement, which is committed meanwhile."""
    with db.engine.connect() as other, ThreadPoolExecutor(1) as threads:
        other.execute(text(statement))
        answer = threads.submit(program.ask, *request, **headers)
        wait_until(lambda: answer.done() or somebody_waits(), "the request waits")
        other.commit()
        yield answer


def stored() -> list[tuple[str, int, bool]]:
    with db.engine.connect() as connection:
        rows = connection.execute(select(Note.title, Note.version, Note.deleted_at.is_not(None)))
        return [(title, version, is_deleted) for title, version, is_deleted in rows]


EDIT = "UPDATE notes SET title = 'unseen', version = version + 1"


@pytest.mark.parametrize(
    ("meanwhile", "method", "if_match", "status", "left"),
    [
        (EDIT, "DELETE", '"1"', 412, ("unseen", 2, False)),
        (EDIT, "DELETE", "*", 204, ("unseen", 3, True)),
        ("UPDATE notes SET deleted_at = now(), version = version + 1", "PATCH", '"1"', 412, ("seen", 2, True)),
    ],
)
def test_what_changed_at_the_same_moment_is_not_lost_unseen(
    programs: list[Program], meanwhile: str, method: str, if_match: str, status: int, left: tuple[str, int, bool]
) -> None:
    note = programs[0].post("/notes", {"title": "seen"}).json
    request = (method, f"/notes/{note['id']}", {"title": "late"} if method == "PATCH" else None)
    with waiting_for(meanwhile, programs[0], *request, If_Match=if_match) as answer:
        refused = answer.result()
    assert refused.status_code == status
    if status == 412:
        assert refused.json["current"]["title"] == left[0]
        assert bool(refused.json["current"]["deleted_at"]) == left[2]
    assert stored() == [left]


def test_what_is_deleted_for_good_at_the_same_moment_is_not_created_again(programs: list[Program]) -> None:
    """The request that comes again sees the note that is about to go, and inserts none in its place."""
    again = ("POST", "/notes", {"title": "once"})
    programs[0].ask(*again, Idempotency_Key="k")
    with waiting_for("DELETE FROM notes", programs[1], *again, Idempotency_Key="k") as answer:
        assert answer.result().status_code == 201
    assert stored() == []


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/notes", {"title": "once"}, "notes"),
        ("/todos", {"description": "once"}, "todos"),
        *((each.path, each.fields, each.table) for each in samples()),
    ],
)
def test_what_is_deleted_for_good_before_it_is_read_is_410(
    programs: list[Program], path: str, body: object, table: str
) -> None:
    """Found by its key, and gone when its columns are asked for."""
    programs[0].post(path, body, Idempotency_Key="k")

    def delete_first(_cursor: object, statement: str, _parameters: object) -> None:
        if statement.startswith("SELECT") and f"FROM {table}" in statement and "idempotency_key" not in statement:
            with db.engine.begin() as other:
                other.execute(text(f"DELETE FROM {table}"))

    with watching(delete_first):
        again = programs[1].post(path, body, Idempotency_Key="k")
    assert again.status_code == 410
    assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
