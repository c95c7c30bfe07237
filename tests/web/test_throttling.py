"""Rate limits of what a signed-in person does: 429 with Retry-After, and no typed text is lost."""

from io import BytesIO

import pytest
from flask import Flask

from app.accounts.models import User
from app.limits import rate_limits
from app.limits.rate_limits import Limit
from tests.accounts.conftest import use_up
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.web.test_access import PUBLIC, endpoints

HERE = {"Origin": "http://localhost"}


def test_every_state_change_of_a_person_is_limited(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    token = signed_in.csrf_token()
    bobs = browser_of(app, bob)
    bobs_token = bobs.csrf_token()
    use_up(app, rate_limits.WRITES, alice.id)
    before = row_counts()
    paths = [path for name, path in endpoints(app, "POST") if name not in PUBLIC]
    assert len(paths) > 20
    for path in paths:
        answer = signed_in.post(path, data={"csrf_token": token})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1"), path
    assert row_counts() == before
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
    for _ in range(rate_limits.EXPORTS.capacity + 1):
        assert signed_in.head("/mypage/export").status_code == 200  # asking for the headers is no export
    use_up(app, limit, alice.id)
    before = row_counts()
    data = {"csrf_token": token, file: (BytesIO(b"x"), "a")} if file else None
    answer = signed_in.post(path, data=data) if file else signed_in.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, f"{seconds}")
    assert f"Try again in {seconds // 60} minutes." in answer.text
    assert row_counts() == before
