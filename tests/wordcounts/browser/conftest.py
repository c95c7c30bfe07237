"""The fixtures of tests/browser."""

from tests.browser.conftest import browser, packages, pytest_runtest_teardown, reader, site, windows

__all__ = ["browser", "packages", "pytest_runtest_teardown", "reader", "site", "windows"]
