"""One deadline for the whole upload: what waits for the decoder or the bucket gets what is left of it."""

import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Flask

from app import storage
from app.accounts.models import User
from app.busy import Busy
from app.photos import decoding, service
from app.photos.decoding import decoder, square_webp
from tests.bucket import object_keys
from tests.photos.forged_files import flat_png
from tests.photos.photo_files import oriented_photo
from tests.photos.test_put_photo import image_url_of, upload
from tests.queued import queued
from tests.visitor import Visitor

TOO_LATE = 1.0  # seconds


@pytest.fixture
def late_bucket(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bucket that takes every object, TOO_LATE seconds after it was sent."""
    over = threading.Event()

    class Late(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            over.wait(TOO_LATE)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    bucket = app.extensions["bucket"]
    with ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        monkeypatch.setattr(bucket, "_client", None)
        monkeypatch.setitem(bucket._config, "S3_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield
        over.set()
        server.shutdown()


def test_the_bucket_is_waited_for_as_long_as_an_upload_has_left(
    signed_in: Visitor, alice: User, late_bucket: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LEAST_SECONDS", 1.1)
    monkeypatch.setattr(service, "UPLOAD_SECONDS", 1.6)  # 0.3 for each of two attempts, and the pause
    assert upload(signed_in, oriented_photo(1)).status_code == 503
    assert image_url_of(alice) is None


def test_a_late_bucket_is_waited_for_when_there_is_time(signed_in: Visitor, alice: User, late_bucket: None) -> None:
    assert upload(signed_in, oriented_photo(1)).status_code == 302
    assert image_url_of(alice) is not None


def test_an_upload_without_time_for_the_bucket_is_503_and_leaves_nothing(
    app: Flask, signed_in: Visitor, alice: User, objects: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "UPLOAD_SECONDS", storage.LEAST_SECONDS)
    assert upload(signed_in, oriented_photo(1)).status_code == 503
    assert queued() == []
    assert image_url_of(alice) is None
    assert object_keys(app) == objects


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.01])
def test_the_decoder_is_waited_for_no_longer_than_there_is_time(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BUSY_SECONDS", math.inf)
    with decoder(0), pytest.raises(Busy):
        square_webp(flat_png(64, 64), seconds=seconds)
    assert square_webp(flat_png(64, 64), seconds=seconds)  # a free one needs no waiting
