"""The processes of a dyno decode one photo at a time, always release the decoder, and let no warning escape."""

import contextlib
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from app.photos import decoding
from app.photos.containers import PhotoRejected, Reason
from app.photos.decoding import MAX_BYTES, decoder, square_webp
from app.rejection import Busy
from tests.child import child
from tests.photos.accepted_photos import with_metadata
from tests.photos.forged_files import flat_png
from tests.photos.hostile_photos import hostile_photos
from tests.photos.photo_files import reason_for


def test_waiting_for_the_decoder_times_out_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BUSY_SECONDS", 0.01)
    with decoder(0), pytest.raises(Busy):
        square_webp(flat_png(64, 64))
    assert square_webp(flat_png(64, 64))


def test_a_busy_decoder_does_not_delay_refusals_that_need_no_decoding() -> None:
    with decoder(0):
        assert reason_for(b"") is Reason.EMPTY
        assert reason_for(b"text") is Reason.NOT_AN_IMAGE
        assert reason_for(bytes(MAX_BYTES + 1)) is Reason.TOO_LARGE


def test_the_decoder_is_released_after_success_and_after_refusal() -> None:
    for data in (flat_png(64, 64), flat_png(1, 1), flat_png(64, 64)[:60]):
        with contextlib.suppress(PhotoRejected):
            square_webp(data)
        with decoder(0):
            pass


def test_another_process_has_the_decoder_until_it_dies() -> None:
    with holding_process() as holder:
        with pytest.raises(Busy):
            square_webp(flat_png(64, 64), seconds=0)
        assert reason_for(b"text") is Reason.NOT_AN_IMAGE
        holder.kill()
        holder.wait()
        assert square_webp(flat_png(64, 64), seconds=0)


@contextlib.contextmanager
def holding_process() -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the decoder."""
    hold = (
        "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", hold, str(decoding.LOCK_FILE)]
    with child(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


@pytest.mark.parametrize("action", ["error", "ignore"])
def test_warning_filters_do_not_change_the_result_and_no_warning_escapes(action: str) -> None:
    """The result is the same, without warnings, for every warning filter of the process."""
    warned_of = [upload for upload in hostile_photos() if "Pillow warns" in upload.name]
    unreadable = [upload for upload in with_metadata() if "unreadable" in upload.name]
    with warnings.catch_warnings(record=True) as escaped:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters)
        assert [reason_for(upload.data) for upload in warned_of] == [Reason.DIMENSIONS] * 2
        assert all(square_webp(upload.data) for upload in unreadable)
        assert warnings.filters == before
    assert escaped == []
    assert len(unreadable) == 2
