"""Endpoints refuse anonymous visitors, and POSTs without a CSRF token, by default (ASVS 5.0 V3.5.1, V8.2.1)."""

import uuid
from collections.abc import Iterator

import pytest
from flask import Flask

from app.accounts.models import User
from app.web.access import local_path
from tests.conftest import browser_of
from tests.database import row_counts
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
    """Yield (endpoint, path) of every URL rule of a page with this method, with ids filled in.

    Those of the API have other doors: tests/api/test_access.py.
    """
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not rule.endpoint.startswith("api."):
            values = {name: IDS.get(name, 1) for name in rule.arguments}
            yield rule.endpoint, app.url_map.bind("localhost").build(rule.endpoint, values, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_private_endpoint_sends_an_anonymous_visitor_to_sign_in(app: Flask, client: Visitor, method: str) -> None:
    before = row_counts()
    closed = [(name, path) for name, path in endpoints(app, method) if name not in PUBLIC]
    assert closed
    for name, path in closed:
        data = {"csrf_token": client.csrf_token()} if method == "POST" else None
        answer = client.open(path, method=method, data=data)
        assert answer.status_code == 302, name
        assert answer.location.startswith("/sign-in"), name
    assert row_counts() == before


def test_every_public_endpoint_answers_an_anonymous_visitor(app: Flask, client: Visitor) -> None:
    for name, path in endpoints(app, "GET"):
        if name in PUBLIC:
            expected = NOT_OK.get(name, 200)
            assert client.get(path).status_code == expected, name


def test_every_post_refuses_a_missing_csrf_token_and_that_of_another_browser(
    app: Flask, alice: User, bob: User
) -> None:
    posts = list(endpoints(app, "POST"))
    assert posts
    browser, foreign = browser_of(app, alice), {"csrf_token": browser_of(app, bob).csrf_token()}
    before = row_counts()
    for name, path in posts:
        statuses = [browser.post(path, data=data).status_code for data in (None, foreign)]
        assert statuses == ([302] * 2 if name in WITHOUT_TOKEN else [400] * 2), name
    assert row_counts() == before


def test_a_get_of_what_takes_posts_alone_is_405_and_changes_nothing(signed_in: Visitor, app: Flask) -> None:
    shown = {path for _, path in endpoints(app, "GET")}
    before = row_counts()
    answers = {path: signed_in.get(path).status_code for _, path in endpoints(app, "POST") if path not in shown}
    assert len(answers) > 40
    assert {path: status for path, status in answers.items() if status != 405} == {}
    assert row_counts() == before


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
