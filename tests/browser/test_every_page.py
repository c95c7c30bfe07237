"""Rules for every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded once a language, and once without scripts, in English, whose words are the longer ones. axe-core
reads all of it once a language, and the phone, where it is tightest, in both languages and both schemes. The desk is
read in one scheme, and on the next page in the other one: what both sizes show has the same colours there.

Then everything that the page holds closed is opened (details, dialogs, popovers), and read on the phone in both schemes
and in forced colours; in one language, and on the next page in the other one. A dialog that many pages have alike is
read on the first of them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from playwright.sync_api import Page as Tab

from tests.browser.axe import EVERYTHING, LOOKS, axe_violations
from tests.browser.opening import open_details, open_one_by_one
from tests.browser.overflow import overflow
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.window import FORCED, NARROWEST, SCHEMES, SIZES, Window, Windows

MAIN_HEADINGS = (
    "[...document.querySelectorAll('h1, [role=heading][aria-level=\"1\"]')].map(heading => heading.innerText)"
)
WIDTHS = (*(width for width, _ in SIZES.values()), NARROWEST)
LOWEST = 256  # CSS pixels: 1024 at 400 %
OPENED: set[tuple[str, str]] = set()  # dialogs and popovers that were read: language, HTML
SMOKE = {"notes", "result"}  # stand for all in the quick suite
CASES = [pytest.param(page, id=page.name, marks=[pytest.mark.smoke] if page.name in SMOKE else []) for page in PAGES]


@dataclass
class Seen:
    """What was found in a page. Each fault names the language and the shape in which it was found."""

    languages: list[str | None] = field(default_factory=list)
    headings: list[list[str]] = field(default_factory=list)  # of each language
    headings_without_scripts: list[str] = field(default_factory=list)
    axe_violations: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)


class Reading(NamedTuple):
    """What axe-core checks in one shape of a page."""

    size: str
    scheme: str
    rules: tuple[str, ...]


def readings_of(page: Page) -> dict[str, list[Reading]]:
    """What axe-core reads of a page in each language. Both schemes, languages and sizes are among them."""
    one, other = SCHEMES if PAGES.index(page) % 2 else SCHEMES[::-1]
    korean = [Reading("desk", one, EVERYTHING), Reading("phone", other, LOOKS)]
    return {"ko": korean, "en": [Reading("phone", one, EVERYTHING)]}


@pytest.fixture(scope="module", params=CASES)
def seen(request: pytest.FixtureRequest, windows: Windows) -> Seen:
    page: Page = request.param
    seen = Seen()
    for language in LANGUAGES:
        load(page, language, windows, seen)
    load_without_scripts(page, windows, seen)
    return seen


def load(page: Page, language: str, windows: Windows, seen: Seen) -> None:
    readings = readings_of(page)[language]
    window = windows.of(page.who, language)
    window.emulate(readings[0].scheme, readings[0].size)
    window.visit(windows.site, page, language)
    seen.languages.append(window.tab.locator("html").get_attribute("lang"))
    seen.headings.append(main_headings(window.tab))
    for reading in readings:
        window.emulate(reading.scheme, reading.size)
        found = axe_violations(window.tab, reading.rules)
        seen.axe_violations += [f"{language}, {reading.size}, {reading.scheme}: {violation}" for violation in found]
    check_overflow(window, language, seen)
    if language == LANGUAGES[PAGES.index(page) % 2]:
        load_opened(window, language, seen)
    seen.console_errors += window.console_errors()


def load_opened(window: Window, language: str, seen: Seen) -> None:
    """The page with all details opened, and each dialog and popover alone."""
    if open_details(window.tab):
        read_opened(window, "html", language, seen)
    else:
        seen.axe_violations += violations_of(window, "html", FORCED, LOOKS, language)
    for part in open_one_by_one(window.tab):
        alike = (language, window.tab.locator(part).evaluate("part => part.outerHTML"))
        if alike not in OPENED:
            OPENED.add(alike)
            read_opened(window, part, language, seen)


def read_opened(window: Window, part: str, language: str, seen: Seen) -> None:
    for scheme in SCHEMES:
        seen.axe_violations += violations_of(window, part, scheme, LOOKS, language)
    seen.axe_violations += violations_of(window, part, FORCED, EVERYTHING, language)
    for height in (SIZES["phone"][1], LOWEST):
        window.set_width(NARROWEST, height)
        if too_wide := overflow(window.tab) or overflow(window.tab, part):
            seen.overflow.append(f"{language}, opened {part}: {too_wide}")


def violations_of(window: Window, part: str, scheme: str, rules: tuple[str, ...], language: str) -> list[str]:
    window.emulate(scheme, "phone")
    return [f"{language}, opened {part}, {scheme}: {found}" for found in axe_violations(window.tab, rules, part)]


def load_without_scripts(page: Page, windows: Windows, seen: Seen) -> None:
    window = windows.of(page.who, "en", scripts=False)
    window.emulate("light", "desk")
    window.visit(windows.site, page, "en")
    window.block_requests()
    seen.headings_without_scripts = main_headings(window.tab)
    check_overflow(window, "en, without scripts", seen)
    if window.reloads_itself():
        window.go_blank()
    seen.console_errors += window.console_errors()


def main_headings(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate(MAIN_HEADINGS)
    return found


def check_overflow(window: Window, how: str, seen: Seen) -> None:
    for width in WIDTHS:
        window.set_width(width)
        if too_wide := overflow(window.tab):
            seen.overflow.append(f"{how}: {too_wide}")


def test_it_speaks_the_readers_language(seen: Seen) -> None:
    assert seen.languages == [*LANGUAGES]


def test_axe_finds_no_violation(seen: Seen) -> None:
    assert not seen.axe_violations, "\n".join(seen.axe_violations)


def test_nothing_scrolls_sideways(seen: Seen) -> None:
    assert not seen.overflow, "\n".join(seen.overflow)


def test_the_console_stays_empty(seen: Seen) -> None:
    assert not seen.console_errors, "\n".join(seen.console_errors)


def test_it_has_one_main_heading_also_without_scripts(seen: Seen) -> None:
    assert [len(headings) for headings in seen.headings] == [1, 1]
    assert seen.headings_without_scripts == seen.headings[LANGUAGES.index("en")]
