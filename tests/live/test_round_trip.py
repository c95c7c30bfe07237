"""Export and import over real HTTP: gunicorn sends the complete file and stores an uploaded one."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.live.browser import Browser
from tests.live.conftest import Service

PASSWORD = "a long enough sentence"


def documents_in(archive: bytes) -> dict[str, object]:
    with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
        assert zip_file.testzip() is None
        document: dict[str, object] = json.loads(zip_file.read("semicircle.json"))
        return document


def create_notes_and_todo(browser: Browser) -> None:
    for number in range(5):
        browser.post("/notes", title=f"메모 {number}", content="첫 줄\r\n둘째 줄 #반달")
    browser.post("/todos", description="buy books")


def test_an_export_can_be_imported_into_another_account(live: Service) -> None:
    one, other = live.browser(), live.browser()
    for browser in (one, other):
        assert browser.sign_up(f"trip-{uuid4().hex[:8]}", PASSWORD).status == 302
    create_notes_and_todo(one)
    answer = one.get("/mypage/export")
    assert answer.status == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"  # it begins before its length is known
    head = one.request("HEAD", "/mypage/export")
    assert (head.status, head.data) == (200, b"")
    archive = ("semicircle.zip", answer.data, "application/zip")
    assert other.post("/mypage/import", archive=archive).headers["Location"] == "/mypage"
    was, came = documents_in(answer.data), documents_in(other.get("/mypage/export").data)
    assert {name: came[name] for name in ("notes", "todos")} == {name: was[name] for name in ("notes", "todos")}


def test_concurrent_imports_store_everything_once(live: Service) -> None:
    one, other = live.browser(), live.browser()
    for browser in (one, other):
        assert browser.sign_up(f"race-{uuid4().hex[:8]}", PASSWORD).status == 302
    create_notes_and_todo(one)
    archive = ("semicircle.zip", one.get("/mypage/export").data, "application/zip")
    other.get("/mypage/import")  # puts one CSRF token into the session, which all four requests share
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: other.post("/mypage/import", archive=archive).status, range(4)))
    assert set(answers) <= {302, 503}
    assert 302 in answers
    notes = documents_in(other.get("/mypage/export").data)["notes"]
    assert isinstance(notes, list)
    assert len(notes) == 5
