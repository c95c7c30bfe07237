"""Hostile uploads over HTTP are refused with one error message, store nothing, and do not crash the server."""

import re
import sys
from pathlib import Path

import boto3
import psutil

from app.photos.decoding import Reason
from config import ProductionConfig
from tests.live.conftest import Service
from tests.photos.hostile_photos import hostile_photos
from tests.photos.photo_files import HostilePhoto

LONGEST_BODY = 6 * 1024 * 1024  # bytes; more is 413
PEAK_MEMORY = 300 * 1024 * 1024  # bytes of one worker: half of a small dyno
ERROR = re.compile(r'<p class="error"[^>]*>([^<]+)</p>')


def stored(live: Service) -> tuple[object, ...]:
    config = ProductionConfig(live.environment)
    client = boto3.client(
        "s3",
        endpoint_url=config.S3_ENDPOINT_URL,
        region_name=config.S3_REGION,
        aws_access_key_id=config.S3_ACCESS_KEY_ID,
        aws_secret_access_key=config.S3_SECRET_ACCESS_KEY,
    )
    listed = client.list_objects_v2(Bucket=config.S3_BUCKET, Prefix=config.S3_PREFIX)
    return listed["KeyCount"], live.rows("SELECT image_url FROM users ORDER BY id")


def peak_memory(process: psutil.Process) -> int:
    """Return the peak resident set size of the process in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


def test_a_body_over_6_mib_is_413_and_stores_nothing(live: Service) -> None:
    browser = live.browser()
    browser.sign_up("large", "a long enough sentence")
    before = stored(live)
    assert browser.post("/mypage/photo", photo=("me.jpg", b"x" * LONGEST_BODY, "image/jpeg")).status == 413
    assert stored(live) == before


def one_for_each_reason_and_the_bombs() -> list[HostilePhoto]:
    """Every hostile photo is refused in process, and its memory measured: tests/photos."""
    photos = list(hostile_photos())
    one_each = {photo.reason: photo for photo in photos if len(photo.data) < LONGEST_BODY}
    return [*one_each.values(), *(photo for photo in photos if "with 200 MB" in photo.name)]


def test_hostile_uploads_are_refused_and_the_workers_survive(live: Service) -> None:
    browser = live.browser()
    browser.sign_up("hostile", "a long enough sentence")
    workers = psutil.Process(live.process.pid).children(recursive=True)
    before = stored(live)
    photos = one_for_each_reason_and_the_bombs()
    assert {photo.reason for photo in photos} == set(Reason) - {Reason.CROP}
    for photo in photos:
        live.change("DELETE FROM rate_limits")
        answer = browser.post("/mypage/photo", photo=("photo.jpg", photo.data, "image/jpeg"))
        assert answer.status == 422, photo.name
        page = answer.data.decode()
        assert len(ERROR.findall(page)) == 1, photo.name
        assert "Traceback" not in page
    assert stored(live) == before
    assert psutil.Process(live.process.pid).children(recursive=True) == workers
    if sys.platform == "linux":  # other systems do not report the peak of another process
        assert max(peak_memory(worker) for worker in workers) < PEAK_MEMORY
