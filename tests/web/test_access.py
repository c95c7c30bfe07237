"""By default endpoints refuse strangers, POSTs without a CSRF token (ASVS 5.0 V3.5.1, V8.2.1), and too many (429)."""

import uuid
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask

from app.accounts.models import User
from app.limits import rate_limits
from app.limits.rate_limits import Limit
from app.web.access import local_path
from tests.accounts.conftest import use_up
from tests.conftest import browser_of
from tests.database import row_counts, same_row_counts
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


def test_every_post_refuses_a_missing_csrf_token_and_that_of_another_browser(
    app: Flask, alice: User, bob: User
) -> None:
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
