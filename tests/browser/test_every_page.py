"""Rules for every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded twice a language, once with scripts and once without. Its accessibility is checked in two shapes a
language, so in all four together: contrast and layout are the same in both, and its texts are read in both.
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
SMOKE = {("notes", "ko"), ("result", "en")}  # stands for all in the quick suite
CASES = [
    pytest.param(
        (page, language),
        id=f"{page.name}-{language}",
        marks=[pytest.mark.smoke] if (page.name, language) in SMOKE else [],
    )
    for page in PAGES
    for language in LANGUAGES
]


@dataclass
class Seen:
    """What was found in a page. Each fault names the shape in which it was found."""

    language: str | None = None
    headings: list[str] = field(default_factory=list)
    headings_without_scripts: list[str] = field(default_factory=list)
    axe_violations: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Page, str]:
    found: tuple[Page, str] = request.param
    return found


@pytest.fixture(scope="module")
def seen(case: tuple[Page, str], windows: Windows) -> Seen:
    page, language = case
    seen = Seen()
    window = windows.of(page.who, language)
    window.emulate("light", "desk")
    window.visit(windows.site, page, language)
    seen.language = window.tab.locator("html").get_attribute("lang")
    seen.headings = main_headings(window.tab)
    check_accessibility(window, language, seen)
    check_overflow(window, seen, "with scripts")

    plain = windows.of(page.who, language, scripts=False)
    plain.emulate("light", "desk")
    plain.visit(windows.site, page, language)
    plain.block_requests()
    seen.headings_without_scripts = main_headings(plain.tab)
    check_overflow(plain, seen, "without scripts")
    plain.go_blank()
    seen.console_errors = [*window.console_errors(), *plain.console_errors()]
    return seen


def main_headings(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate(MAIN_HEADINGS)
    return found


def check_accessibility(window: Window, language: str, seen: Seen) -> None:
    for size, scheme in SHAPES[language]:
        window.emulate(scheme, size)
        found = axe_violations(window.tab)
        seen.axe_violations += [f"{size}, {scheme}: {violation}" for violation in found]


def check_overflow(window: Window, seen: Seen, scripts: str) -> None:
    for width in (*(width for width, _ in SIZES.values()), NARROWEST):
        window.set_width(width)
        if too_wide := overflow(window.tab):
            seen.overflow.append(f"{scripts}: {too_wide}")


def test_it_speaks_the_readers_language(case: tuple[Page, str], seen: Seen) -> None:
    assert seen.language == case[1]


def test_axe_finds_no_violation(seen: Seen) -> None:
    assert not seen.axe_violations, "\n".join(seen.axe_violations)


def test_nothing_scrolls_sideways(seen: Seen) -> None:
    assert not seen.overflow, "\n".join(seen.overflow)


def test_the_console_stays_empty(seen: Seen) -> None:
    assert not seen.console_errors, "\n".join(seen.console_errors)


def test_without_scripts_it_has_the_same_heading(seen: Seen) -> None:
    assert len(seen.headings) == 1
    assert seen.headings_without_scripts == seen.headings
