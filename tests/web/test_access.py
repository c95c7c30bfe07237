"""By default endpoints refuse strangers, POSTs without a CSRF token (ASVS 5.0 V3.5.1, V8.2.1), and too many (429).

Every URL that names another account's row is 404; it is listed nowhere, and left as it was.
"""

import io
import uuid
from collections.abc import Iterator
from datetime import date
from io import BytesIO
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
from app.limits.rate_limits import Limit
from app.notes import service as notes
from app.notes.sharing import share_note
from app.notes.texts import tick_of
from app.passkeys.models import Passkey
from app.todos import service as todos
from app.web.access import local_path
from tests.accounts.conftest import use_up
from tests.api.conftest import program_of
from tests.conftest import CLIENT, browser_of
from tests.database import made_up_id, row_counts, same_row_counts
from tests.samples import samples
from tests.visitor import Visitor

# The endpoints open to anonymous visitors. Every other endpoint, also a new one, must refuse them.
PUBLIC = {
    *(f"accounts.{view}" for view in ("landing", "sign_in", "sign_in_again", "sign_up")),
    *(f"mailed_links.{view}" for view in ("forgot_password", "new_password", "sign_up")),
    *(f"mailed_links.{view}" for view in ("change_email", "change_email_now", "confirm_email", "confirm_email_now")),
    *("health.healthz", "health.readyz", "manifest.manifest", "offline.offline"),
    *(f"passkey_sign_in.{view}" for view in ("sign_in", "sign_in_options", "ask_second_step", "second_step_options")),
    *("passkey_sign_in.take_second_step", "passkey_sign_in.take_second_step_with_code"),
    *("preferences.choose", "shared_notes.show"),
}
# No mail is sent in these tests, and no such token was ever drawn.
NOT_OK = {"mailed_links.forgot_password": 404} | {
    f"mailed_links.{name}": 410 for name in ("change_email", "confirm_email", "new_password", "sign_up")
}
NOT_OK["shared_notes.show"] = 404  # nobody shares by this token
NOT_OK["passkey_sign_in.ask_second_step"] = 302  # nobody has typed a password
# It changes nothing: it shows the sign-in page. The CSRF token that it gets belongs to a lost session.
WITHOUT_TOKEN = {"accounts.sign_in_again"}


IDS = {"public_id": uuid.UUID(int=1), "token": "x" * 22}  # of what has no number in its path


