"""Weigh a stranger's first page: all that the browser loads for it, with an empty cache."""

import gzip
import json
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Response

from tests.browser.pages import LANGUAGES
from tests.browser.window import Windows

LIMIT = 25 * 1024  # bytes, compressed
# A browser without a window asks for neither icon nor manifest.
NAMED = "[...document.querySelectorAll('link[rel=manifest], link[rel=icon]')].map(link => link.href)"


def loaded(tab: Tab, url: str) -> dict[str, int]:
    """Return the URL of all that the page loads and names, with the bytes of its body, compressed by gzip."""
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
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_light(windows: Windows, language: str) -> None:
    for path in ("/", "/sign-up", "/sign-up/{sign_up_token}", "/sign-in"):
        tab = windows.fresh(language).tab  # with an empty cache
        weights = loaded(tab, windows.site.service.url + path.format_map(windows.site.ids))
        tab.context.close()
        listing = "\n".join(f"{weight:6} {url}" for url, weight in weights.items())
        assert any(".css" in url for url in weights), listing
        assert any("icon-512" in url for url in weights), listing
        assert sum(weights.values()) <= LIMIT, f"{path}: {sum(weights.values())}\n{listing}"
