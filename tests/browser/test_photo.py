"""The profile photo: cropped, shrunk, uploaded with a progress that can be cancelled.

The stored photo is what the preview showed, upright and without EXIF.
"""

import base64
import io
from typing import Any

import pytest
import urllib3
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.photos.decoding import square_webp
from tests.browser.controls import button, hold, posts_of
from tests.browser.site import Reader
from tests.browser.window import Window, Windows
from tests.photos.photo_files import exif, near, pixel, saved
from tests.photos.profiles import ADOBE_RGB, P3, PROPHOTO
from tests.photos.profiles import GREY_OF_LIGHT as GREY
from tests.waiting import wait_until

SIZE = (2560, 1920)  # px, as the sensor lies; more than what is uploaded
ON_ITS_SIDE = 6  # EXIF: it was held upright
NOISE = 6.0  # levels of 255 in which two encodings of one picture may differ on average
SLOW = 60_000  # bytes a second, so that the progress takes a few seconds

# Collects the values of the progress bar.
WATCH = """() => {
  const progress = document.querySelector("progress");
  window.seen = [];
  const look = () => {
    if (progress.checkVisibility() && seen.at(-1) !== progress.value) seen.push(progress.value);
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture(scope="module")
def phone_photo() -> bytes:
    """Draw blotches of colour, which tell each part of the picture from every other."""
    channels = [
        Image.effect_noise((SIZE[0] // 96, SIZE[1] // 96), 90).resize(SIZE, Image.Resampling.BICUBIC) for _ in "RGB"
    ]
    file = io.BytesIO()
    Image.merge("RGB", channels).save(file, "JPEG", exif=exif(ON_ITS_SIDE), quality=90)
    return file.getvalue()


@pytest.fixture
def window(windows: Windows, reader: Reader) -> Window:
    """Open the page to edit my page, of a new account without a photo."""
    window = windows.fresh("en", cookies=reader.cookies)
    window.emulate("light", "desk")
    window.open("/mypage/edit")
    return window


@pytest.fixture
def tab(window: Window) -> Tab:
    return window.tab


def put(tab: Tab, content: bytes, name: str = "IMG_0412.jpg", kind: str = "image/jpeg") -> None:
    photo: Any = {"name": name, "mimeType": kind, "buffer": content}
    tab.locator("input[type=file]").set_input_files(photo)


def choose(tab: Tab, photo: bytes) -> None:
    put(tab, photo)
    expect(tab.get_by_text("IMG_0412.jpg")).to_be_visible()
    expect(tab.get_by_role("slider")).to_be_visible()


def upload(tab: Tab) -> Locator:
    return button(tab, "Use this photo")


def preview(tab: Tab) -> Image.Image:
    """Return what the largest preview shows."""
    canvas = tab.locator("canvas.portrait").first
    data = canvas.evaluate("canvas => canvas.toDataURL().split(',')[1]")
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def stored(tab: Tab) -> Image.Image:
    """Return the photo that my page shows, from the bucket."""
    url = tab.locator("main img.portrait").first.get_attribute("src")
    assert url
    return Image.open(io.BytesIO(urllib3.request("GET", url).data))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the levels of 255, on average over pixels and channels."""
    other = other.convert("RGB").resize(one.size, Image.Resampling.LANCZOS)
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def upright_square(photo: bytes) -> Image.Image:
    """Return the middle of the photo, upright: drawn by Pillow, independently of the browser."""
    image = Image.open(io.BytesIO(photo)).transpose(Image.Transpose.ROTATE_270).convert("RGB")
    top = (image.height - image.width) // 2
    return image.crop((0, top, image.width, top + image.width))


@pytest.mark.smoke
def test_the_stored_photo_is_the_preview(window: Window, tab: Tab, phone_photo: bytes) -> None:
    expect(upload(tab)).to_be_hidden()
    choose(tab, phone_photo)
    centred = preview(tab)
    assert difference(centred, upright_square(phone_photo)) < NOISE
    placing = tab.get_by_role("group", name="Position")
    placing.focus()
    for key in ("+", "+", "+", "ArrowLeft", "ArrowLeft", "ArrowDown"):
        tab.keyboard.press(key)
    placed = preview(tab)
    assert difference(placed, centred) > 2 * NOISE, "the keys moved nothing"
    upload(tab).click()
    expect(tab).to_have_url(f"{window.url}/mypage")
    photo = stored(tab)
    assert difference(placed, photo) < NOISE
    assert photo.size == (400, 400)
    assert not photo.getexif()
    assert "exif" not in photo.info
    assert not window.console_errors()


def test_the_progress_moves_and_cancel_stops_it_and_changes_nothing(
    window: Window, tab: Tab, phone_photo: bytes
) -> None:
    choose(tab, phone_photo)
    before = preview(tab)
    window.set_network(upload=SLOW)
    tab.evaluate(WATCH)
    upload(tab).focus()
    hold(tab, "Enter", button(tab, "Cancel").is_visible)
    tab.keyboard.press("Enter")
    wait_until(lambda: len([value for value in tab.evaluate("seen") if 0 < value < 100]) >= 3, "the progress moves")
    seen = tab.evaluate("seen")
    assert seen == sorted(seen), "it went back"
    expect(button(tab, "Cancel")).not_to_be_focused()  # what is pressed again cancels nothing
    tab.keyboard.press("Tab")
    expect(button(tab, "Cancel")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("progressbar")).to_be_hidden()
    assert difference(before, preview(tab)) == 0, "what was placed is still there"
    tab.locator("input[type=file]").set_input_files([])  # without a choice there is no button to upload
    expect(upload(tab)).to_be_hidden()
    expect(tab.get_by_role("slider")).to_be_hidden()
    window.set_network()
    window.open("/mypage")
    expect(tab.locator("main img.portrait")).to_have_count(0)


