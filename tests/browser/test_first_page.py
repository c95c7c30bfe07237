"""A stranger's first page: all that the browser loads for it, with an empty cache, is light."""

import gzip
import json
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Response

from tests.browser.window import Windows

LIMIT = 25 * 1024  # bytes, compressed
# A browser without a window asks for neither icon nor manifest.
NAMED = "[...document.querySelectorAll('link[rel=manifest], link[rel=icon]')].map(link => link.href)"


def loaded(tab: Tab, url: str) -> dict[str, int]:
    """URL: bytes of its body, compressed as well as gzip can, of all that the page loads and names."""
    answers: list[Response] = []
    tab.on("response", lambda answer: answers.append(answer))
    tab.goto(url, wait_until="networkidle")
    bodies = {answer.url: answer.body() for answer in answers}
    for named in tab.evaluate(NAMED):
        bodies[named] = tab.request.get(named).body()
        if named.endswith(".webmanifest"):
            for icon in json.loads(bodies[named])["icons"]:
                address = urljoin(named, icon["src"])
                bodies[address] = tab.request.get(address).body()
    return {url: len(gzip.compress(body, compresslevel=9)) for url, body in bodies.items()}


@pytest.mark.smoke
@pytest.mark.parametrize("path", ["/", "/sign-up", "/sign-up/{sign_up_token}", "/sign-in"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_it_is_light(windows: Windows, path: str, language: str) -> None:
    tab = windows.fresh(language).tab
    weights = loaded(tab, windows.site.service.url + path.format_map(windows.site.ids))
    tab.context.close()
    listing = "\n".join(f"{weight:6} {url}" for url, weight in weights.items())
    assert any(".css" in url for url in weights), listing
    assert any("icon-512" in url for url in weights), listing
    assert sum(weights.values()) <= LIMIT, f"{sum(weights.values())}\n{listing}"
