"""Check every page: in Korean and English, light and dark, on a desk and on a phone, with scripts and without.

Each page is loaded once a language, and once without scripts, in English, whose words are the longer ones. axe-core
reads all of it in one language, on the desk and in one scheme; and how it looks in the other language on the phone,
where it is tightest, in the other scheme. On the next page it is the other way round. What a page holds closed
(details, dialogs, popovers) is opened on the phone; a dialog that many pages have alike is read on the first of them.
"""

from collections import defaultdict
from pathlib import Path

import pytest

from app.web.static import ROOT, hashed_url
from tests.browser import tools
from tests.browser.checks import COLOURS, EVERYTHING, LOOKS, axe_violations, open_details, open_one_by_one, overflow
from tests.browser.controls import Control, Keyboard
from tests.browser.pages import LANGUAGES, PAGES, Page
from tests.browser.site import Site
from tests.browser.window import FORCED, NARROWEST, SCHEMES, SIZES, Window, Windows

MAIN_HEADINGS = (
    "[...document.querySelectorAll('h1, [role=heading][aria-level=\"1\"]')].map(heading => heading.innerText)"
)
WIDTHS = (*(width for width, _ in SIZES.values()), NARROWEST)
LOWEST = 256  # CSS pixels: 1024 at 400 %
OPENED: defaultdict[str, set[str]] = defaultdict(set)  # dialogs and popovers that were read, by language: their HTML
# These stand for all in the quick suite. They hold each part whose colours our styles keep from those of the system.
SMOKE = {"notes", "wordcounts-done"}
CASES = [pytest.param(page, id=page.name, marks=[pytest.mark.smoke] if page.name in SMOKE else []) for page in PAGES]


def test_the_html_of_every_page_is_valid(site: Site, packages: None, tmp_path: Path) -> None:
    """One test, so that no two workers of a parallel run read all pages. The languages take turns.

    One more page, which is invalid on purpose, shows that it is looked for.
    """
    for number, page in enumerate(PAGES):
        answer = site.answer(page, LANGUAGES[number % 2])
        assert answer.status_code == page.status, page.name
        (tmp_path / f"{page.name}.html").write_text(answer.text)
    (tmp_path / "invalid.html").write_text(INVALID)
    found = tools.html_validate(tmp_path)
    invalid = "\n".join(found.pop("invalid.html"))
    assert [rule for rule in ("wcag/h37", "no-implicit-close", "no-redundant-role") if rule not in invalid] == []
    assert not {name: faults for name, faults in found.items() if faults}


@pytest.mark.parametrize("page", CASES)
def test_it_is_in_order(windows: Windows, page: Page) -> None:
    """It speaks the reader's language, has one main heading, the same one without scripts, and at most one primary
    button. axe-core finds no violation, nothing scrolls sideways, and the console stays empty. Each fault says where it
    was found.
    """
    number = PAGES.index(page)
    on_desk, on_phone = SCHEMES if number // 2 % 2 else SCHEMES[::-1]
    faults: list[str] = []
    headings: dict[str, str] = {}
    for name, language, has_scripts in (("ko", "ko", True), ("en", "en", True), ("without scripts", "en", False)):
        window = windows.of(page.who, language, scripts=has_scripts)
        window.visit(windows.site, page, language)
        if not has_scripts:
            window.block_requests()
        found = too_wide(window)
        if (spoken := window.tab.locator("html").get_attribute("lang")) != language:
            found.append(f"it speaks {spoken}")
        main_headings = window.tab.evaluate(MAIN_HEADINGS)
        if len(main_headings) != 1:
            found.append(f"its main headings are {main_headings}")
        headings[name] = str(main_headings)
        if (primary := window.tab.locator(".primary").locator("visible=true").count()) > 1:
            found.append(f"it has {primary} primary buttons")
        if has_scripts and language == LANGUAGES[number % 2]:
            found += faults_of_opened(window, language, (on_phone, FORCED) if page.name in SMOKE else (on_phone,))
        elif has_scripts:
            window.emulate(on_desk, "desk")
            open_details(window.tab)
            found += axe_violations(window.tab)
        else:
            window.go_blank()  # without scripts, one that waits would reload itself during the next visit
        faults += [f"{name}: {fault}" for fault in found + window.console_errors()]
    assert not faults, "\n".join(faults)
    assert headings["without scripts"] == headings["en"]


