"""A token opens the API, as far as its scopes and limits go, and nothing else does."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import access_tokens, changes
from app.accounts.access_tokens import new_token
from app.accounts.models import AccessToken, User
from app.extensions import db
from app.limits import rate_limits
from tests.api.conftest import Program, program_of
from tests.api.test_queries import operations
from tests.conftest import CLIENT, PASSWORD
from tests.database import right_before, row_counts, same_row_counts
from tests.visitor import Visitor

AUTHORIZATIONS = [
    "", "Bearer", "Bearer ", "Bearer sc_", "Bearer " + "x" * 60, "Bearer {fresh}", "Basic YWxpY2U6eA==",
    "Token {token}", "Bearer {token}x", "Bearer {swapped}", "Bearer ☃",
]  # fmt: skip


def test_without_a_token_of_ours_everything_is_401_and_nothing_changes(app: Flask, program: Program) -> None:
    before = row_counts()
    token = str(program.token)
    given = {"token": token, "fresh": new_token(app.config["SECRET_KEY"]), "swapped": token.swapcase()}
    for authorization in AUTHORIZATIONS:
        sent = authorization.format_map(given).encode().decode("latin-1")
        for method, path, *_ in operations(app) if authorization in ("", "Bearer {fresh}") else [("POST", "/notes")]:
            answer = program.ask(method, path, {} if method in ("POST", "PATCH") else None, Authorization=sent)
            assert answer.status_code == 401, (authorization, method, path)
            assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="Semicircle"')
    assert row_counts() == before


def test_a_cookie_opens_nothing_here_and_a_token_opens_no_page(app: Flask, signed_in: Visitor, alice: User) -> None:
    program = program_of(app, alice)
    signed_in.get("/notes")  # it is signed in
    for method, path, *_ in operations(app):
        assert signed_in.open(f"/api/v1{path}", method=method).status_code == 401, path
    for page in ("/notes", "/mypage/export"):
        answer = app.test_client().get(page, headers={"Authorization": f"Bearer {program.token}"})
        assert answer.location.startswith("/sign-in"), page


def test_a_token_does_what_its_scopes_say_and_nothing_else(app: Flask, alice: User) -> None:
    scopes = ("export:read", "profile:write")
    program, reader = program_of(app, alice, *scopes), program_of(app, alice, "read")
    for method, path, *_ in operations(app):
        with app.test_request_context(f"/api/v1{path}", method=method) as context:
            needed = getattr(app.view_functions[str(context.request.endpoint)], "scope")  # noqa: B009
        assert (reader.ask(method, path).status_code == 403) == (not needed.endswith(":read")), (method, path)
        answer = program.ask(method, path)
        assert (answer.status_code == 403) == (needed not in scopes), (method, path)
        if needed in scopes:
            continue
        assert needed in answer.json["detail"]
        assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]


def test_an_expired_token_and_one_that_was_ended_are_worth_nothing(app: Flask, alice: User) -> None:
    first, second = program_of(app, alice), program_of(app, alice)
    assert (first.get("/profile").status_code, second.get("/profile").status_code) == (200, 200)
    [one, two] = db.session.scalars(select(AccessToken.id).order_by("id"))
    db.session.execute(update(AccessToken).where(AccessToken.id == one).values(expires_at=func.now()))
    with app.test_request_context():
        access_tokens.end_token(alice.id, two, CLIENT)
    assert (first.get("/profile").status_code, second.get("/profile").status_code) == (401, 401)


def test_a_new_password_and_a_deleted_account_end_every_token(app: Flask, alice: User, bob: User) -> None:
    hers, his = program_of(app, alice), program_of(app, bob)
    with app.test_request_context():
        changes.change_password(alice.id, PASSWORD, "quite another sentence", "en", CLIENT)
    assert hers.get("/profile").status_code == 401
    assert his.get("/profile").status_code == 200
    db.session.delete(bob)
    db.session.commit()
    assert his.get("/profile").status_code == 401


def test_a_program_whose_account_is_deleted_while_it_writes_is_401_and_stores_nothing(program: Program) -> None:
    before = row_counts()
    with right_before("INSERT INTO todos", "DELETE FROM users"):
        answer = program.post("/todos", {"description": "late"})
    assert (answer.status_code, row_counts()) == (401, before)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Semicircle", error="invalid_token"'


def test_the_last_use_is_noted_once_an_hour(app: Flask, program: Program, alice: User, statements: list[str]) -> None:
    program_of(app, alice)  # another one, which is not used
    program.get("/profile")
    assert len([sent for sent in statements if sent.startswith("UPDATE access_tokens")]) == 1
    assert db.session.scalar(select(func.count(AccessToken.last_used_at))) == 1
    program.get("/profile")
    assert len([sent for sent in statements if sent.startswith("UPDATE access_tokens")]) == 1
    db.session.execute(update(AccessToken).values(last_used_at=func.now() - timedelta(hours=1, seconds=1)))
    program.get("/profile")
    assert len([sent for sent in statements if "SET last_used_at=now()" in sent]) == 2


def test_what_is_written_counts_in_the_bucket_of_the_pages(program: Program, alice: User, app: Flask) -> None:
    with app.test_request_context():
        for _ in range(rate_limits.WRITES.capacity - 1):
            rate_limits.take(rate_limits.WRITES, alice.id)
    answer = program.post("/todos", {"description": "the last one"})
    assert (answer.status_code, answer.headers["RateLimit-Policy"]) == (201, '"writes";q=120;w=60')
    assert answer.headers["RateLimit"].startswith('"writes";r=0;t=')
    with same_row_counts():
        refused = program.post("/todos", {"description": "one too many"})
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["RateLimit"].startswith('"writes";r=0;t=')
    assert program.get("/todos").headers["RateLimit"].startswith('"api-reads";r=599;t=')


def test_reading_has_a_limit_too(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = rate_limits.API_READS._replace(capacity=2, refill=rate_limits.HOUR)
    monkeypatch.setattr(rate_limits, "API_READS", limit)
    assert [program.get("/todos").headers["RateLimit"].split(";")[1] for _ in range(3)] == ["r=1", "r=0", "r=0"]
    assert program.get("/todos").status_code == 429


def test_a_path_that_is_none_is_a_problem_and_no_page(program: Program) -> None:
    for path in ("/", "/nothing", "/notes/0", "/notes/9223372036854775808", "/notes/x"):
        answer = program.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), path
        assert "openapi.json" in answer.json["detail"]


def test_what_is_not_json_is_refused(program: Program) -> None:
    with same_row_counts():
        for content_type in ("text/plain", "application/x-www-form-urlencoded"):
            assert program.ask("POST", "/notes", b"title=x", Content_Type=content_type).status_code == 415, content_type
        for broken in (b"", b"{", b"[1]", b'"\\ud800"', b"\xff", b"null", b'{"a": NaN}'):
            answer = program.ask("POST", "/notes", broken, Content_Type="application/json")
            assert answer.status_code in (400, 422), broken


def test_a_problem_is_in_the_language_of_the_account_or_of_the_program(app: Flask, program: Program) -> None:
    program.language = "ko"
    assert not Program(app, None, "ko").get("/notes").json["detail"].isascii()
    answer = program.post("/todos", {"description": "", "colour": "red"})
    assert not answer.json["title"].isascii()
    assert not answer.json["errors"][0]["detail"].isascii()
    program.patch("/profile", {"language": "en"})
    assert program.post("/todos", {"colour": "red"}).json["title"].isascii()