def test_what_is_no_photo_is_refused_in_the_page_or_by_the_server(tab: Tab, phone_photo: bytes) -> None:
    posts = posts_of(tab)
    choose(tab, phone_photo)
    for brand in (b"heic", b"mif1", b"avif"):
        put(tab, b"\0\0\0\x18ftyp" + brand + bytes(200), f"IMG.{brand.decode()}")
        expect(tab.locator("input[type=file]")).to_have_value("")
        expect(tab.get_by_role("alert").filter(has_text="We can't read HEIC or AVIF photos")).to_be_visible()
        expect(upload(tab)).to_be_hidden()
    assert not posts
    choose(tab, phone_photo)
    expect(tab.get_by_role("alert").filter(has_text="HEIC")).to_have_count(0)
    put(tab, b"not a picture at all")
    upload(tab).click()
    expect(tab.get_by_role("alert").filter(has_text="That file isn't a JPEG")).to_be_visible()
    assert tab.url.endswith("/mypage/edit")


def test_without_scripts_the_button_comes_with_the_choice(window_without_scripts: Window, phone_photo: bytes) -> None:
    tab = window_without_scripts.open("/mypage/edit")
    expect(upload(tab)).to_be_hidden()
    put(tab, phone_photo)
    upload(tab).click()
    expect(tab).to_have_url(f"{window_without_scripts.url}/mypage")


def test_on_a_phone_all_of_it_is_on_the_screen_without_scrolling(window: Window, tab: Tab, phone_photo: bytes) -> None:
    window.emulate("light", "phone")
    choose(tab, phone_photo)
    parts = (".tabs", ".crop", ".previews", "#zoom", "#photo-form button.primary")
    covered, *boxes = (tab.locator(part).evaluate("part => part.getBoundingClientRect().toJSON()") for part in parts)
    assert [box for box in boxes if not 0 <= box["top"] < box["bottom"] <= covered["top"]] == []
    crop, previews, *_ = boxes
    assert crop["right"] <= previews["left"], "beside each other"
    assert crop["width"] >= 200


def test_two_fingers_zoom_and_what_is_between_them_stays(tab: Tab, phone_photo: bytes) -> None:
    choose(tab, phone_photo)
    before = preview(tab)
    box = tab.locator(".crop").bounding_box()
    assert box
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = tab.context.new_cdp_session(tab)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def fingers(kind: str, *apart: float) -> None:
        points = [{"x": left + side, "y": top, "id": number} for number, side in enumerate(apart)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", -40)
    fingers("touchStart", -40, 40)
    for distance in (50, 60, 80):
        fingers("touchMove", -distance, distance)
    zoom = tab.get_by_role("slider")
    expect(zoom).to_have_value("200")
    zoomed = preview(tab)
    quarter, half = before.width // 4, before.width // 2
    middle = before.crop((quarter, quarter, quarter + half, quarter + half)).resize(before.size)
    assert difference(zoomed, middle) < NOISE
    for distance in (60, 30, 10):
        fingers("touchMove", -distance, distance)
    expect(zoom).to_have_value("100")
    fingers("touchEnd")
    assert difference(preview(tab), before) < NOISE


def test_an_avif_is_read_by_the_browser(window: Window, tab: Tab) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "AVIF", quality=90)
    put(tab, file.getvalue(), "IMG_0412.avif", "image/avif")
    expect(tab.get_by_role("slider")).to_be_visible()
    placed = preview(tab)
    upload(tab).click()
    expect(tab).to_have_url(f"{window.url}/mypage")
    assert difference(placed, stored(tab)) < NOISE


def test_the_browser_and_the_server_agree_on_colours(window: Window, tab: Tab) -> None:
    for format_, icc in (("JPEG", P3), ("PNG", ADOBE_RGB), ("WEBP", PROPHOTO), ("JPEG", GREY)):
        image = Image.new("L", (64, 64), 128) if icc == GREY else Image.new("RGB", (64, 64), (90, 160, 70))
        photo = saved(image, format_, icc_profile=icc, quality=95)
        window.open("/mypage/edit")
        put(tab, photo)
        expect(tab.get_by_role("slider")).to_be_visible()
        by_server = Image.open(io.BytesIO(square_webp(photo)))
        assert near(pixel(preview(tab), 50, 50), pixel(by_server, 50, 50), 3), (format_, len(icc))


def test_a_dropped_photo_and_a_pasted_one_are_taken(tab: Tab, phone_photo: bytes) -> None:
    choose(tab, phone_photo)
    dropped = tab.evaluate_handle("""async () => {
      const canvas = document.createElement("canvas");
      const picture = await new Promise((drawn) => canvas.toBlob(drawn));
      const transfer = new DataTransfer();
      transfer.items.add(new File([picture], "dropped.png", { type: "image/png" }));
      return transfer;
    }""")
    tab.dispatch_event("label:has(input[type=file])", "drop", {"dataTransfer": dropped})
    expect(tab.get_by_text("dropped.png")).to_be_visible()
    choose(tab, phone_photo)
    tab.evaluate(
        "(data) => document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}))",
        dropped,
    )
    expect(tab.get_by_text("dropped.png")).to_be_visible()
