"""What holds for every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded twice a language, once with scripts and once without, and looked at in all its shapes.
"""

from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page as Tab

from tests.browser.barriers import barriers
from tests.browser.overflow import overflow
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.window import NARROWEST, SIZES, Window, Windows

MAIN_HEADINGS = (
    "[...document.querySelectorAll('h1, [role=heading][aria-level=\"1\"]')].map(heading => heading.innerText)"
)
# (size, scheme, whether every rule is asked for). Between the schemes nothing differs but colours.
SHAPES = (("desk", "light", True), ("desk", "dark", False), ("phone", "light", True), ("phone", "dark", False))
IN_MAKE_TEST = ("notes-ko", "result-en")
IDS = {f"{page.name}-{language}": (page, language) for page in PAGES for language in LANGUAGES}
CASES = [
    pytest.param(case, id=id_, marks=[pytest.mark.smoke] if id_ in IN_MAKE_TEST else []) for id_, case in IDS.items()
]


@dataclass
class Seen:
    """What was found wrong with a page, each with the shape in which it was."""

    language: str | None = None
    headings: list[str] = field(default_factory=list)
    headings_without_scripts: list[str] = field(default_factory=list)
    barriers: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Page, str]:
    found: tuple[Page, str] = request.param
    return found


@pytest.fixture(scope="module")
def seen(case: tuple[Page, str], windows: Windows) -> Seen:
    page, language = case
    seen = Seen()
    window = windows.of(page.who, language)
    window.dress("light", "desk")
    window.visit(windows.site, page, language)
    seen.language = window.tab.locator("html").get_attribute("lang")
    seen.headings = main_headings(window.tab)
    look_for_barriers(window, seen)
    look_for_overflow(window, seen, "with scripts")

    plain = windows.of(page.who, language, scripts=False)
    plain.dress("light", "desk")
    plain.visit(windows.site, page, language)
    plain.hold()
    seen.headings_without_scripts = main_headings(plain.tab)
    look_for_overflow(plain, seen, "without scripts")
    plain.leave()
    seen.complaints = [*window.complained(), *plain.complained()]
    return seen


def main_headings(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate(MAIN_HEADINGS)
    return found


def look_for_barriers(window: Window, seen: Seen) -> None:
    for size, scheme, every_rule in SHAPES:
        window.dress(scheme, size)
        found = barriers(window.tab, only_colours=not every_rule)
        seen.barriers += [f"{size}, {scheme}: {barrier}" for barrier in found]


def look_for_overflow(window: Window, seen: Seen, scripts: str) -> None:
    for width in (*(width for width, _ in SIZES.values()), NARROWEST):
        window.narrow(width)
        if too_wide := overflow(window.tab):
            seen.overflow.append(f"{scripts}: {too_wide}")


def test_it_speaks_the_readers_language(case: tuple[Page, str], seen: Seen) -> None:
    assert seen.language == case[1]


def test_axe_finds_no_barrier(seen: Seen) -> None:
    assert not seen.barriers, "\n".join(seen.barriers)


def test_nothing_is_scrolled_sideways(seen: Seen) -> None:
    assert not seen.overflow, "\n".join(seen.overflow)


def test_the_browser_has_nothing_to_complain_about(seen: Seen) -> None:
    assert not seen.complaints, "\n".join(seen.complaints)


def test_without_scripts_it_has_the_same_heading(seen: Seen) -> None:
    assert len(seen.headings) == 1
    assert seen.headings_without_scripts == seen.headings
