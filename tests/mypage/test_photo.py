"""What becomes of an uploaded photo: refused with a reason, or one clean square."""

import contextlib
import io
import re
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from app.mypage import photo
from app.mypage.photo import MAX_BYTES, PhotoBusy, PhotoRejected, Reason, square_webp
from tests.mypage import hostile_photos as files
from tests.mypage.hostile_photos import BLUE, GREEN, RED, YELLOW, HostilePhoto, Photo, flat_png, saved

ROOT = Path(__file__).parents[2]
HOSTILE = list(files.hostile_photos())
ACCEPTED = list(files.accepted_photos())
WHITE = (255, 255, 255)


def name_of(upload: Photo) -> str:
    return upload.name


def reason_for(data: bytes) -> Reason:
    """Why it is refused; fails if it is not."""
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(data)
    return refusal.value.reason


def square(image: Image.Image, format_: str = "PNG", **options: object) -> Image.Image:
    """What becomes of the image when it is uploaded."""
    return Image.open(io.BytesIO(square_webp(saved(image, format_, **options))))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = image.getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """WebP, and JPEG before it, change a flat colour by a few steps."""
    return len(colour) == len(expected) and all(abs(a - b) <= 12 for a, b in zip(colour, expected, strict=True))


def webp_chunks(webp: bytes) -> Iterator[bytes]:
    """The names of all chunks of the file, up to its very last byte."""
    assert webp[:4] + webp[8:12] == b"RIFFWEBP"
    assert struct.unpack_from("<I", webp, 4) == (len(webp) - 8,)
    position = 12
    while position < len(webp):
        (length,) = struct.unpack_from("<I", webp, position + 4)
        yield webp[position : position + 4]
        position += 8 + length + length % 2
    assert position == len(webp)


# Refusals


def test_hostile_photos_are_many_and_distinct() -> None:
    assert len(HOSTILE) >= 100
    assert len({upload.name for upload in HOSTILE}) == len({upload.data for upload in HOSTILE}) == len(HOSTILE)
    assert {upload.reason for upload in HOSTILE} == set(Reason)


@pytest.mark.parametrize("upload", HOSTILE, ids=name_of)
def test_it_refuses(upload: HostilePhoto) -> None:
    assert reason_for(upload.data) is upload.reason


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
def test_it_refuses_a_file_cut_anywhere_before_its_last_pixels(format_: str) -> None:
    whole = saved(Image.effect_noise((64, 64), 40), format_)
    for length in range(12, len(whole) - 24, 7):
        assert reason_for(whole[:length]) is Reason.DAMAGED, length


def test_it_never_completes_truncated_files() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("format_", ["TIFF", "BMP", "ICO", "PPM", "TGA", "SGI", "AVIF", "JPEG2000"])
def test_it_refuses_good_images_of_other_formats(format_: str) -> None:
    assert reason_for(saved(Image.new("RGB", (64, 64)), format_)) is Reason.NOT_AN_IMAGE


def test_it_refuses_one_byte_above_the_limit_and_takes_the_limit() -> None:
    good = saved(Image.new("RGB", (64, 64)), "PNG")
    assert square_webp(good.ljust(MAX_BYTES, b"\0"))
    assert reason_for(good.ljust(MAX_BYTES + 1, b"\0")) is Reason.TOO_LARGE


@pytest.mark.parametrize(("width", "height"), [(31, 32), (32, 31), (3536, 3536), (12_500_001, 32)])
def test_it_refuses_dimensions_just_outside_the_limits(width: int, height: int) -> None:
    assert reason_for(flat_png(width, height)) is Reason.DIMENSIONS


@pytest.mark.parametrize(("width", "height"), [(32, 32), (32, 10_000), (3535, 3535)])
def test_it_takes_dimensions_just_inside_the_limits(width: int, height: int) -> None:
    assert square_webp(flat_png(width, height))


def test_it_counts_scans_not_bytes_that_look_like_scans() -> None:
    thumbnails = b"\xff\xe1" + struct.pack(">H", 2 + 4000) + b"\xff\xda" * 2000
    jpeg = saved(Image.new("RGB", (64, 64), RED), "JPEG")
    assert square_webp(jpeg[:2] + thumbnails + jpeg[2:])
    assert square_webp(jpeg + files.repeated_scan(40))  # behind the end, which no decoder reads


def test_it_takes_32_scans_and_1000_chunks() -> None:
    text = files.png_chunk(b"tEXt", b"k\0v")
    assert square_webp(files.repeated_scan(32))
    assert square_webp(flat_png(64, 64, extra=text * 997))


def test_a_cause_is_kept_for_the_log() -> None:
    with pytest.raises(PhotoRejected) as refusal:
        square_webp(saved(Image.effect_noise((64, 64), 40), "PNG")[:500])
    assert refusal.value.__cause__ is not None


# Warnings of Pillow


