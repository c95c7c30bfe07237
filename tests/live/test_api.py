"""The API over HTTP: whose long body the server takes, which it has to know before the application is asked."""

import io
import re

import urllib3
from PIL import Image

from app.accounts.access_tokens import new_token
from app.web.request_size import TEXT_BODY_LIMIT
from tests.live.browser import Browser
from tests.live.conftest import Service
from tests.live.test_server import statuses

NOTES = b"[%b]" % b",".join([b'{"content":"%b"}' % (b"x" * 1000)] * 100)


def photo() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((600, 600), 100).save(file, "PNG")
    return file.getvalue()


def token_of_somebody_new(live: Service, name: str) -> str:
    browser = live.browser()
    browser.sign_up(name, "a long enough sentence")
    page = browser.post("/mypage/tokens", name="backup", scopes="write", expiry="30").data.decode()
    [token] = re.findall("sc_[0-9A-Za-z]{49}", page)
    return str(token)


def send(live: Service, method: str, path: str, token: str, body: bytes, kind: str) -> urllib3.BaseHTTPResponse:
    program = Browser(live.url, Authorization=f"Bearer {token}", **{"Content-Type": kind})
    return program.request(method, f"/api/v1{path}", body=body)


def test_a_photo_and_a_batch_may_be_longer_than_other_bodies(live: Service) -> None:
    token = token_of_somebody_new(live, "long")
    assert min(len(photo()), len(NOTES)) > TEXT_BODY_LIMIT
    assert send(live, "PUT", "/profile/photo", token, photo(), "image/png").status == 204
    assert send(live, "POST", "/notes/batch", token, NOTES, "application/json").status == 201
    assert live.rows("SELECT count(*) FROM notes JOIN users ON user_id = users.id WHERE nickname = 'long'") == [(100,)]


def test_nobody_else_is_waited_for(live: Service) -> None:
    """The answer comes after the head alone. A token that another server made has the right form and checksum."""
    head = f"POST /api/v1/notes/batch HTTP/1.1\r\nHost: a\r\nContent-Length: {len(NOTES)}\r\n"
    for token in (new_token("another key"), "sc_", ""):
        assert statuses(live, f"{head}Authorization: Bearer {token}\r\n\r\n".encode()) == [b"401"]
