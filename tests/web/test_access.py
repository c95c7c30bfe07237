"""Closed by default: endpoints refuse a stranger, and a POST without a CSRF token (ASVS 5.0 V3.5.1, V8.2.1)."""

import uuid
from collections.abc import Iterator

import pytest
from flask import Flask

from app.accounts.models import User
from app.web.access import local_path
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor

# What a stranger may ask for. A new endpoint that is not named here has to refuse.
PUBLIC = {
    "accounts.landing",
    "accounts.sign_in",
    "accounts.sign_in_again",
    "accounts.sign_up",
    "health.healthz",
    "health.readyz",
    "manifest.manifest",
    "preferences.choose",
}
# It obeys no form: it shows the sign-in page, and the token it is sent is the one of a session that was lost.
WITHOUT_TOKEN = {"accounts.sign_in_again"}


def endpoints(app: Flask, method: str) -> Iterator[tuple[str, str]]:
    """(endpoint, path) of every rule with this method, ids filled in."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()):
            values = {name: uuid.UUID(int=1) if name == "public_id" else 1 for name in rule.arguments}
            yield rule.endpoint, app.url_map.bind("localhost").build(rule.endpoint, values, method)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_endpoint_but_the_public_ones_refuses_a_stranger(app: Flask, client: Visitor, method: str) -> None:
    before = row_counts()
    closed = [(name, path) for name, path in endpoints(app, method) if name not in PUBLIC]
    assert closed
    for name, path in closed:
        data = {"csrf_token": client.csrf_token()} if method == "POST" else None
        answer = client.open(path, method=method, data=data)
        assert answer.status_code == 302, name
        assert answer.location.startswith("/sign-in"), name
    assert row_counts() == before


def test_every_public_endpoint_answers_a_stranger(app: Flask, client: Visitor) -> None:
    for name, path in endpoints(app, "GET"):
        if name in PUBLIC:
            assert client.get(path).status_code == 200, name


def test_every_post_refuses_a_missing_csrf_token(app: Flask, alice: User) -> None:
    posts = list(endpoints(app, "POST"))
    assert posts
    browser = browser_of(app, alice)
    before = row_counts()
    for name, path in posts:
        assert browser.post(path).status_code == (302 if name in WITHOUT_TOKEN else 400), name
    assert row_counts() == before


def test_every_post_refuses_the_token_of_another_browser(app: Flask, alice: User, bob: User) -> None:
    foreign_token = browser_of(app, bob).csrf_token()
    browser = browser_of(app, alice)
    for name, path in endpoints(app, "POST"):
        answer = browser.post(path, data={"csrf_token": foreign_token})
        assert answer.status_code == (302 if name in WITHOUT_TOKEN else 400), name


def test_a_stranger_comes_back_to_the_page_asked_for(client: Visitor, alice: User) -> None:
    asked = client.get("/notes?before=0-5")
    assert asked.location == "/sign-in?next=/notes?before%3D0-5"
    answer = client.post(
        asked.location,
        data={"csrf_token": client.csrf_token(), "email": "alice@example.com", "password": "a long enough sentence"},
    )
    assert answer.location == "/notes?before=0-5"


def test_a_part_of_a_page_is_not_replaced_by_the_sign_in_page(client: Visitor) -> None:
    answer = client.get("/notes?before=0-5", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/notes?before%3D0-5"
    assert answer.text == ""


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)", "%2f%2fevil", "notes", "", None,
     "/notes\r\nSet-Cookie: a=b", "/\t/evil.example", "\\/evil.example", "http://evil.example/notes"],
)  # fmt: skip
def test_next_takes_local_paths_only(target: str | None) -> None:
    assert local_path(target, default="/notes") == "/notes"


@pytest.mark.parametrize("target", ["/", "/mypage", "/notes?before=1-2", "/notes/1#end"])
def test_next_takes_a_local_path(target: str) -> None:
    assert local_path(target, default="/other") == target
