"""A picture of every page, in both languages, light and dark, on a desk and on a phone: for people to look at.

.venv/bin/python -m tests.browser.screenshots          # all of them, into screenshots/
.venv/bin/python -m tests.browser.screenshots notes    # of the pages whose name begins so
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import servers
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.site import running_site
from tests.browser.tools import launch
from tests.browser.window import SCHEMES, SIZES, Windows

FOLDER = Path(__file__).parents[2] / "screenshots"
HIGHEST = 12_000  # pixels; Chromium draws no higher picture in one piece


def main(beginning: str = "") -> None:
    pages = [page for page in PAGES if page.name.startswith(beginning)]
    temporary = tempfile.TemporaryDirectory(prefix="semicircle-", ignore_cleanup_errors=True)
    with (
        temporary,
        servers.running(Path(temporary.name), os.environ) as environment,
        running_site(environment, Path(temporary.name)) as site,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        windows = Windows(browser, site)
        for page in pages:
            for language in LANGUAGES:
                take(windows, page, language)
    print(f"{len(pages)} pages are in {FOLDER}")  # noqa: T201 - a command of the terminal


def take(windows: Windows, page: Page, language: str) -> None:
    """Take the pictures of one page, which is loaded once."""
    window = windows.of(page.who, language)
    window.visit(windows.site, page, language)
    for size, (width, _) in SIZES.items():
        for scheme in SCHEMES:
            window.emulate(scheme, size)
            # As high as the page: a bar at the lower edge of the window would stand in the middle of the picture else.
            height = window.tab.evaluate("document.documentElement.scrollHeight")
            window.set_width(width, min(height, HIGHEST))
            path = FOLDER / f"{language}-{scheme}-{size}" / f"{page.name}.png"
            window.tab.screenshot(path=path, animations="disabled")
    window.go_blank()


if __name__ == "__main__":
    main(*sys.argv[1:2])