def endpoints(app: Flask, method: str) -> Iterator[tuple[str, str]]:
    """Yield (endpoint, path) of every URL rule of a page with this method, but not of the API, with ids filled in."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.endpoint.startswith("api."):
            values = {name: IDS.get(name, 1) for name in rule.arguments}
            yield rule.endpoint, app.url_map.bind("localhost").build(rule.endpoint, values, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_private_endpoint_sends_an_anonymous_visitor_to_sign_in(app: Flask, client: Visitor, method: str) -> None:
    with same_row_counts():
        closed = [(name, path) for name, path in endpoints(app, method) if name not in PUBLIC]
        assert closed
        for name, path in closed:
            data = {"csrf_token": client.csrf_token()} if method == "POST" else None
            answer = client.open(path, method=method, data=data)
            assert answer.status_code == 302, name
            assert answer.location.startswith("/sign-in"), name


def test_every_public_endpoint_answers_an_anonymous_visitor(app: Flask, client: Visitor) -> None:
    for name, path in endpoints(app, "GET"):
        if name in PUBLIC:
            assert client.get(path).status_code == NOT_OK.get(name, 200), name


def test_every_post_refuses_no_csrf_token_and_that_of_another_browser(app: Flask, alice: User, bob: User) -> None:
    posts = list(endpoints(app, "POST"))
    assert posts
    browser, foreign = browser_of(app, alice), {"csrf_token": browser_of(app, bob).csrf_token()}
    with same_row_counts():
        for name, path in posts:
            statuses = [browser.post(path, data=data).status_code for data in (None, foreign)]
            assert statuses == ([302] * 2 if name in WITHOUT_TOKEN else [400] * 2), name


def test_sign_in_returns_to_the_requested_page(client: Visitor, alice: User) -> None:
    asked = client.get("/notes?before=0-5")
    assert asked.location == "/sign-in?next=/notes?before%3D0-5"
    answer = client.post(
        asked.location,
        data={"csrf_token": client.csrf_token(), "email": "alice@example.com", "password": "a long enough sentence"},
    )
    assert answer.location == "/notes?before=0-5"


NOT_LOCAL = [
    "//evil.example", "/\\evil.example", "https:evil.example", "http://evil.example/notes", "javascript:alert(1)",
    "%2f%2fevil", "notes", "", None, "/notes\r\nSet-Cookie: a=b", "/\t/evil.example", "\\/evil.example",
]  # fmt: skip


def test_next_takes_local_paths_alone() -> None:
    for target in NOT_LOCAL:
        assert local_path(target, default="/default") == "/default", target
    for target in ("/", "/mypage", "/notes?before=1-2", "/notes/1#end"):
        assert local_path(target, default="/default") == target


HERE = {"Origin": "http://localhost"}


def test_every_state_change_of_a_person_is_limited(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    token = signed_in.csrf_token()
    bobs = browser_of(app, bob)
    bobs_token = bobs.csrf_token()
    use_up(app, rate_limits.WRITES, alice.id)
    with same_row_counts():
        paths = [path for name, path in endpoints(app, "POST") if name not in PUBLIC]
        assert len(paths) > 20
        for path in paths:
            answer = signed_in.post(path, data={"csrf_token": token})
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1"), path
    assert signed_in.get("/notes").status_code == 200
    assert bobs.post("/todos", data={"csrf_token": bobs_token, "description": "bob's"}).status_code == 302


def test_a_forged_request_takes_no_token(app: Flask, signed_in: Visitor, alice: User) -> None:
    use_up(app, rate_limits.WRITES, alice.id, left=1)
    for _ in range(5):
        assert signed_in.post("/todos", data={"description": "forged"}).status_code == 400
    assert signed_in.submit("/todos", description="mine").status_code == 302


def test_typed_text_is_shown_with_a_button_that_sends_it_again_and_a_program_gets_problem_json(
    app: Flask, signed_in: Visitor, alice: User
) -> None:
    fields, token = {"title": "the title", "content": "a long text"}, {"csrf_token": signed_in.csrf_token()}
    use_up(app, rate_limits.WRITES, alice.id)
    before = row_counts()
    answer = signed_in.post("/notes", data=token | fields, headers=HERE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    shown = ["Try again in 1 second.", 'action="/notes"', *(f'name="{name}" value="{fields[name]}"' for name in fields)]
    assert [text for text in shown if text not in answer.text] == []
    assert "signed out" not in answer.text
    problem = signed_in.post("/todos", data=token, headers={"Accept": "application/json"})
    assert (problem.status_code, problem.headers["Retry-After"]) == (429, "1")
    assert problem.content_type == "application/problem+json"
    assert row_counts() == before


@pytest.mark.parametrize(
    ("limit", "path", "file", "seconds"),
    [
        (rate_limits.PHOTOS, "/mypage/photo", "photo", 180),
        (rate_limits.IMPORTS, "/mypage/import", "archive", 360),
        (rate_limits.EXPORTS, "/mypage/export", None, 360),
    ],
)
def test_what_is_costly_has_a_limit_of_its_own(
    app: Flask, signed_in: Visitor, alice: User, limit: Limit, path: str, file: str | None, seconds: int
) -> None:
    token = signed_in.csrf_token()
    for _ in range(0 if file else limit.capacity + 1):
        assert signed_in.head(path).status_code == 200  # asking for the headers is no export
    use_up(app, limit, alice.id)
    with same_row_counts():
        data = {"csrf_token": token, file: (BytesIO(b"x"), "a")} if file else None
        answer = signed_in.post(path, data=data) if file else signed_in.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, f"{seconds}")
        assert f"Try again in {seconds // 60} minutes." in answer.text


SECRET = "hers alone #hers"
# The variables of paths that the fixture has a row for, or that name none.
KNOWN = {
    "note_id",
    "version",
    "todo_id",
    "moment",
    "public_id",
    "session_id",
    "token_id",
    "passkey_id",
    "token",
    "filename",
}
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
    for note_id in (listed, archived, deleted):
        notes.update_note(alice.id, note_id, SECRET, f"- [ ] b {SECRET}", 1)
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
    return {"note_id": [listed, archived, deleted], "version": [1], "todo_id": [first, other, done], "moment": [moment],
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
            answer = program.ask(method, path.removeprefix("/api/v1"), body, If_Match="*")
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
