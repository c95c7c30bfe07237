"""User journeys over HTTP, with gunicorn, a real database and a real bucket; and an archive that is sent and stored."""

import json
import secrets
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.live.conftest import PASSWORD, Service, fetch
from tests.photos.photo_files import oriented_photo
from tests.waiting import wait_until


def image_url_of(live: Service, name: str) -> str:
    [(url,)] = live.rows(f"SELECT image_url FROM users WHERE email = '{name}@example.com'")
    assert isinstance(url, str)
    return url


@pytest.mark.smoke
def test_a_user_journey_from_sign_up_to_account_deletion(live: Service) -> None:
    browser = live.browser()
    assert browser.sign_up("haneul", PASSWORD).status == 302
    for number in range(3):
        assert browser.post("/notes", title=f"note {number}", content="반만 적어 두세요").status == 302
    assert browser.get("/notes").data.decode().count("반만 적어 두세요") == 3

    assert browser.post("/todos", description="반달 보기").status == 302
    [(todo_id,)] = live.rows("SELECT id FROM todos WHERE description = '반달 보기'")
    assert browser.post(f"/todos/{todo_id}", completed="1").status == 302
    assert "반달 보기" in browser.get("/todos?show=done").data.decode()

    [(user_id,)] = live.rows("SELECT id FROM users WHERE email = 'haneul@example.com'")
    assert browser.post("/mypage/photo", photo=("me.jpg", oriented_photo(6), "image/jpeg")).status == 302
    url = image_url_of(live, "haneul")
    assert url in browser.get("/mypage").data.decode()
    shown = fetch(url)
    assert (shown.status, shown.headers["Content-Type"]) == (200, "image/webp")
    assert shown.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert Image.open(BytesIO(shown.data)).size == (400, 400)

    assert browser.post("/mypage/delete", password=PASSWORD).status == 302
    assert browser.get("/notes").status == 302
    wait_until(lambda: fetch(url).status == 404, "the worker deletes the photo")
    for table in ("notes", "todos", "user_sessions"):
        assert live.rows(f"SELECT 1 FROM {table} WHERE user_id = {user_id}") == []
    assert live.rows(f"SELECT 1 FROM users WHERE id = {user_id}") == []
    assert browser.post("/sign-in", email="haneul@example.com", password=PASSWORD).status == 422


OF_EACH = dict.fromkeys(("id", "position", "version", "changed_at", "shared_at"))  # of each account


def documents_in(archive: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(BytesIO(archive)) as zip_file:
        assert zip_file.testzip() is None
        document: dict[str, Any] = json.loads(zip_file.read("semicircle.json"))
        return document


def test_an_export_is_imported_once_into_another_account_by_concurrent_requests(live: Service) -> None:
    one, other = live.browser(), live.browser()
    for browser in (one, other):
        assert browser.sign_up(f"trip-{secrets.token_hex(4)}", PASSWORD).status == 302
    for number in range(5):
        one.post("/notes", title=f"메모 {number}", content="첫 줄\r\n둘째 줄 #반달")
    one.post("/todos", description="buy books")
    answer = one.get("/mypage/export")
    assert answer.status == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"  # it begins before its length is known
    head = one.request("HEAD", "/mypage/export")
    assert (head.status, head.data) == (200, b"")
    archive = ("semicircle.zip", answer.data, "application/zip")
    other.get("/mypage/import")  # puts one CSRF token into the session, which all four requests share
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: other.post("/mypage/import", archive=archive).status, range(4)))
    assert 302 in answers
    assert set(answers) <= {302, 503}
    was, came = documents_in(answer.data), documents_in(other.get("/mypage/export").data)
    for name in ("notes", "todos"):
        assert came[name], name
        assert [{**item, **OF_EACH} for item in came[name]] == [{**item, **OF_EACH} for item in was[name]]
