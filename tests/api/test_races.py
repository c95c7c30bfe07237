"""Two requests at the same moment, on connections of their own: If-Match and Idempotency-Key hold all the same."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from app.accounts import service as accounts
from app.extensions import db
from app.notes.models import Note
from tests.api.program import Program, program_of
from tests.conftest import PASSWORD
from tests.samples import samples
from tests.waiting import somebody_waits, wait_until


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
        (EDIT, "DELETE", "*", 204, ("unseen", 2, True)),
        ("UPDATE notes SET deleted_at = now()", "PATCH", '"1"', 412, ("seen", 1, True)),
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

    def delete_first(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("SELECT") and f"FROM {table}" in statement and "idempotency_key" not in statement:
            with db.engine.begin() as other:
                other.execute(text(f"DELETE FROM {table}"))

    event.listen(db.engine, "before_cursor_execute", delete_first)
    try:
        again = programs[1].post(path, body, Idempotency_Key="k")
    finally:
        event.remove(db.engine, "before_cursor_execute", delete_first)
    assert again.status_code == 410
    assert db.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
