"""A window of the browser, which notes everything that it complains about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, Route
from playwright.sync_api import Page as Tab

from tests.browser.pages import Page
from tests.browser.site import Site
from tests.waiting import WITHIN

Handler = Callable[[Route], None]

LOCALES = {"ko": "ko-KR", "en": "en-GB"}
SIZES = {"desk": (1280, 900), "phone": (390, 844)}  # CSS pixels
NARROWEST = 320  # what WCAG 1.4.10 asks for: 1280 pixels at 400 %
SCHEMES = ("light", "dark")

# What a policy refuses is an event too; Chromium's own line of it in the console does not come for all of them.
REPORT_REFUSALS = """
document.addEventListener("securitypolicyviolation", event => console.error(
  `refused by the content security policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


class Window:
    """
    Args:
        context: what the browser tells about its reader, and the cookies.
        url: where the service is.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.tab: Tab = context.new_page()
        self.tab.add_init_script(REPORT_REFUSALS)
        self.url = url
        self.complaints: list[str] = []
        self._expected: tuple[str, str] | None = None
        self.tab.on("console", self._console)
        self.tab.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.tab.on("requestfailed", self._failed)

    def dress(self, scheme: str, size: str) -> None:
        """Light or dark, as large as a desk or a phone has it."""
        width, height = SIZES[size]
        self.tab.set_viewport_size({"width": width, "height": height})
        self.tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")

    def become(self, cookies: dict[str, str]) -> None:
        """Somebody else comes to this browser; what it stored besides cookies stays."""
        self.tab.context.clear_cookies()
        self.tab.context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )

    def forget(self) -> None:
        """What pages of the service stored besides cookies."""
        stored = {"origin": self.url, "storageTypes": "local_storage"}
        self.tab.context.new_cdp_session(self.tab).send("Storage.clearDataForOrigin", stored)

    def narrow(self, width: int) -> None:
        self.tab.set_viewport_size({"width": width, "height": SIZES["phone"][1]})

    def visit(self, site: Site, page: Page, language: str) -> None:
        """Go to a page, which is answered as it should be."""
        if page.error:
            answer = site.answer(page, language)
            self.show(answer.html, page.path, answer.status, answer.headers)
        elif page.form is not None:
            body = urlencode(site.fields(page))
            self._go(site.path(page), page.status, lambda route: post(route, body))
        else:
            self._go(site.path(page), page.status)

    def leave(self) -> None:
        """Be on no page: one that loads itself anew would do so in the middle of the next visit."""
        self.tab.goto("about:blank")

    def hold(self) -> None:
        """Until the next visit load nothing more: the page stays the one that is looked at."""
        self.tab.route(lambda _: True, lambda route: route.abort("aborted"))

    def show(self, html: str, path: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """A page that the service does not serve, as if it did."""
        headers = {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
        self._go(path, status, lambda route: route.fulfill(status=status, headers=headers, body=html))

    def complained(self) -> list[str]:
        """What it complained about since this was asked last."""
        self.complaints, complaints = [], self.complaints
        return complaints

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
        if message.type not in ("error", "warning"):
            return
        where = message.location["url"]
        if self._expected and where == self._expected[0] and self._expected[1] in message.text:
            self._expected = None  # Chromium writes one such line for the document
            return
        self.complaints.append(f"{message.type}: {message.text} ({where})")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # that one was under way when the page was left
            self.complaints.append(f"request failed: {request.url} {request.failure}")


def post(route: Route, body: str) -> None:
    """Send what is asked for as the form that leads there; no script is needed for it."""
    headers = {**route.request.headers, "content-type": "application/x-www-form-urlencoded"}
    route.continue_(method="POST", headers=headers, post_data=body)


@dataclass
class Windows:
    """Windows that stay open: to open one takes longer than to show a page."""

    browser: Browser
    site: Site
    _open: dict[tuple[str | None, str, bool], Window] = field(default_factory=dict)
    _lent: dict[bool, BrowserContext] = field(default_factory=dict)

    def of(self, who: str | None, language: str, *, scripts: bool = True) -> Window:
        """The window of a person of the site who reads this language."""
        key = (who, language, scripts)
        if key not in self._open:
            self._open[key] = self.fresh(language, scripts=scripts, cookies=self.site.person(who).cookies)
        return self._open[key]

    @contextmanager
    def lent(self, cookies: dict[str, str], *, scripts: bool = True) -> Iterator[Window]:
        """A window in English of a browser that others had before: it has the static files, and nothing of theirs."""
        if scripts not in self._lent:
            self._lent[scripts] = self.context("en", scripts=scripts)
        window = Window(self._lent[scripts], self.site.service.url)
        window.become(cookies)
        window.forget()
        window.dress("light", "desk")
        try:
            yield window
        finally:
            window.tab.close()

    def fresh(self, language: str, *, scripts: bool = True, cookies: dict[str, str] | None = None) -> Window:
        """A window of a browser that was never used before."""
        window = Window(self.context(language, scripts=scripts), self.site.service.url)
        window.become(cookies or {})
        return window

    def context(self, language: str, *, scripts: bool) -> BrowserContext:
        context = self.browser.new_context(locale=LOCALES[language], java_script_enabled=scripts)
        context.set_default_timeout(WITHIN * 1000)
        return context
