"""Felt speed: from the click on a link to the next page painted, in Chromium on a slow phone.

The phone's CPU is slowed down, and each request takes longer. Static files are in its cache, as after the first page. A
finger or a mouse button is down for a moment before it is a click; what a page does with that moment counts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import EXECUTABLE, launch
from tools.bench.http.figures import spread
from tools.bench.http.report import written
from tools.bench.http.rows import Visitor
from tools.bench.http.targets import EARLIER, OURS, Target
from tools.bench.release.report import markdown

SLOWDOWN = 4
LATENCY = 150  # ms a request
PRESSED = 80  # ms between the button going down and up
PHONE = {"width": 390, "height": 844}  # CSS pixels

# In the order of a walk through them. Each is a link of the page before.
LINKS = {
    "todos": 'nav a[href="/todos"]',
    "counts": 'nav a[href="/wordcounts"]',
    "my page": 'nav a[href="/mypage"]',
    "list": 'nav a[href="/notes"]',
    "one note": "main h3 a, main h2 a[href^='/notes/']",
}
# While a page changes into the next one (view transition), nothing on it takes a click.
CAN_BE_CLICKED = "([x, y]) => document.elementFromPoint(x, y)?.closest('a')"
NOTE_CLICK = """addEventListener("click", () =>
  sessionStorage.setItem("clicked", performance.timeOrigin + performance.now()), {capture: true})"""
PAINTED = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  for (const entry of list.getEntriesByName("first-contentful-paint"))
    resolve(performance.timeOrigin + entry.startTime - Number(sessionStorage.getItem("clicked")));
}).observe({type: "paint", buffered: true}))"""


class Click(NamedTuple):
    """
    Args:
        page: that was clicked for.
        milliseconds: until it was painted.
    """

    target: str
    page: str
    round: int
    milliseconds: float


def measure(count: int, targets: Sequence[Target]) -> list[Click]:
    """Walk through the pages, in each round once with each target. No clicks where the machine has no Chromium."""
    if EXECUTABLE is None:
        return []
    clicks: list[Click] = []
    with sync_playwright() as playwright, launch(playwright) as browser:
        for number in range(-1, count):  # the first one warms up
            first = number % len(targets)
            for target in [*targets[first:], *targets[:first]]:
                clicks += walk(browser, target, number)
    return [click for click in clicks if click.round >= 0]


def walk(browser: Browser, target: Target, number: int) -> Iterator[Click]:
    with phone(browser, target.port, target.readers[0]) as page:
        page.goto(f"http://127.0.0.1:{target.port}/notes")
        for link in LINKS.values():  # fills the cache
            open_by(page, link)
        for name, link in LINKS.items():
            yield Click(target.name, name, number, open_by(page, link))


@contextmanager
def phone(browser: Browser, port: int, reader: Visitor) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE, has_touch=False) as context:  # type: ignore[arg-type]
        cookies = dict(line.split(": ", 1) for line in reader.headers.splitlines())["Cookie"]
        context.add_cookies(
            [
                {"name": name, "value": value, "url": f"https://127.0.0.1:{port}"}
                for name, value in (cookie.split("=", 1) for cookie in cookies.split("; "))
            ]
        )
        page = context.new_page()
        page.add_init_script(NOTE_CLICK)
        devtools = context.new_cdp_session(page)
        conditions = {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1}
        devtools.send("Network.enable")
        devtools.send("Network.emulateNetworkConditions", conditions)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        yield page


def open_by(page: Page, link: str) -> float:
    """Click, and wait for the page; milliseconds until it was painted."""
    found = page.locator(link).first
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    assert box is not None, link  # noqa: S101 - it is visible
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.wait_for_function(CAN_BE_CLICKED, arg=[x, y])
    page.mouse.move(x, y)
    with page.expect_navigation(wait_until="load"):
        page.mouse.down()
        page.wait_for_timeout(PRESSED)
        page.mouse.up()
    return float(page.evaluate(PAINTED))


def table(clicks: Sequence[Click]) -> Iterator[str]:
    yield f"\n### From the click to the page painted: CPU {SLOWDOWN} times slower, {LATENCY} ms a request\n"
    if not clicks:
        yield "There is no Chromium on this machine."
        return
    rows: list[tuple[str, ...]] = [("", "ms, ours", "ms, earlier", "ours / earlier")]
    for page in LINKS:
        ours, earlier = of(clicks, OURS, page), of(clicks, EARLIER, page)
        ratios = [ours[number] / earlier[number] for number in ours.keys() & earlier.keys()]
        rows.append(
            (page, *(written(spread([*each.values()]), 0) for each in (ours, earlier)), written(spread(ratios), 2))
        )
    yield from markdown(rows)


def of(clicks: Sequence[Click], target: str, page: str) -> dict[int, float]:
    """Round: milliseconds."""
    return {click.round: click.milliseconds for click in clicks if (click.target, click.page) == (target, page)}
