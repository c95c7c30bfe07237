"""Plant faults, which the checks of the browser tests find; in a good page they find none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.web.static import ROOT, hashed_url
from tests.browser import tools
from tests.browser.checks import LOOKS, axe_violations, overflow
from tests.browser.controls import Control, Keyboard
from tests.browser.pages import Page
from tests.browser.test_every_page import faults_of_opened
from tests.browser.window import NARROWEST, Window, Windows

Plant = Callable[[str], Window]

ICON = hashed_url(next(ROOT.rglob("*.svg")))
HEAD = f'<html lang="en"><title>Planted</title><link rel="icon" href="{ICON}">'
GOOD = f"<!doctype html>{HEAD}<main><h1>Planted</h1>{{}}</main></html>"
INVALID = '<!doctype html><html lang="en"><title>x</title><img src="x.png"><p><div></p><button role="button">x</button>'
VIOLATIONS = {
    '<input id="nameless">': ("label: ", "#nameless"),
    '<img src="/static/nothing.svg">': ("image-alt: ", "img"),
    '<button style="" tabindex="3">Go</button>': ("tabindex: ", "button"),
    '<p><font color="#ccc">pale</font></p>': ("color-contrast: ", "font"),
    "<h4>Too deep</h4>": ("heading-order: ", "h4"),
    '<a href="/a"><font size="1">1</font></a><a href="/b"><font size="1">2</font></a>': ("target-size: ", "a"),
}
REFUSED = {
    "<script>alert(1)</script>": "script-src",
    '<p style="color: red">x</p>': "style-src",
    '<img src="https://example.com/x.png" alt="">': "img-src",
    '<img src="/nothing.png" alt="">': "404",
}
CLOSED = (
    "<details><summary>More</summary>{}</details>",
    "<dialog>{}</dialog>",
)
PALE_AND_WIDE = '<p><font color="#ccc">pale</font></p><table width="700"><tr><td>wide</table>'


@pytest.fixture
def plant(windows: Windows) -> Plant:
    """Return what serves HTML with the content security policy of the service."""
    window = windows.fresh("en")
    window.emulate("light", "phone")
    policy = windows.site.person(None).get("/sign-in").headers["Content-Security-Policy"]

    def plant(html: str) -> Window:
        window.serve(GOOD.format(html), "/planted", headers={"Content-Security-Policy": policy})
        return window

    return plant


def test_a_good_page_is_found_good(plant: Plant) -> None:
    window = plant("<p>Nothing is wrong here.</p>")
    window.set_width(NARROWEST)
    assert (axe_violations(window.tab), overflow(window.tab), window.console_errors()) == ([], None, [])


def test_planted_axe_violations_are_found(plant: Plant) -> None:
    found = axe_violations(plant("".join(VIOLATIONS)).tab)
    for rule, target in VIOLATIONS.values():
        assert [each for each in found if each.startswith(rule) and target in each], (rule, found)


def test_the_widest_element_of_a_page_that_is_too_wide_is_named(plant: Plant) -> None:
    window = plant('<p>short</p><table width="700" id="wide"><tr><td>x</table>')
    window.set_width(NARROWEST)
    found = overflow(window.tab) or ""
    assert "pixels in a window of 320" in found
    assert "<td>x" in found


def test_a_fault_in_what_is_closed_is_found(plant: Plant) -> None:
    for closed in CLOSED:
        window = plant(closed.format(PALE_AND_WIDE))
        assert (axe_violations(window.tab, LOOKS), overflow(window.tab)) == ([], None)
        faults = "\n".join(faults_of_opened(window, "en"))
        assert "color-contrast" in faults
        assert "pixels in a window" in faults


def test_planted_console_errors_are_found(plant: Plant) -> None:
    window = plant("".join(REFUSED))
    window.tab.evaluate("() => { setTimeout(() => { throw new Error('planted') }) }")
    window.tab.evaluate("() => new Promise(resolve => setTimeout(resolve))")
    errors = "\n".join(window.console_errors())
    assert [words for words in (*REFUSED.values(), "planted") if words not in errors] == []


def test_an_expected_status_is_no_console_error_and_any_other_fails_the_visit(windows: Windows) -> None:
    window = windows.fresh("en")
    window.visit(windows.site, Page("missing", "/nothing", status=404), "en")
    assert window.console_errors() == []
    window.open("/nothing")
    [error] = window.console_errors()
    assert "404" in error
    with pytest.raises(AssertionError, match="/sign-in: 200"):
        window.visit(windows.site, Page("wrong", "/sign-in", status=404), "en")


def test_invalid_html_is_found(packages: None, tmp_path: Path) -> None:
    (tmp_path / "invalid.html").write_text(INVALID)
    found = "\n".join(tools.html_validate(tmp_path)["invalid.html"])
    assert [rule for rule in ("wcag/h37", "no-implicit-close", "no-redundant-role") if rule not in found] == []


def test_a_control_that_the_keyboard_cannot_use_or_show_is_found(windows: Windows) -> None:
    window = windows.fresh("en")
    outline = "<style>:focus { outline: 3px solid }</style>"
    cover = '<div style="position: fixed; inset: 0; background: white">cover</div>'
    for html, fault in (
        ("<style>* { outline: none }</style><button>Save</button>", "no outline: <button>Save"),
        (f"{outline}<button>Save</button>{cover}", r"covered.*Save"),
        (f'{outline}<button tabindex="-1">Save</button><button>Other</button>', "does not lead to"),
    ):
        window.serve(html, "/planted")
        with pytest.raises(AssertionError, match=fault):
            Keyboard(window.tab).go_to(Control("button", "Save"))
