"""Answer 404 at every URL that names another account's row, list it nowhere, and leave it as it was."""

import io
import uuid
from datetime import date
from itertools import product
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.accounts import access_tokens
from app.accounts.models import AccessToken, User, UserSession
from app.extensions import Base, db
from app.limits import rate_limits
from app.notes import service as notes
from app.notes.sharing import share_note
from app.notes.texts import tick_of
from app.passkeys.models import Passkey
from app.todos import service as todos
from tests.api.program import program_of
from tests.conftest import CLIENT, browser_of
from tests.database import made_up_id
from tests.samples import samples

SECRET = "hers alone #hers"
# The variables of paths that the fixture has a row for, or that name none.
KNOWN = {"note_id", "todo_id", "moment", "public_id", "session_id", "token_id", "passkey_id", "token", "filename"}
UNKNOWN: dict[str, Any] = {"public_id": uuid.UUID(int=1)}  # of what has no number in its path
# The fields of every form: as its buttons send them, the other way round, and as no page does.
FORMS = [
    {"title": "his", "content": "his", "version": "1", "pinned": "1", "shared": "1", "description": "his",
     "task": str(tick_of(["- [ ] a"], 0)), "completed": "1", "direction": "up", "name": "his"},
    {"title": "his", "content": "", "version": "1", "pinned": "0", "shared": "0", "description": "", "completed": "0",
     "direction": "down", "name": "his"},
    {"title": "x" * 51, "version": "x", "pinned": "1", "shared": "1", "description": "x" * 201, "completed": "maybe",
     "direction": "up", "name": "x" * 999},
]  # fmt: skip
BODIES: dict[str, list[object]] = {
    "api.change_note": [{"title": "his"}],
    "api.change_todo": [{"description": "his"}, {"completed": True}],
    "api.move_todo": [{"direction": "up"}, {"onto": 1}],
}


@pytest.fixture
def ids(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Return the ids of what Alice has, in every state, by the name of the argument of a URL."""
    monkeypatch.setattr(rate_limits, "WRITES", rate_limits.WRITES._replace(capacity=10_000))
    listed, archived, deleted = (notes.create_note(alice.id, SECRET, f"- [ ] a {SECRET}") for _ in range(3))
    notes.archive_note(alice.id, archived, archived=True)
    share_note(alice.id, listed)
    share_note(alice.id, deleted)
    notes.delete_note(alice.id, deleted)
    first, other, done = (todos.create_todo(alice.id, SECRET, date(2026, 1, 1)) for _ in range(3))
    todos.change_todo(alice.id, done, completed=True)
    moment, _count = todos.clear_completed(alice.id)
    db.session.add(Passkey(user_id=alice.id, credential_id=b"1", public_key=b"1", user_handle=b"1", sign_count=0,
                           name=SECRET, transports=[], backed_up=False))  # fmt: skip
    with app.test_request_context():
        access_tokens.make_token(alice.id, SECRET, ["read"], None, CLIENT)
    browser_of(app, alice)
    tables: dict[str, Any] = {"session_id": UserSession, "token_id": AccessToken, "passkey_id": Passkey}
    rows = {name: [*db.session.scalars(select(table.id).filter_by(user_id=alice.id))] for name, table in tables.items()}
    for rule in app.url_map.iter_rules():
        for name in rule.arguments - KNOWN:
            rows[name] = [made_up_id(name, alice.id)]
    of_features = [id_ for each in samples() for id_ in each.own(alice).values()]
    for each in samples():
        db.session.execute(text(f"UPDATE {each.table} SET title = :secret"), {"secret": SECRET})
    return {"note_id": [listed, archived, deleted], "todo_id": [first, other, done], "moment": [moment],
            "public_id": of_features, **rows}  # fmt: skip


def rows_of(user: User) -> dict[str, list[Any]]:
    db.session.expire_all()
    tables = [table for table in Base.metadata.sorted_tables if "user_id" in table.c]
    return {
        table.name: sorted(map(str, db.session.execute(select(table).where(table.c.user_id == user.id))))
        for table in tables
    }


def paths(app: Flask, ids: dict[str, list[Any]], *, of_api: bool) -> list[tuple[str, str, str]]:
    """Return endpoint, method and path of every rule that takes ids, with each of these and with unknown ones."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.arguments - {"token", "filename"} or rule.endpoint.startswith("api.") != of_api:
            continue  # a token opens what it opens for everybody
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        for values in product(*([*ids[name], UNKNOWN.get(name, 9_000_000_000)] for name in rule.arguments)):
            path = app.url_map.bind("localhost").build(rule.endpoint, dict(zip(rule.arguments, values, strict=True)))
            found += [(rule.endpoint, method, path) for method in methods]
    return found


def test_every_page_of_it_is_404(app: Flask, alice: User, bob: User, ids: dict[str, list[Any]]) -> None:
    browser = browser_of(app, bob)
    before = rows_of(alice)
    tried = paths(app, ids, of_api=False)
    assert len(tried) > 70
    for _endpoint, method, path in tried:
        answers = [browser.get(path)] if method == "GET" else [browser.submit(path, **fields) for fields in FORMS]
        assert [answer.status_code for answer in answers] == [404] * len(answers), (method, path)
        assert not [answer for answer in answers if SECRET in answer.text], path
    assert rows_of(alice) == before


def share_all() -> None:
    for each in samples():
        db.session.execute(text(each.share_all))
    db.session.commit()


def test_every_operation_on_it_is_404(app: Flask, alice: User, bob: User, ids: dict[str, list[Any]]) -> None:
    share_all()  # whose pages are read by others
    program = program_of(app, bob, "read", "write")
    before = rows_of(alice)
    tried = paths(app, ids, of_api=True)
    assert len(tried) > 40
    for endpoint, method, path in tried:
        for body in BODIES.get(endpoint, [None]):
            answer = program.ask(method, path.removeprefix("/api/v1"), body, If_Match='"1"')
            assert answer.status_code == 404, (method, path)
    assert rows_of(alice) == before


def test_no_list_and_no_export_has_it(app: Flask, bob: User, ids: dict[str, list[Any]]) -> None:
    share_all()
    browser, program = browser_of(app, bob), program_of(app, bob, "read", "write")
    lists = {rule.rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in (rule.methods or ())}
    assert {"/notes", "/notes/trash", "/todos", "/api/v1/notes"} <= lists
    views = [
        *(f"/notes?{name}=hers" for name in ("q", "tag")),
        *(f"/todos?{view}" for view in ("sort=due", "show=today", f"edit={ids['todo_id'][0]}")),
    ]
    for path in [*lists, *views]:
        answer: Any = program.get(path[7:]) if path.startswith("/api/v1/") else browser.get(path)
        is_zip = answer.data.startswith(b"PK")
        shown = ZipFile(io.BytesIO(answer.data)).read("semicircle.json") if is_zip else answer.data
        assert SECRET.encode() not in shown, path
