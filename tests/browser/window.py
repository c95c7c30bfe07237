"""A window of the browser, which collects the errors of its console."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, Route
from playwright.sync_api import Page as Tab

from tests.browser.pages import UNFORESEEN, Page
from tests.browser.site import Site
from tests.waiting import WITHIN

Handler = Callable[[Route], None]
Switch = Callable[[bool], None]

LOCALES = {"ko": "ko-KR", "en": "en-GB"}
SIZES = {"desk": (1280, 900), "phone": (390, 844)}  # CSS pixels
NARROWEST = 320  # what WCAG 1.4.10 asks for: 1280 pixels at 400 %
SCHEMES = ("light", "dark")
FORCED = "forced"  # the colours of the system, as for high contrast

# What Playwright writes in a window whose pages cannot register the service worker.
BLOCKED = "Service Worker registration blocked by Playwright"
# Chromium does not write a line to the console for every violation of the policy, so the event is written there too.
REPORT_REFUSALS = """
document.addEventListener("securitypolicyviolation", event => console.error(
  `refused by the content security policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Window:
    """
    Args:
        context: language and cookies of the browser.
        url: where the service is.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.tab: Tab = context.new_page()
        self.tab.add_init_script(REPORT_REFUSALS)
        self.url = url
        self._errors: list[str] = []
        self._expected: tuple[str, str] | None = None
        self.tab.on("console", self._console)
        self.tab.on("pageerror", lambda error: self._errors.append(f"page error: {error}"))
        self.tab.on("requestfailed", self._failed)

    def emulate(self, scheme: str, size: str) -> None:
        """Emulate a light or dark system or one with colours of its own, and the screen of a desk or a phone."""
        width, height = SIZES[size]
        self.tab.set_viewport_size({"width": width, "height": height})
        self.tab.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light",
            forced_colors="active" if scheme == FORCED else "none",
            reduced_motion="reduce",
        )

    def use_cookies(self, cookies: dict[str, str]) -> None:
        """Let another account use this browser: its cookies are replaced, its other storage stays."""
        self.tab.context.clear_cookies()
        self.tab.context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )

    def set_network(self, *, latency: int = 0, upload: int = -1) -> None:
        """Slow the network down from now on.

        Args:
            latency: milliseconds that each request takes longer.
            upload: bytes a second; -1 is unlimited.
        """
        session = self.tab.context.new_cdp_session(self.tab)
        session.send("Network.enable")
        conditions = {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": upload}
        session.send("Network.emulateNetworkConditions", conditions)

    def clear_storage(self) -> None:
        """Clear what pages of the service stored besides cookies."""
        stored = {"origin": self.url, "storageTypes": "local_storage"}
        self.tab.context.new_cdp_session(self.tab).send("Storage.clearDataForOrigin", stored)

    def open(self, path: str) -> Tab:
        """Go to a path of the service, and return the tab."""
        self.tab.goto(self.url + path)
        return self.tab

    def set_width(self, width: int, height: int = SIZES["phone"][1]) -> None:
        self.tab.set_viewport_size({"width": width, "height": height})

    def visit(self, site: Site, page: Page, language: str) -> None:
        """Go to a page, and assert its status."""
        if page.path == UNFORESEEN:
            answer = site.answer(page, language)
            self.serve(answer.text, page.path, answer.status_code, dict(answer.headers))
        elif page.form is not None:
            body = urlencode(site.fields(page))
            self._go(site.path(page), page.status, lambda route: post(route, body))
        else:
            self._go(site.path(page), page.status)

    def go_blank(self) -> None:
        """Leave the page: one that reloads itself would do so during the next visit."""
        self.tab.goto("about:blank")

    def block_requests(self) -> None:
        """Block all requests until the next visit, so that the page does not reload itself."""
        self.tab.route(lambda _: True, lambda route: route.abort("aborted"))

    def serve(self, html: str, path: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Show HTML as if the service had served it."""
        headers = {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
        self._go(path, status, lambda route: route.fulfill(status=status, headers=headers, body=html))

    def console_errors(self) -> list[str]:
        """Return the errors and warnings of the console, failed requests and policy violations since the last call."""
        self._errors, errors = [], self._errors
        return errors

    def _go(self, path: str, status: int, handler: Handler | None = None) -> None:
        url = self.url + path
        self._expected = (url, f"status of {status}") if status >= 400 else None
        self.tab.unroute_all()
        if handler:
            self.tab.route(lambda _: True, handler, times=1)  # the first request is the document's
        answer = self.tab.goto(url)
        assert answer, path
        assert answer.status == status, f"{path}: {answer.status}"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or message.text == BLOCKED:
            return
        where = message.location["url"]
        if self._expected and where == self._expected[0] and self._expected[1] in message.text:
            self._expected = None  # Chromium writes one such line for the document
            return
        self._errors.append(f"{message.type}: {message.text} ({where})")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before the answer came
            self._errors.append(f"request failed: {request.url} {request.failure}")


def post(route: Route, body: str) -> None:
    """Turn a GET of the page into the POST of its form. This works without scripts too."""
    headers = {**route.request.headers, "content-type": "application/x-www-form-urlencoded"}
    route.continue_(method="POST", headers=headers, post_data=body)


@dataclass
class Windows:
    """Keep windows open, because opening one takes longer than loading a page."""

    browser: Browser
    site: Site
    _open: dict[tuple[str | None, str, bool], Window] = field(default_factory=dict)
    _lent: dict[bool, BrowserContext] = field(default_factory=dict)

    def of(self, who: str | None, language: str, *, scripts: bool = True) -> Window:
        """Return the window of a seeded account, in this language."""
        key = (who, language, scripts)
        if key not in self._open:
            self._open[key] = self.fresh(language, scripts=scripts, cookies=self.site.person(who).cookies)
        return self._open[key]

    @contextmanager
    def lent(self, cookies: dict[str, str], *, scripts: bool = True) -> Iterator[Window]:
        """Yield a window in English of a shared browser, with the static files in its cache, and nothing else."""
        if scripts not in self._lent:
            self._lent[scripts] = self.context("en", scripts=scripts)
        window = Window(self._lent[scripts], self.site.service.url)
        window.use_cookies(cookies)
        window.clear_storage()
        window.emulate("light", "desk")
        try:
            yield window
        finally:
            window.tab.unroute_all(behavior="ignoreErrors")  # a route that is still handled could hold the close up
            window.tab.close()

    def fresh(
        self, language: str, *, scripts: bool = True, cookies: dict[str, str] | None = None, worker: bool = False
    ) -> Window:
        """Return a window of a new browser, whose cache is empty.

        Args:
            worker: its pages may register the service worker.
        """
        window = Window(self.context(language, scripts=scripts, worker=worker), self.site.service.url)
        window.use_cookies(cookies or {})
        return window

    def touched(self, cookies: dict[str, str]) -> Window:
        """Return a window of a new browser on a phone, which has no mouse."""
        window = Window(self.context("en", scripts=True, has_touch=True), self.site.service.url)
        window.use_cookies(cookies)
        window.emulate("light", "phone")
        return window

    def context(self, language: str, *, scripts: bool, worker: bool = False, has_touch: bool = False) -> BrowserContext:
        context = self.browser.new_context(
            locale=LOCALES[language],
            java_script_enabled=scripts,
            service_workers="allow" if worker else "block",
            has_touch=has_touch,
            is_mobile=has_touch,
        )
        context.set_default_timeout(WITHIN * 1000)
        return context
