"""Without room for a temporary file an upload and an export are 503 and a line of the log, and change nothing.

What the server in front refuses before is in tests/http_server/test_worker.py.
"""

import errno
import gc
import logging
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from werkzeug.test import TestResponse

from tests.database import row_counts
from tests.visitor import Visitor

LONG = 600 * 1024  # bytes; longer than what Werkzeug keeps in memory
ROOM = 64 * 1024  # bytes of a file


@contextmanager
def folder(name: str) -> Iterator[None]:
    """Let Python have found this folder of temporary files. It may go away later, or be closed."""
    before, tempfile.tempdir = tempfile.gettempdir(), name
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def limited(limit: int, most: int) -> Iterator[None]:
    """Let a limit of the process stand in for that of the disk: a write beyond it fails, for root as well."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(limit, (soft, hard))


def next_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


FAILURES: dict[str, tuple[Callable[[], AbstractContextManager[None]], int]] = {
    "the folder is gone": (lambda: folder("/nowhere"), errno.ENOENT),
    "the disk is full": (lambda: limited(resource.RLIMIT_FSIZE, ROOM), errno.EFBIG),
    "no descriptor is left": (lambda: limited(resource.RLIMIT_NOFILE, next_descriptor()), errno.EMFILE),
}


def upload(field: str, token: str) -> bytes:
    """Write the body of a form. The test client would write a long one into a temporary file, too."""
    head = f'Content-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--b\r\n'
    file = f'Content-Disposition: form-data; name="{field}"; filename="a"\r\nContent-Type: image/png\r\n\r\n'
    return f"--b\r\n{head}{file}".encode() + bytes(LONG) + b"\r\n--b--\r\n"


@pytest.mark.filterwarnings("ignore:[Uu]nclosed file:ResourceWarning")
@pytest.mark.parametrize("failure", FAILURES)
def test_an_upload_without_room_is_503_and_changes_nothing(
    signed_in: Visitor, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    body = upload("archive", signed_in.csrf_token())
    fails, number = FAILURES[failure]
    before = row_counts()
    signed_in.get("/nowhere")  # so that the error page is compiled
    with fails():
        answer = signed_in.post("/mypage/import", data=body, content_type="multipart/form-data; boundary=b")
    gc.collect()  # Werkzeug leaves its file to that
    assert_unavailable(answer, caplog, number)
    assert row_counts() == before


@pytest.mark.parametrize("failure", [name for name in FAILURES if name != "the disk is full"])
def test_an_export_without_a_file_is_503_before_its_first_byte(
    signed_in: Visitor, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    fails, number = FAILURES[failure]
    before = row_counts()
    signed_in.get("/nowhere")
    with fails():
        answer = signed_in.get("/mypage/export")
    assert_unavailable(answer, caplog, number)
    assert row_counts() == before


def assert_unavailable(answer: TestResponse, caplog: pytest.LogCaptureFixture, number: int) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("unavailable: ")
    assert f"[Errno {number}]" in line
