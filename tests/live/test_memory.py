"""A client's share of a dyno: the memory of password hashes, and long bodies on its disk."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import psutil
from PIL import Image

from app.accounts.access_tokens import new_token
from app.web.request_size import TEXT_BODY_LIMIT
from tests.live.browser import Browser
from tests.live.conftest import PASSWORD, Service
from tests.live.test_server import statuses

MIB = 1024 * 1024
# A hash takes 19 MiB. Each of two processes keeps that, and some for pages. Kept by each of ten threads, it is 190.
MOST = 80
NOTES = b"[%b]" % b",".join([b'{"content":"%b"}' % (b"x" * 1000)] * 100)


def test_the_memory_of_password_hashes_does_not_stay_with_each_thread(live: Service) -> None:
    """An unknown address costs as much as a known one."""
    workers = psutil.Process(live.process.pid).children()
    before = own_memory(workers)

    def sign_in(number: int) -> int:
        return live.browser().post("/sign-in", email=f"nobody{number}@example.com", password="a wrong guess").status

    with ThreadPoolExecutor(10) as clients:
        assert set(clients.map(sign_in, range(60))) == {422}
    assert own_memory(workers) - before < MOST * MIB


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
