"""The chromium of the machine; none is ever downloaded."""

import shutil

from playwright.sync_api import Browser, Playwright

EXECUTABLE = shutil.which("chromium") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """A chromium without a window. Also root may run it, as whom CI runs; it visits nothing but our own pages."""
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