@pytest.mark.parametrize("action", ["error", "always", "ignore"])
def test_no_warning_escapes_and_none_decides(action: str) -> None:
    """The same outcome, silently, whatever the process makes of warnings."""
    warned_of = [upload for upload in HOSTILE if "Pillow warns" in upload.name]
    unreadable = [upload for upload in ACCEPTED if "unreadable" in upload.name]
    with warnings.catch_warnings(record=True) as escaped:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before = list(warnings.filters)
        assert [reason_for(upload.data) for upload in warned_of] == [Reason.DIMENSIONS] * 2
        assert all(square_webp(upload.data) for upload in unreadable)
        assert warnings.filters == before
    assert escaped == []
    assert len(unreadable) == 2


# One at a time


def test_it_refuses_to_wait_long_for_another_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo, "BUSY_SECONDS", 0.01)
    with photo.DECODING, pytest.raises(PhotoBusy):
        square_webp(flat_png(64, 64))
    assert square_webp(flat_png(64, 64))


def test_it_refuses_what_needs_no_decoder_even_when_busy() -> None:
    with photo.DECODING:
        assert reason_for(b"") is Reason.EMPTY
        assert reason_for(b"text") is Reason.NOT_AN_IMAGE
        assert reason_for(bytes(MAX_BYTES + 1)) is Reason.TOO_LARGE


@pytest.mark.parametrize("data", [flat_png(64, 64), flat_png(1, 1), flat_png(64, 64)[:60]], ids=["good", "1x1", "cut"])
def test_it_frees_the_decoder_whatever_happens(data: bytes) -> None:
    with contextlib.suppress(PhotoRejected):
        square_webp(data)
    assert photo.DECODING.acquire(blocking=False)
    photo.DECODING.release()


def test_whoever_waits_gets_a_turn() -> None:
    photos = [flat_png(1000, 1000)] * 8
    start = threading.Barrier(len(photos))

    def upload(data: bytes) -> bytes:
        start.wait()
        return square_webp(data)

    with ThreadPoolExecutor(len(photos)) as pool:
        assert len(set(pool.map(upload, photos))) == 1


# What comes out


@pytest.mark.parametrize("upload", ACCEPTED, ids=name_of)
def test_it_takes(upload: Photo) -> None:
    """And whatever went in, one square of nothing but pixels comes out."""
    webp = square_webp(upload.data)
    assert list(webp_chunks(webp)) == [b"VP8 "]  # neither EXIF, ICCP, XMP nor ANIM, and not a byte behind it
    assert files.PAYLOAD not in webp
    with Image.open(io.BytesIO(webp)) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (400, 400))
        assert not image.getexif()
        assert image.info.keys().isdisjoint({"exif", "icc_profile", "xmp"})


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_turns_every_orientation_upright(orientation: int) -> None:
    image = Image.open(io.BytesIO(square_webp(files.oriented_photo(orientation))))
    corners = [pixel(image, x, y) for y in (20, 380) for x in (20, 380)]
    assert [near(*pair) for pair in zip(corners, (RED, GREEN, BLUE, YELLOW), strict=True)] == [True] * 4, corners


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_it_turns_other_formats_upright(format_: str) -> None:
    """Stored lying on its side: what is left in the file is the top of the scene when orientation is 6."""
    stored = Image.new("RGB", (400, 400), BLUE)
    stored.paste(RED, (0, 0, 200, 400))
    image = square(stored, format_, exif=files.exif(6))
    assert near(pixel(image, 200, 50), RED)
    assert near(pixel(image, 200, 350), BLUE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_it_ignores_orientations_that_do_not_exist(orientation: int) -> None:
    stored = Image.new("RGB", (400, 400), BLUE)
    stored.paste(RED, (0, 0, 400, 200))
    image = square(stored, "JPEG", exif=files.exif(orientation))
    assert near(pixel(image, 50, 50), RED)
    assert near(pixel(image, 350, 50), RED)


def test_the_position_was_there_before() -> None:
    """Else its absence afterwards, asserted above for every photo, would say nothing."""
    assert Image.open(io.BytesIO(files.oriented_photo(1))).getexif().get_ifd(0x8825)[2] == (37.0, 33.0, 59.0)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("portrait", [False, True], ids=["landscape", "portrait"])
def test_it_cuts_the_centre_out(format_: str, portrait: bool) -> None:
    image = Image.new("RGB", (1500, 500), RED)
    image.paste(GREEN, (500, 0, 1000, 500))
    image.paste(BLUE, (1000, 0, 1500, 500))
    result = square(image.transpose(Image.Transpose.TRANSPOSE) if portrait else image, format_)
    assert [near(pixel(result, x, y), GREEN) for x in (4, 200, 395) for y in (4, 200, 395)] == [True] * 9


def test_it_enlarges_a_small_photo() -> None:
    assert near(pixel(square(Image.new("RGB", (32, 40), GREEN)), 200, 200), GREEN)


def test_it_cuts_a_strip_that_a_jpeg_cannot_reduce() -> None:
    strip = Image.new("RGB", (8000, 90), RED)
    strip.paste(GREEN, (3900, 0, 4100, 90))
    assert near(pixel(square(strip, "JPEG"), 200, 200), GREEN)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("CMYK", (64, 64), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("L", (64, 64), 77), (77, 77, 77)),
    ],
    ids=["CMYK", "grey"],
)
def test_it_keeps_the_colours_of_a_jpeg(image: Image.Image, expected: tuple[int, ...]) -> None:
    assert near(pixel(square(image, "JPEG"), 200, 200), expected)


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (Image.new("I;16", (64, 64), 0x8000), {}, (128, 128, 128)),
        (Image.new("I;16", (64, 64), 0x1234), {}, (18, 18, 18)),
        (Image.new("I;16", (64, 64), 0xFFFF), {}, WHITE),
        (Image.new("I;16", (64, 64), 0x8000), {"transparency": 0x8000}, (128, 128, 128)),
        (Image.new("1", (64, 64), 1), {}, WHITE),
        (Image.new("1", (64, 64), 0), {}, (0, 0, 0)),
        (Image.new("LA", (64, 64), (0, 128)), {}, (127, 127, 127)),
        (Image.new("LA", (64, 64), (0, 0)), {}, WHITE),
        (Image.new("RGBA", (64, 64), (255, 0, 0, 255)), {}, (255, 0, 0)),
        (Image.new("RGBA", (64, 64), (255, 0, 0, 128)), {}, (255, 127, 127)),
        (Image.new("RGBA", (64, 64), (0, 0, 0, 0)), {}, WHITE),
        (Image.new("RGB", (64, 64), RED), {"transparency": RED}, WHITE),
        (Image.new("RGB", (64, 64), RED), {"transparency": BLUE}, RED),
        (Image.new("L", (64, 64), 50), {"transparency": 50}, WHITE),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {}, GREEN),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {"transparency": 0}, WHITE),
        (Image.new("RGB", (64, 64), GREEN).quantize(4), {"transparency": b"\x80" * 4}, (137, 217, 137)),
    ],
    ids=str,
)
def test_it_keeps_the_colours_of_a_png_and_shows_white_behind_it(
    image: Image.Image, options: dict[str, object], expected: tuple[int, ...]
) -> None:
    assert near(pixel(square(image, "PNG", **options), 200, 200), expected)


