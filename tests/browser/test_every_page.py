"""Check every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded once a language, and once without scripts, in English, whose words are the longer ones. What it
holds closed (details, dialogs, popovers) is opened. axe-core reads all of it in one language, on the desk and in one
scheme; and how it looks in the other language on the phone, where it is tightest, in both schemes and in forced
colours. On the next page it is the other way round. A dialog that many pages have alike is read on the first of them.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab

from tests.browser import tools
from tests.browser.checks import COLOURS, EVERYTHING, LOOKS, axe_violations, open_details, open_one_by_one, overflow
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.site import Site
from tests.browser.window import FORCED, NARROWEST, SCHEMES, SIZES, Window, Windows

MAIN_HEADINGS = (
    "[...document.querySelectorAll('h1, [role=heading][aria-level=\"1\"]')].map(heading => heading.innerText)"
)
WIDTHS = (*(width for width, _ in SIZES.values()), NARROWEST)
LOWEST = 256  # CSS pixels: 1024 at 400 %
OPENED: set[tuple[str, str]] = set()  # dialogs and popovers that were read: language, HTML
SMOKE = {"notes", "result"}  # stand for all in the quick suite
CASES = [pytest.param(page, id=page.name, marks=[pytest.mark.smoke] if page.name in SMOKE else []) for page in PAGES]


def test_the_html_of_every_page_is_valid_in_both_languages(site: Site, packages: None, tmp_path: Path) -> None:
    """One test, so that no two workers of a parallel run read all pages."""
    for page in PAGES:
        for language in LANGUAGES:
            answer = site.answer(page, language)
            assert answer.status == page.status, page.name
            (tmp_path / f"{page.name}.{language}.html").write_text(answer.html)
    assert not {name: found for name, found in tools.html_validate(tmp_path).items() if found}


@pytest.mark.parametrize("page", CASES)
def test_it_is_in_order(windows: Windows, page: Page) -> None:
    """It speaks the reader's language and has one main heading, the same one without scripts. axe-core finds no
    violation, nothing scrolls sideways, and the console stays empty. Each fault says where it was found.
    """
    faults: list[str] = []
    headings = {language: load(page, language, windows, faults) for language in LANGUAGES}
    faults += [f"{language}: its main headings are {found}" for language, found in headings.items() if len(found) != 1]
    without_scripts = load_without_scripts(page, windows, faults)
    if without_scripts != headings["en"]:
        faults.append(f"without scripts its main headings are {without_scripts}")
    assert not faults, "\n".join(faults)


def load(page: Page, language: str, windows: Windows, faults: list[str]) -> list[str]:
    """Read the page in one language, and return its main headings."""
    number = PAGES.index(page)
    scheme = SCHEMES[number // 2 % 2]
    window = windows.of(page.who, language)
    window.emulate(scheme, "desk")
    window.visit(windows.site, page, language)
    if (found := window.tab.locator("html").get_attribute("lang")) != language:
        faults.append(f"{language}: it speaks {found}")
    headings = main_headings(window.tab)
    if language == LANGUAGES[number % 2]:
        faults += too_wide(window, language)
        faults += faults_of_opened(window, language)
    else:
        open_details(window.tab)
        faults += [f"{language}, desk, {scheme}: {violation}" for violation in axe_violations(window.tab)]
        faults += too_wide(window, language)
    faults += window.console_errors()
    return headings


def faults_of_opened(window: Window, language: str) -> list[str]:
    """Read the page on the phone with all details opened, and each dialog and popover alone."""
    open_details(window.tab)
    faults = faults_of_part(window, "html", LOOKS, language)
    for part in open_one_by_one(window.tab):
        alike = (language, window.tab.locator(part).evaluate("part => part.outerHTML"))
        if alike not in OPENED:
            OPENED.add(alike)
            faults += faults_of_part(window, part, EVERYTHING, language)
    return faults


def faults_of_part(window: Window, part: str, rules: tuple[str, ...], language: str) -> list[str]:
    faults = []
    for scheme in (*SCHEMES, FORCED):
        window.emulate(scheme, "phone")
        found = axe_violations(window.tab, rules if scheme == SCHEMES[0] else COLOURS, part)
        faults += [f"{language}, opened {part}, {scheme}: {violation}" for violation in found]
    for height in (SIZES["phone"][1], LOWEST):
        window.set_width(NARROWEST, height)
        if wide := overflow(window.tab) or overflow(window.tab, part):
            faults.append(f"{language}, opened {part}: {wide}")
    return faults


def load_without_scripts(page: Page, windows: Windows, faults: list[str]) -> list[str]:
    """Read the page in English without scripts, and return its main headings."""
    window = windows.of(page.who, "en", scripts=False)
    window.visit(windows.site, page, "en")
    window.block_requests()
    headings = main_headings(window.tab)
    faults += too_wide(window, "en, without scripts")
    if window.reloads_itself():
        window.go_blank()
    faults += window.console_errors()
    return headings


def main_headings(tab: Tab) -> list[str]:
    found: list[str] = tab.evaluate(MAIN_HEADINGS)
    return found


def too_wide(window: Window, how: str) -> list[str]:
    faults = []
    for width in WIDTHS:
        window.set_width(width)
        if found := overflow(window.tab):
            faults.append(f"{how}: {found}")
    return faults
