"""The fixtures of tests/browser."""

from tests.browser.conftest import browser, packages, site, windows

__all__ = ["browser", "packages", "site", "windows"]
