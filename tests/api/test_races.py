"""Two requests at the same moment, on connections of their own: If-Match and Idempotency-Key hold all the same."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from app.accounts import hashing
from app.accounts import service as accounts
from app.extensions import db
from app.notes.models import Note
from tests.api.program import Program, program_of
from tests.conftest import CHEAP_HASHER, PASSWORD
from tests.waiting import wait_until

WAITS = text("SELECT 1 FROM pg_locks WHERE NOT granted AND :pid = ANY (pg_blocking_pids(pid))")


@pytest.fixture
def programs(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """Two, of one user."""
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    user = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    found = [program_of(migrated, user) for _ in range(2)]
    db.session.remove()
    return found


@contextmanager
def waiting_for(statement: str, program: Program, *request: Any, **headers: str) -> Iterator[Future[Any]]:
    """Yield the answer to a request that waits for this statement, which is committed meanwhile."""
    with db.engine.connect() as other, db.engine.connect() as watching, ThreadPoolExecutor(1) as threads:
        other.execute(text(statement))
        pid = other.scalar(text("SELECT pg_backend_pid()"))
        answer = threads.submit(program.ask, *request, **headers)
        wait_until(lambda: answer.done() or watching.scalar(WAITS, {"pid": pid}), "the request waits")
        assert not answer.done()
        other.commit()
        yield answer


def stored() -> list[tuple[str, int, bool]]:
    """Title, version and whether it is deleted, of each note."""
    with db.engine.connect() as connection:
        rows = connection.execute(select(Note.title, Note.version, Note.deleted_at.is_not(None)))
        return [(title, version, is_deleted) for title, version, is_deleted in rows]


def test_an_edit_of_the_same_moment_is_not_deleted_unseen(programs: list[Program]) -> None:
    note = programs[0].post("/notes", {"title": "seen"}).json
    edit = "UPDATE notes SET title = 'unseen', version = version + 1"
    with waiting_for(edit, programs[0], "DELETE", f"/notes/{note['id']}", If_Match='"1"') as answer:
        refused = answer.result()
    assert (refused.status_code, refused.headers["ETag"]) == (412, '"2"')
    assert refused.json["current"]["title"] == "unseen"
    assert stored() == [("unseen", 2, False)]


def test_a_note_that_is_deleted_at_the_same_moment_is_not_edited(programs: list[Program]) -> None:
    note = programs[0].post("/notes", {"title": "seen"}).json
    deletion = "UPDATE notes SET deleted_at = now()"
    edit = ("PATCH", f"/notes/{note['id']}", {"title": "late"})
    with waiting_for(deletion, programs[0], *edit, If_Match='"1"') as answer:
        refused = answer.result()
    assert refused.status_code == 412
    assert refused.json["current"]["deleted_at"]
    assert stored() == [("seen", 1, True)]


def test_a_deletion_of_any_version_heeds_no_edit(programs: list[Program]) -> None:
    note = programs[0].post("/notes", {"title": "seen"}).json
    edit = "UPDATE notes SET title = 'unseen', version = version + 1"
    with waiting_for(edit, programs[0], "DELETE", f"/notes/{note['id']}") as answer:
        assert answer.result().status_code == 204
    assert stored() == [("unseen", 2, True)]


def test_what_is_deleted_for_good_at_the_same_moment_is_not_created_again(programs: list[Program]) -> None:
    """The request that comes again sees the note that is about to go, and inserts none in its place."""
    programs[0].post("/notes", {"title": "once"}, Idempotency_Key="k")
    with db.engine.connect() as deleting:
        deleting.execute(text("DELETE FROM notes"))
        with ThreadPoolExecutor(1) as threads, db.engine.connect() as watching:
            again = threads.submit(programs[1].post, "/notes", {"title": "once"}, Idempotency_Key="k")
            pid = deleting.scalar(text("SELECT pg_backend_pid()"))
            wait_until(lambda: again.done() or watching.scalar(WAITS, {"pid": pid}), "it is answered, or waits")
            deleting.commit()
            assert again.result().status_code == 201
    assert db.session.scalar(select(func.count()).select_from(Note)) == 0


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/notes", {"title": "once"}, "notes"),
        ("/todos", {"description": "once"}, "todos"),
        ("/wordcounts", {"url": "https://example.com/"}, "results"),
    ],
)
def test_what_is_deleted_for_good_before_it_is_read_is_410(
    programs: list[Program], path: str, body: object, table: str
) -> None:
    """Found by its key, and gone when its columns are asked for."""
    programs[0].post(path, body, Idempotency_Key="k")
    last_column = {"notes": "notes.deleted_at", "todos": "todos.completed_at", "results": "results.finished_at"}[table]

    def delete_first(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("SELECT") and last_column in statement:
            with db.engine.begin() as other:
                other.execute(text(f"DELETE FROM {table}"))

    event.listen(db.engine, "before_cursor_execute", delete_first)
    try:
        again = programs[1].post(path, body, Idempotency_Key="k")
    finally:
        event.remove(db.engine, "before_cursor_execute", delete_first)
    assert again.status_code == 410
    assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