def too_wide(window: Window) -> list[str]:
    found = []
    for width in WIDTHS:
        window.set_width(width)
        found.append(overflow(window.tab))
    return [fault for fault in found if fault]


def faults_of_opened(window: Window, language: str, schemes: tuple[str, ...]) -> list[str]:
    """Read the page on the phone with all details opened, and each dialog and popover alone."""
    open_details(window.tab)
    faults = faults_of_part(window, "html", LOOKS, schemes)
    for part in open_one_by_one(window.tab, OPENED[language]):
        faults += faults_of_part(window, part, EVERYTHING, (*SCHEMES, FORCED))
    return faults


def faults_of_part(window: Window, part: str, rules: tuple[str, ...], schemes: tuple[str, ...]) -> list[str]:
    faults = []
    for scheme in schemes:
        window.emulate(scheme, "phone")
        found = axe_violations(window.tab, rules if scheme == schemes[0] else COLOURS, part)
        faults += [f"opened {part}, {scheme}: {violation}" for violation in found]
    for height in (SIZES["phone"][1], LOWEST):
        window.set_width(NARROWEST, height)
        if wide := overflow(window.tab) or overflow(window.tab, part):
            faults.append(f"opened {part}: {wide}")
    return faults


# The checks themselves: in a good page they find nothing, and they find each fault that is planted.

ICON = hashed_url(next(ROOT.rglob("*.svg")))
GOOD = f'<!doctype html><html lang="en"><title>Planted</title><link rel="icon" href="{ICON}"><main><h1>Planted</h1>{{}}'
INVALID = '<!doctype html><html lang="en"><title>x</title><img src="x.png"><p><div></p><button role="button">x</button>'
REFUSED = {
    "<script>alert(1)</script>": "script-src",
    '<p style="color: red">x</p>': "style-src",
    '<img src="https://example.com/x.png" alt="">': "img-src",
    '<img src="/nothing.png" alt="">': "404",
}
PALE_AND_WIDE = '<p><font color="#ccc">pale</font></p><table width="700"><tr><td>wide</table>'
OUTLINE = "<style>:focus { outline: 3px solid }</style>"
COVER = '<div style="position: fixed; inset: 0; background: white">cover</div>'
UNUSABLE = {
    "<style>* { outline: none }</style><button>Save</button>": "no outline: <button>Save",
    f"{OUTLINE}<button>Save</button>{COVER}": "covered.*Save",
    f'{OUTLINE}<button tabindex="-1">Save</button><button>Other</button>': "does not lead to",
}


def test_a_good_page_is_found_good_and_planted_faults_are_found(windows: Windows) -> None:
    window = windows.fresh("en")
    policy = windows.site.person(None).get("/sign-in").headers["Content-Security-Policy"]

    def plant(html: str) -> None:
        window.serve(GOOD.format(html), "/planted", headers={"Content-Security-Policy": policy})
        window.set_width(NARROWEST)

    plant("<p>Nothing is wrong here.</p>")
    assert (axe_violations(window.tab), overflow(window.tab), window.console_errors()) == ([], None, [])
    plant('<input id="nameless">')
    assert [fault for fault in axe_violations(window.tab) if fault.startswith("label: ")]
    for closed in ("<details><summary>More</summary>{}</details>", "<dialog>{}</dialog>"):
        plant(closed.format(PALE_AND_WIDE))
        assert (axe_violations(window.tab, LOOKS), overflow(window.tab)) == ([], None)
        faults = "\n".join(faults_of_opened(window, "en", SCHEMES))
        assert [words for words in ("color-contrast", "in a window of", "<td>wide") if words not in faults] == []
    plant("".join(REFUSED))
    window.tab.evaluate("() => { setTimeout(() => { throw new Error('planted') }) }")
    window.tab.evaluate("() => new Promise(resolve => setTimeout(resolve))")
    errors = "\n".join(window.console_errors())
    assert [words for words in (*REFUSED.values(), "planted") if words not in errors] == []
    for html, fault in UNUSABLE.items():
        window.serve(html, "/planted")
        with pytest.raises(AssertionError, match=fault):
            Keyboard(window.tab).go_to(Control("button", "Save"))
