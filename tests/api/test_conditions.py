"""Conditional requests (RFC 9110, section 13): If-Match is heeded or refused, never ignored; If-None-Match is 304."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app.accounts import service as accounts
from app.accounts.models import User
from app.api.document import OPERATIONS
from app.extensions import db
from app.schemas import IfMatch
from tests.accounts.conftest import AT_ONCE
from tests.api.conftest import Program, program_of
from tests.api.test_queries import operations
from tests.conftest import PASSWORD
from tests.database import same_row_counts

NEW: dict[str, Any] = {"notes": {"title": "a title"}, "todos": {"description": "a todo"}}
# Operations that read If-Match: the list, the call that prepares a new row, then the method, the path and the body.
READ_BY: list[tuple[str, str, str, str, Any]] = [
    *(("notes", "", "PATCH", "{}", {"title": "x"}), ("notes", "", "DELETE", "{}", None)),
    *(("notes", "", method, f"{{}}/{where}", None) for where in ("pin", "archive") for method in ("PUT", "DELETE")),
    *(("notes", "DELETE", "POST", "{}/restore", None), ("notes", "DELETE", "DELETE", "trash/{}", None)),
    *(("todos", "", "PATCH", "{}", {"completed": True}), ("todos", "", "PATCH", "{}", {"due_on": None})),
    *(("todos", "", "DELETE", "{}", None), ("todos", "", "POST", "{}/move", {"direction": "up"})),
    ("todos", "DELETE", "POST", "{}/restore", None),
]
WRONG = ('"99"', '"99-gzip"', '"-gzip"', 'W/"99"', '"98", "99"', "", "x", '"1', '"*"', "99")


def new_row(program: Program, kind: str, first: str) -> Any:
    row_id = program.post(f"/{kind}", NEW[kind]).json["id"]
    if first:
        program.ask(first, f"/{kind}/{row_id}")
    return row_of(program, kind, row_id)


def row_of(program: Program, kind: str, row_id: int) -> Any:
    """Return it as the list of changes has it, also where it is deleted."""
    [row] = [each for each in program.get(f"/{kind}/changes").json[kind] if each["id"] == row_id]
    return row


@pytest.mark.parametrize(("kind", "first", "method", "path", "body"), READ_BY)
def test_a_change_of_another_version_is_412_with_the_row_as_it_is_and_changes_nothing(
    app: Flask, bob: User, program: Program, kind: str, first: str, method: str, path: str, body: Any
) -> None:
    row = new_row(program, kind, first)
    for if_match in WRONG:
        refused = program.ask(method, f"/{kind}/{path.format(row['id'])}", body, If_Match=if_match)
        assert (refused.status_code, refused.json["current"]) == (412, row), if_match
        assert refused.headers["ETag"] == f'"{row["version"]}"'
    stranger, version = program_of(app, bob), f'"{row["version"]}"'
    assert stranger.ask(method, f"/{kind}/{path.format(row['id'])}", body, If_Match=version).status_code == 404
    assert row_of(program, kind, row["id"]) == row
    for if_match in ('"{}"', 'W/"{}"', '"99", W/"{}"', '"{}-gzip"', 'W/"{}--br"', "*"):
        row = new_row(program, kind, first)
        sent = if_match.format(row["version"])
        answer = program.ask(method, f"/{kind}/{path.format(row['id'])}", body, If_Match=sent)
        assert answer.status_code < 300, if_match


def test_an_operation_that_does_not_read_if_match_refuses_it_and_does_nothing(app: Flask, program: Program) -> None:
    reading = {name for name, each in OPERATIONS.items() if each.view.__annotations__.get("headers") is IfMatch}
    refused = 0
    for method, path, *_rest in operations(app):
        with app.test_request_context(f"/api/v1{path}", method=method) as context:
            if context.request.endpoint in reading:
                continue
        with same_row_counts():
            answer = program.ask(method, path, None, If_Match='"1"')
        assert (answer.status_code, "If-Match" in answer.json["detail"]) == (412, True), (method, path)
        assert "current" not in answer.json
        refused += 1
    assert (refused > 10, len(reading) >= 10) == (True, True)
    assert program.post("/todos", NEW["todos"], If_Match="*").status_code == 201


@pytest.mark.parametrize("kind", NEW)
def test_what_the_program_has_already_is_304_without_a_body(program: Program, kind: str) -> None:
    made = program.post(f"/{kind}", NEW[kind])
    path, etag = f"/{kind}/{made.json['id']}", made.headers["ETag"]
    assert etag == f'"{made.json["version"]}"'
    for seen in (etag, f"W/{etag}", f'"99", {etag}', f'{etag[:-1]};gzip"', "*"):
        answer = program.get(path, If_None_Match=seen)
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag), seen
    for other in ('"99"', 'W/"99"', "", "x", etag.strip('"') + "9"):
        assert program.get(path, If_None_Match=other).json == made.json, other


def test_of_changes_at_once_from_one_version_one_is_made(migrated: Flask) -> None:
    alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    program = program_of(migrated, alice)
    for kind, field in (("notes", "title"), ("todos", "description")):
        made = program.post(f"/{kind}", NEW[kind])
        db.session.rollback()

        def change(number: int, made: Any = made, kind: str = kind, field: str = field) -> int:
            mine = Program(migrated, program.token)
            path = f"/{kind}/{made.json['id']}"
            return int(mine.patch(path, {field: f"{number}"}, If_Match=made.headers["ETag"]).status_code)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert Counter(pool.map(change, range(AT_ONCE))) == {200: 1, 412: AT_ONCE - 1}