@pytest.mark.parametrize("mode", ["I;16", "1", "P", "LA", "RGBA", "RGB"])
def test_it_reduces_every_mode_by_averaging(mode: str) -> None:
    """Stripes finer than a pixel of the result become their mean, not one of them or a palette index between."""
    dark, light = (0x0000, 0xFFFF) if mode == "I;16" else (0, 255)
    image = Image.new("I;16" if mode == "I;16" else "L", (2000, 2000), dark)
    for x in range(0, 2000, 2):
        image.paste(light, (x, 0, x + 1, 2000))
    if mode != "I;16":
        image = image.convert(mode)
    assert near(pixel(square(image), 200, 200), (128, 128, 128))


def test_it_does_not_let_hidden_colours_bleed_out_of_transparent_parts() -> None:
    """A clear pixel may hold any colour; averaged with its neighbours as it stands, it would give them a fringe."""
    image = Image.new("RGBA", (1600, 1600), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 800, 1600))
    red, green, blue = pixel(square(image), 200, 200)
    assert red > 240
    assert abs(green - blue) < 12


@pytest.mark.parametrize("format_", ["PNG", "GIF", "WEBP"])
def test_it_shows_the_first_frame_of_an_animation(format_: str) -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 64), BLUE)], "duration": 100}
    assert near(pixel(square(Image.new("RGB", (64, 64), RED), format_, **frames), 200, 200), RED)


def test_it_keeps_the_transparency_of_a_gif_with_comments_before_it() -> None:
    image = Image.new("RGB", (64, 64), RED).quantize(4)
    assert near(pixel(square(image, "GIF", comment=b"hello" * 100, transparency=0), 200, 200), WHITE)


def test_it_draws_the_same_square_every_time() -> None:
    assert square_webp(files.oriented_photo(6)) == square_webp(files.oriented_photo(6))


# Memory

PEAK_MEMORY = """
import re
from pathlib import Path
from app.mypage.photo import PhotoRejected, square_webp
from tests.mypage.hostile_photos import hostile_photos, largest_photos

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024

print("megabytes, at the start:", peak())
for upload in hostile_photos():
    try:
        square_webp(upload.data)
    except PhotoRejected:
        continue
    raise SystemExit(f"accepted: {upload.name}")
print("megabytes, after the hostile ones:", peak())
for upload in largest_photos():
    square_webp(upload.data)
print("megabytes, after the largest allowed:", peak())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_it_stays_below_300_megabytes_for_every_photo() -> None:
    """All in one process, which has the whole application imported.

    Not by `getrusage`: a child starts with the peak of the process that it was forked from, here pytest's.
    """
    command = [sys.executable, "-W", "error", "-c", PEAK_MEMORY]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    sys.stdout.write(child.stdout)  # shown by -s, and when it fails
    assert child.returncode == 0, child.stderr
    peaks = [int(number) for number in re.findall(r"\d+$", child.stdout, re.MULTILINE)]
    assert len(peaks) == 3
    assert max(peaks) < 300
