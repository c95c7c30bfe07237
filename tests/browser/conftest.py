"""One seeded service for all browser tests, and a browser."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import tools
from tests.browser.controls import Keyboard
from tests.browser.site import Reader, Site, new_reader, running_site
from tests.browser.tools import EXECUTABLE, launch
from tests.browser.window import Switch, Window, Windows
from tests.databases import Environment
from tests.waiting import WITHIN

SITE = pytest.StashKey[Site]()
RUNNING = pytest.StashKey[tuple[ExitStack, Browser]]()


@pytest.fixture(scope="session")
def site(
    pytestconfig: pytest.Config, server_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield the same one to each folder that imports this fixture, which pytest takes for another."""
    if SITE in pytestconfig.stash:
        yield pytestconfig.stash[SITE]
        return
    with running_site(server_environment, tmp_path_factory.mktemp("site")) as site:
        pytestconfig.stash[SITE] = site
        yield site


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Browser:
    """Return a chromium that runs on until a test comes which needs none."""
    if not EXECUTABLE:
        pytest.skip("needs chromium")
    if RUNNING not in pytestconfig.stash:
        expect.set_options(timeout=WITHIN * 1000)
        running = ExitStack()
        pytestconfig.stash[RUNNING] = running, running.enter_context(launch(running.enter_context(sync_playwright())))
    return pytestconfig.stash[RUNNING][1]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End Playwright before a test that needs none: while it runs, no other test of this process could use asyncio."""
    if RUNNING in item.config.stash and "browser" not in getattr(nextitem, "fixturenames", ()):
        item.config.stash[RUNNING][0].close()
        del item.config.stash[RUNNING]


@pytest.fixture(scope="session")
def packages() -> None:
    """Install the packages of npm. Tried once: without the registry, every test that needs them fails at once."""
    tools.install()


@pytest.fixture(scope="module")
def windows(browser: Browser, site: Site, packages: None) -> Iterator[Windows]:
    yield Windows(browser, site)
    for context in browser.contexts:
        context.close()


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
