"""Rules for every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded once a language, and once without scripts, in English, whose words are the longer ones. Its
accessibility is checked in two shapes a language, so in all four together: colours and layout are the same in both.
"""

from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page as Tab

from tests.browser.axe import axe_violations
from tests.browser.overflow import overflow
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.window import NARROWEST, SIZES, Window, Windows

MAIN_HEADINGS = (
    "[...document.querySelectorAll('h1, [role=heading][aria-level=\"1\"]')].map(heading => heading.innerText)"
)
SHAPES = {"ko": (("desk", "light"), ("phone", "dark")), "en": (("desk", "dark"), ("phone", "light"))}
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


@pytest.fixture(scope="module", params=CASES)
def seen(request: pytest.FixtureRequest, windows: Windows) -> Seen:
    page: Page = request.param
    seen = Seen()
    for language in LANGUAGES:
        load(page, language, windows, seen)
    load_without_scripts(page, windows, seen)
    return seen


def load(page: Page, language: str, windows: Windows, seen: Seen) -> None:
    window = windows.of(page.who, language)
    window.emulate("light", "desk")
    window.visit(windows.site, page, language)
    seen.languages.append(window.tab.locator("html").get_attribute("lang"))
    seen.headings.append(main_headings(window.tab))
    check_accessibility(window, language, seen)
    check_overflow(window, language, seen)
    seen.console_errors += window.console_errors()


def load_without_scripts(page: Page, windows: Windows, seen: Seen) -> None:
    window = windows.of(page.who, "en", scripts=False)
    window.emulate("light", "desk")
    window.visit(windows.site, page, "en")
    window.block_requests()
    seen.headings_without_scripts = main_headings(window.tab)
    check_overflow(window, "en, without scripts", seen)
    window.go_blank()
    seen.console_errors += window.console_errors()


def main_headings(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate(MAIN_HEADINGS)
    return found


def check_accessibility(window: Window, language: str, seen: Seen) -> None:
    for size, scheme in SHAPES[language]:
        window.emulate(scheme, size)
        found = axe_violations(window.tab)
        seen.axe_violations += [f"{language}, {size}, {scheme}: {violation}" for violation in found]


def check_overflow(window: Window, how: str, seen: Seen) -> None:
    for width in (*(width for width, _ in SIZES.values()), NARROWEST):
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
