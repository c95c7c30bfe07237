"""The weight of pages: on a slow phone, the bytes are the waiting time."""

import gzip
import json
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Response

from app.accounts.models import User
from app.notes import service as notes
from app.notes.listing import PAGE_SIZE
from tests.browser.pages import LANGUAGES
from tests.browser.seed import ENGLISH, KOREAN
from tests.browser.window import Windows
from tests.visitor import Visitor

STATIC = Path(__file__).parents[2] / "app/static"
STATIC_LIMIT = 60 * 1024  # bytes, of all files together
NOTES_LIMIT = 4 * 1024
NOTES_LIMIT_PLAIN = 24 * 1024  # which the process renders, and a proxy compresses
FIRST_PAGE_LIMIT = 25 * 1024
# A browser without a window asks for neither icon nor manifest.
NAMED = "[...document.querySelectorAll('link[rel=manifest], link[rel=icon]')].map(link => link.href)"


def weight(content: bytes) -> int:
    return len(gzip.compress(content, compresslevel=9))


@pytest.mark.smoke
def test_all_static_files_together_are_light() -> None:
    weights = {path: weight(path.read_bytes()) for path in STATIC.rglob("*") if path.is_file()}
    listing = "\n".join(f"{size:6} {path.relative_to(STATIC)}" for path, size in weights.items())
    assert 0 < sum(weights.values()) <= STATIC_LIMIT, listing


@pytest.mark.smoke
def test_a_page_full_of_notes_is_light(app: object, signed_in: Visitor, alice: User) -> None:
    for number in range(PAGE_SIZE):
        text = (*KOREAN, *ENGLISH)[number % 6]
        notes.create_note(alice.id, f"{number} {text}"[:50], f"{number} {text}" * 3)
    page = signed_in.get("/notes").data
    assert page.count(b"<article") == PAGE_SIZE
    assert weight(page) <= NOTES_LIMIT, weight(page)
    assert len(page) <= NOTES_LIMIT_PLAIN


def loaded(tab: Tab, url: str) -> dict[str, int]:
    """Return the URL of all that the page loads and names, with the weight of its body."""
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
    return {url: weight(body) for url, body in bodies.items()}


@pytest.mark.smoke
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_strangers_first_page_is_light(windows: Windows, language: str) -> None:
    for path in ("/", "/sign-up", "/sign-up/{sign_up_token}", "/sign-in"):
        tab = windows.fresh(language).tab  # with an empty cache
        weights = loaded(tab, windows.site.service.url + path.format_map(windows.site.ids))
        tab.context.close()
        listing = "\n".join(f"{size:6} {url}" for url, size in weights.items())
        assert any(".css" in url for url in weights), listing
        assert any("icon-512" in url for url in weights), listing
        assert sum(weights.values()) <= FIRST_PAGE_LIMIT, f"{path}: {sum(weights.values())}\n{listing}"
