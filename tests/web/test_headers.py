"""Every response has the security headers, whatever its status (ASVS 5.0 V3.4; Mozilla Observatory)."""

import re

from flask import Flask
from werkzeug.test import TestResponse

from app.accounts.models import User
from tests.visitor import Visitor
from tests.wordcounts.results import done, waiting

ANSWERS = [("GET", "/"), ("GET", "/notes"), ("GET", "/nothing"), ("POST", "/sign-in"), ("GET", "/healthz")]


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def directives(answer: TestResponse) -> dict[str, list[str]]:
    policy = answer.headers["Content-Security-Policy"]
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


def test_every_response_has_the_security_headers(app: Flask, client: Visitor) -> None:
    """The CSP allows nothing inline, and no other origin except photos."""
    for method, path in ANSWERS:
        answer = client.open(path, method=method)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert answer.headers["X-Request-ID"], path
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


def test_a_static_file_is_immutable_by_its_hash_and_has_the_security_headers(client: Visitor) -> None:
    [url] = re.findall(r'href="(/static/css/base\.[0-9a-f]{8}\.css)"', client.get("/").text)
    with client.get(url) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.get("/static/css/base.css").status_code == 404
