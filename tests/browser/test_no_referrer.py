"""Forms work over TLS for a reader whose browser says nothing of the page before: by a policy, an extension, a proxy.

Of whom the policy is no-referrer, Chromium sends forms with `Origin: null`, and Sec-Fetch-Site beside it.
"""

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Route, expect
from playwright.sync_api import Page as Tab
from werkzeug.serving import make_server

from tests.browser.site import Reader, Site
from tests.waiting import WITHIN

SECURE = "localhost"


@pytest.fixture(scope="module")
def secure_url(site: Site) -> Iterator[str]:
    """Yield the same site over TLS, with a certificate of its own making."""
    server = make_server(SECURE, 0, site.app, threaded=True, ssl_context="adhoc")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://{SECURE}:{server.server_port}"
    server.shutdown()
    thread.join()


def by_policy(route: Route) -> None:
    """Set the page's policy to no-referrer."""
    if route.request.is_navigation_request() and route.request.method == "GET":
        answer = route.fetch(max_redirects=0)
        route.fulfill(response=answer, headers={**answer.headers, "referrer-policy": "no-referrer"})
    else:
        route.continue_()


def by_extension(route: Route) -> None:
    """Take the Referer out on the way."""
    route.continue_(headers={name: value for name, value in route.request.headers.items() if name != "referer"})


# Without scripts too where the policy speaks: a form says less of its origin than a script.
@pytest.mark.parametrize(("strips", "has_scripts"), [(by_policy, True), (by_policy, False), (by_extension, True)])
def test_forms_are_taken(
    browser: Browser, secure_url: str, reader: Reader, has_scripts: bool, strips: Callable[[Route], None]
) -> None:
    context = browser.new_context(ignore_https_errors=True, java_script_enabled=has_scripts, service_workers="block")
    context.set_default_timeout(WITHIN * 1000)
    context.add_cookies([{"name": name, "value": value, "url": secure_url} for name, value in reader.cookies.items()])
    context.route("**/*", strips)
    tab = context.new_page()
    try:
        change(tab, f"{secure_url}/mypage/edit", "Nickname", "Save", f"{reader.nickname} again")
        change(tab, f"{secure_url}/todos", "New todo", "Add", "half a thought")
    finally:
        context.close()


def change(tab: Tab, url: str, field: str, button: str, text: str) -> None:
    """Send a form, and see on the next page what it has stored."""
    tab.goto(url)
    box = tab.get_by_role("textbox", name=field, exact=True)
    box.fill(text)
    box.locator("xpath=ancestor::form").get_by_role("button", name=button, exact=True).click()
    expect(tab.get_by_text(text).locator("visible=true").first).to_be_visible()
