"""Find the controls of a page by name, and use them by keyboard alone. The focus has to be visible at every stop."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from tests.waiting import wait_until

Role = Literal["button", "checkbox", "link", "textbox"]

IN_OUTBOX = "Object.keys(localStorage).filter(key => key.startsWith('outbox:')).length"
MOST_STOPS = 120  # presses of Tab; no control should be farther away

# The focus ring may be on a neighbour of the focused element: on the box around a field that is hidden itself, say.
LOOK = """target => {
  const element = document.activeElement;
  if (!element || element === document.body)  // behind the last stop
    return { lost: null, arrived: target === document.body };
  const html = element.outerHTML.slice(0, 120);
  const around = [element, element.parentElement, element.previousElementSibling, element.nextElementSibling,
    element.form, ...(element.labels ?? [])];
  // The browser outlines the parts of a date field in its shadow DOM, which scripts cannot see.
  const isOutlined = element.type === "date" || around.some(shown => {
    const { outlineStyle, outlineWidth, outlineColor } = shown ? getComputedStyle(shown) : {};
    return shown && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2
      && !/^(transparent|rgba\\(.*, 0\\))$/.test(outlineColor);
  });
  const owned = [element, ...(element.labels ?? [])];
  const isSeen = owned.some(shown => [...shown.getClientRects()].some(({ left, top, width, height }) =>
    [[.5, .5], [.1, .2], [.9, .2], [.1, .8], [.9, .8]].some(([x, y]) => {
      const hit = document.elementFromPoint(left + width * x, top + height * y);
      return hit && (shown.contains(hit) || hit.contains(shown) && !/^(BODY|HTML)$/.test(hit.nodeName));
    })));
  const lost = !isOutlined ? `no outline: ${html}` : !isSeen ? `covered, or not on the screen: ${html}` : null;
  return { lost, arrived: element === target };
}"""


@dataclass(frozen=True)
class Control:
    """Name a control by its role and the beginning of its accessible name, as a screen reader does."""

    role: Role
    name: str
    is_password: bool = False  # password fields have no role

    def of(self, tab: Tab) -> Locator:
        name = re.compile(rf"^\s*({self.name})", re.IGNORECASE)
        found = tab.get_by_label(name) if self.is_password else tab.get_by_role(self.role, name=name)
        return found.locator("visible=true").first


@dataclass
class Keyboard:
    tab: Tab

    def go_to(self, control: Control) -> None:
        """Press Tab until the control has the focus.

        Raises:
            AssertionError: Tab does not reach it, or the focus is not visible at some stop on the way.
        """
        expect(control.of(self.tab)).to_be_visible()
        assert self._reaches(control.of(self.tab)), f"Tab does not lead to {control}"

    def walk(self) -> None:
        """Press Tab until the focus leaves the page, and assert that it is visible at every stop."""
        assert self._reaches(self.tab.locator("body")), "Tab does not lead out of the page"

    def _reaches(self, place: Locator) -> bool:
        target = place.element_handle()
        for _ in range(MOST_STOPS):
            self.tab.keyboard.press("Tab")
            here = target.evaluate(LOOK)
            assert here["lost"] is None, here["lost"]
            if here["arrived"]:
                return True
        return False

    def write(self, control: Control, text: str) -> None:
        """Go to a field and replace what it holds."""
        self.go_to(control)
        self.tab.keyboard.press("Control+A")
        self.tab.keyboard.type(text)

    def press(self, control: Control, key: Literal["Enter", "Space"] = "Enter") -> None:
        self.go_to(control)
        self.tab.keyboard.press(key)

    def sees(self, control: Control) -> None:
        """Wait until the control is on the page."""
        expect(control.of(self.tab)).to_be_visible()

    def is_at(self, path: str) -> None:
        """Wait for an address; `path` is a regular expression."""
        expect(self.tab).to_have_url(re.compile(rf"^https?://[^/]+{path}$"))


def hold(tab: Tab, key: str, until: Callable[[], object], more: int = 20) -> None:
    """Hold a key down, as the system repeats it: until something is so, and on for `more` repeats."""

    def comes_with_a_repeat() -> object:
        tab.keyboard.down(key)  # of a key that is down: with autoRepeat
        return until()

    tab.keyboard.down(key)
    wait_until(comes_with_a_repeat, f"{key} is held")
    for _ in range(more):
        tab.keyboard.down(key)
    tab.keyboard.up(key)


def acts_once(tab: Tab, name: str) -> None:
    """Press Enter twice on a button, and again where the focus is then, and assert that one form was sent."""
    posts = posts_of(tab)
    control = tab.get_by_role("button", name=re.compile(f"^{name}")).first
    control.focus()
    with tab.expect_request(lambda request: request.method == "POST"):
        for _ in range(2):
            tab.keyboard.press("Enter")
    tab.wait_for_load_state("networkidle")
    if control.count() and control.evaluate("control => control === document.activeElement"):
        return  # it has kept the focus that was its own
    for key in ("Enter", "Space"):
        tab.keyboard.press(key)
    tab.wait_for_load_state("networkidle")
    assert len(posts) == 1, (name, posts)


def link(name: str) -> Control:
    return Control("link", re.escape(name))


def button(tab: Tab, name: str) -> Locator:
    return tab.get_by_role("button", name=name, exact=True)


def row(tab: Tab, what: str) -> Locator:
    """Return the entry of a list that has this text."""
    return tab.get_by_role("listitem").filter(has_text=what)


def title(tab: Tab) -> Locator:
    """Return the field for the title of a note."""
    return tab.get_by_label("Title", exact=True)


def text(tab: Tab) -> Locator:
    """Return the field for the text of a note."""
    return tab.get_by_label("Text", exact=True)


def posts_of(tab: Tab) -> list[str]:
    """Return a list that grows with the address of each form that the page sends."""
    posts: list[str] = []
    tab.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    return posts


def is_settled(tab: Tab) -> bool:
    """Tell whether the outbox has sent everything."""
    return bool(tab.evaluate(IN_OUTBOX) == 0)
