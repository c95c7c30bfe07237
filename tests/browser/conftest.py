"""One seeded service for all browser tests, and a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import tools
from tests.browser.controls import Keyboard
from tests.browser.site import Reader, Site, new_reader, running_site
from tests.browser.tools import EXECUTABLE, launch
from tests.browser.window import Switch, Window, Windows
from tests.databases import Environment
from tests.waiting import WITHIN


@pytest.fixture(scope="session")
def site(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(server_environment, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")  # not longer: while Playwright runs, no other test of this process could use asyncio
def browser() -> Iterator[Browser]:
    if not EXECUTABLE:
        pytest.skip("needs chromium")
    expect.set_options(timeout=WITHIN * 1000)
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def packages() -> None:
    """Install the packages of npm. Tried once: without the registry, every test that needs them fails at once."""
    tools.install()


@pytest.fixture(scope="module")
def windows(browser: Browser, site: Site, packages: None) -> Windows:
    return Windows(browser, site)


@pytest.fixture
def reader(site: Site) -> Reader:
    return new_reader(site)


@pytest.fixture
def other(site: Site) -> Reader:
    """Return one more account."""
    return new_reader(site)


@pytest.fixture
def window(windows: Windows, reader: Reader) -> Iterator[Window]:
    """Yield a new window of the reader, in English. After the test its console holds no error."""
    with windows.lent(reader.cookies) as window:
        yield window
        assert not window.console_errors()


@pytest.fixture
def keyboard(window: Window) -> Keyboard:
    return Keyboard(window.tab)


@pytest.fixture
def window_without_scripts(windows: Windows, reader: Reader) -> Iterator[Window]:
    """Yield a window of the same reader without JavaScript."""
    with windows.lent(reader.cookies, scripts=False) as window:
        yield window


@pytest.fixture
def offline(window: Window) -> Iterator[Switch]:
    """Yield offline(True), which takes the network from the window. Chromium's own lines about that are no errors."""

    def switch(is_offline: bool) -> None:
        window.tab.context.set_offline(is_offline)

    yield switch
    window.tab.context.set_offline(False)
    window.console_errors()
