"""Request bodies have a size limit (413)."""

from io import BytesIO

from flask import Flask
from werkzeug.datastructures import MultiDict

from app.web.request_size import MOST_FIELDS, TEXT_BODY_LIMIT
from tests.database import row_counts, same_row_counts
from tests.visitor import Visitor


def test_a_text_form_over_64_kib_is_413_and_stores_nothing_and_the_longest_note_fits(signed_in: Visitor) -> None:
    with same_row_counts():
        assert signed_in.submit("/notes", title="x", content="x" * 70_000).status_code == 413
    assert signed_in.submit("/notes", title="😀" * 50, content="😀" * 2000).status_code == 302


URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


def test_a_short_form_of_too_many_fields_is_413_and_stores_nothing(signed_in: Visitor) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    data = MultiDict([("csrf_token", token), ("title", "x"), *[("x", "")] * MOST_FIELDS])
    for content_type in (URLENCODED, MULTIPART):
        assert signed_in.post("/notes", data=data, content_type=content_type).status_code == 413, content_type
    assert row_counts() == before


def test_an_upload_is_no_form_of_long_texts(signed_in: Visitor) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    many = dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "x" * 9_000)
    for content_type, fields, status in ((URLENCODED, {"x": "x" * 70_000}, 415), (MULTIPART, many, 413)):
        data = {"csrf_token": token, **fields}
        assert signed_in.post("/mypage/import", data=data, content_type=content_type).status_code == status
    assert row_counts() == before


def test_a_file_in_a_text_field_is_422_and_stores_nothing(signed_in: Visitor, app: Flask) -> None:
    with same_row_counts():
        for path, field in (("/notes", "content"), ("/todos", "description"), ("/mypage/nickname", "nickname")):
            assert signed_in.submit(path, **{"title": "x", field: (BytesIO(b"x"), "f.txt")}).status_code == 422, path
        assert Visitor(app).submit("/sign-in", email=(BytesIO(b"x"), "f.txt")).status_code == 422


def limit_by_head(app: Flask, method: str, path: str, cookie: str = "") -> int:
    """Ask as the server does before it waits for a body."""
    limit: int = app.extensions["body_limit"]({"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_COOKIE": cookie})
    return limit


def cookie_of(browser: Visitor) -> str:
    cookie = browser.get_cookie("semicircle")
    assert cookie
    return f"{cookie.key}={cookie.value}"


SHORT = [
    ("POST", "/notes"), ("POST", "/mypage/export"), ("POST", "/mypage/import/"), ("POST", "/MYPAGE/IMPORT"),
    ("POST", "/\xff"), ("POST", ""), ("GET", "/mypage/import"), ("BREW", "/mypage/import"),
]  # fmt: skip


def test_who_is_signed_in_may_upload_as_much_as_the_view_takes(app: Flask, signed_in: Visitor) -> None:
    cookie = cookie_of(signed_in)
    assert limit_by_head(app, "POST", "/mypage/photo", cookie) == 6 * 2**20
    assert limit_by_head(app, "POST", "/mypage/import", cookie) == 129 * 2**20
    for method, path in SHORT:
        assert limit_by_head(app, method, path, cookie) == TEXT_BODY_LIMIT, (method, path)


def test_a_stranger_may_not_upload_whatever_the_cookie_says(app: Flask, client: Visitor) -> None:
    client.csrf_token()  # a session that we signed, of nobody
    ours = cookie_of(client)
    for cookie in ("", "semicircle", "semicircle=", "semicircle=e30.x.y", ours, ours[:-2], "\xff=;;"):
        assert limit_by_head(app, "POST", "/mypage/import", cookie) == TEXT_BODY_LIMIT, cookie


def test_a_strangers_upload_is_sent_to_sign_in_and_stores_nothing(client: Visitor) -> None:
    with same_row_counts():
        answer = client.submit("/mypage/import", archive=(BytesIO(bytes(70_000)), "semicircle.zip"))
        assert answer.location == "/sign-in"
