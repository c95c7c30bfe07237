"""Every response has the security headers, whatever its status (ASVS 5.0 V3.4; Mozilla Observatory)."""

import re

from flask import Flask
from werkzeug.test import TestResponse

from app.accounts.models import User
from tests.visitor import Visitor
from tests.wordcounts.results import done, waiting

ANSWERS = [
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("GET", "/notes"),
    ("GET", "/nothing"),
    ("DELETE", "/"),
    ("POST", "/sign-in"),
    ("GET", "/healthz"),
]


def directives(answer: TestResponse) -> dict[str, list[str]]:
    policy = answer.headers["Content-Security-Policy"]
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


def test_every_response_has_the_security_headers(app: Flask, client: Visitor) -> None:
    """The CSP allows nothing inline, and no other origin except photos."""
    for method, path in ANSWERS:
        answer = client.open(path, method=method)
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert "camera=()" in headers["Permissions-Policy"], path
        assert headers["Cache-Control"] == "no-store", path
        assert headers["X-Request-ID"], path
        policy = directives(answer)
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"], path
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"], path
        assert policy["manifest-src"] == policy["form-action"] == ["'self'"], path
        [own, photos] = policy["img-src"]
        assert own == "'self'", path
        assert app.config["S3_PUBLIC_URL"].startswith(f"{photos}/"), path


def test_pages_contain_nothing_that_the_csp_blocks(signed_in: Visitor, alice: User) -> None:
    pages = ("/", "/sign-in", "/sign-up", "/notes", "/notes/trash", "/todos", "/wordcounts", "/mypage", "/mypage/edit")
    for path in (*pages, *(f"/wordcounts/{make(alice)}" for make in (waiting, done))):
        page = signed_in.get(path).text
        assert not re.search(r"<script(?! src=\"/static/)|<style|\son\w+=|\sstyle=|javascript:", page), path


def test_the_session_cookie_is_httponly_and_samesite_lax(client: Visitor) -> None:
    cookie = client.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_static_file_with_its_hash_is_immutable_and_has_the_security_headers(client: Visitor) -> None:
    [url] = re.findall(r'href="(/static/css/base\.[0-9a-f]{8}\.css)"', client.get("/").text)
    with client.get(url) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_static_file_without_its_hash_is_404(client: Visitor) -> None:
    assert client.get("/static/css/base.css").status_code == 404
