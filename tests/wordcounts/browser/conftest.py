"""The fixtures of tests/browser."""

from tests.browser.conftest import browser, packages, reader, site, windows

__all__ = ["browser", "packages", "reader", "site", "windows"]
