"""A client's share of a dyno: the memory of password hashes and of hostile photos, and long bodies on its disk."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from PIL import Image

from app import create_app
from app.accounts.access_tokens import new_token
from app.photos.containers import Reason
from app.web.request_size import TEXT_BODY_LIMIT
from config import ProductionConfig
from tests.bucket import object_keys
from tests.live.browser import Browser
from tests.live.conftest import PASSWORD, Service, connect
from tests.live.test_server import statuses
from tests.photos.hostile_photos import hostile_photos
from tests.photos.photo_files import HostilePhoto

MIB = 1024 * 1024
# A hash takes 19 MiB. Each of two processes keeps that, and some for pages. Kept by each of ten threads, it is 190.
MOST = 80
PEAK_MEMORY = 300 * MIB  # bytes of one worker: half of a small dyno
ERROR = re.compile(r'<p class="error"[^>]*>([^<]+)</p>')
NOTES = b"[%b]" % b",".join([b'{"content":"%b"}' % (b"x" * 1000)] * 100)


def peak_memory(process: psutil.Process) -> int:
    """Return the peak resident set size of the process in bytes."""
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(kilobytes) * 1024


def one_for_each_reason_and_the_bombs() -> list[HostilePhoto]:
    """Choose some: tests/photos has every hostile photo refused in process, and its memory measured."""
    photos = list(hostile_photos())
    one_each = {photo.reason: photo for photo in photos if len(photo.data) < 6 * MIB}
    return [*one_each.values(), *(photo for photo in photos if "with 200 MB" in photo.name)]


def test_hostile_photos_are_refused_and_the_workers_survive(live: Service) -> None:
    browser = live.browser()
    browser.sign_up("hostile", PASSWORD)
    workers = psutil.Process(live.process.pid).children(recursive=True)
    app = create_app(ProductionConfig(live.environment))
    before = object_keys(app)
    photos = one_for_each_reason_and_the_bombs()
    assert {photo.reason for photo in photos} == set(Reason) - {Reason.CROP}
    for photo in photos:
        with connect(live.environment) as connection, connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM rate_limits")
        answer = browser.post("/mypage/photo", photo=("photo.jpg", photo.data, "image/jpeg"))
        assert answer.status == 422, photo.name
        page = answer.data.decode()
        assert len(ERROR.findall(page)) == 1, photo.name
        assert "Traceback" not in page
    assert object_keys(app) == before
    assert live.rows("SELECT image_url FROM users WHERE email = 'hostile@example.com'") == [(None,)]
    assert psutil.Process(live.process.pid).children(recursive=True) == workers
    assert max(peak_memory(worker) for worker in workers) < PEAK_MEMORY


def test_the_memory_of_password_hashes_does_not_stay_with_each_thread(live: Service) -> None:
    """An unknown address costs as much as a known one."""
    workers = psutil.Process(live.process.pid).children()
    before = own_memory(workers)
    with ThreadPoolExecutor(10) as clients:
        answers = set(clients.map(lambda number: refused_sign_in(live, number), range(60)))
    assert answers == {422}
    assert own_memory(workers) - before < MOST * MIB


def refused_sign_in(live: Service, number: int) -> int:
    return live.browser().post("/sign-in", email=f"nobody{number}@example.com", password="a wrong guess").status


def own_memory(processes: list[psutil.Process]) -> int:
    """Return the bytes that are shared with no other process."""
    return sum(process.memory_full_info().uss for process in processes)


def test_a_photo_and_a_batch_of_the_api_may_be_long_and_a_stranger_is_answered_by_the_head(live: Service) -> None:
    """A token that another server made has the right form and checksum."""
    photo = io.BytesIO()
    Image.effect_noise((600, 600), 100).save(photo, "PNG")
    browser = live.browser()
    browser.sign_up("long", PASSWORD)
    page = browser.post("/mypage/tokens", name="backup", scopes="write", expiry="30").data.decode()
    [token] = re.findall("sc_[0-9A-Za-z]{49}", page)
    program = Browser(live.url, Authorization=f"Bearer {token}", **{"Content-Type": "image/png"})
    assert min(len(photo.getvalue()), len(NOTES)) > TEXT_BODY_LIMIT
    assert program.request("PUT", "/api/v1/profile/photo", body=photo.getvalue()).status == 204
    program.headers["Content-Type"] = "application/json"
    assert program.request("POST", "/api/v1/notes/batch", body=NOTES).status == 201
    head = f"POST /api/v1/notes/batch HTTP/1.1\r\nHost: a\r\nContent-Length: {len(NOTES)}\r\n"
    for other in (new_token("another key"), "sc_", ""):
        assert statuses(live, f"{head}Authorization: Bearer {other}\r\n\r\n".encode()) == [b"401"]
