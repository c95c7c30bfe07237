"""The decoder is shared by a whole process: one photo at a time, freed whatever happens, and no warning escapes."""

import contextlib
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.photos import processing
from app.photos.decoding import MAX_BYTES
from app.photos.processing import PhotoBusy, square_webp
from app.photos.rejection import PhotoRejected, Reason
from tests.photos.accepted_photos import accepted_photos
from tests.photos.forged_files import flat_png
from tests.photos.hostile_photos import hostile_photos
from tests.photos.photo_outcomes import reason_for


def test_it_refuses_to_wait_long_for_another_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "BUSY_SECONDS", 0.01)
    with processing.DECODING, pytest.raises(PhotoBusy):
        square_webp(flat_png(64, 64))
    assert square_webp(flat_png(64, 64))


def test_it_refuses_what_needs_no_decoder_even_when_busy() -> None:
    with processing.DECODING:
        assert reason_for(b"") is Reason.EMPTY
        assert reason_for(b"text") is Reason.NOT_AN_IMAGE
        assert reason_for(bytes(MAX_BYTES + 1)) is Reason.TOO_LARGE


@pytest.mark.parametrize("data", [flat_png(64, 64), flat_png(1, 1), flat_png(64, 64)[:60]], ids=["good", "1x1", "cut"])
def test_it_frees_the_decoder_whatever_happens(data: bytes) -> None:
    with contextlib.suppress(PhotoRejected):
        square_webp(data)
    assert processing.DECODING.acquire(blocking=False)
    processing.DECODING.release()


def test_whoever_waits_gets_a_turn() -> None:
    photos = [flat_png(1000, 1000)] * 8
    start = threading.Barrier(len(photos))

    def upload(data: bytes) -> bytes:
        start.wait()
        return square_webp(data)

    with ThreadPoolExecutor(len(photos)) as pool:
        assert len(set(pool.map(upload, photos))) == 1


@pytest.mark.parametrize("action", ["error", "always", "ignore"])
def test_no_warning_escapes_and_none_decides(action: str) -> None:
    """The same outcome, silently, whatever the process makes of warnings."""
    warned_of = [upload for upload in hostile_photos() if "Pillow warns" in upload.name]
    unreadable = [upload for upload in accepted_photos() if "unreadable" in upload.name]
    with warnings.catch_warnings(record=True) as escaped:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters)
        assert [reason_for(upload.data) for upload in warned_of] == [Reason.DIMENSIONS] * 2
        assert all(square_webp(upload.data) for upload in unreadable)
        assert warnings.filters == before
    assert escaped == []
    assert len(unreadable) == 2
