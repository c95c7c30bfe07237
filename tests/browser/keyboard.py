"""Steering a page by keyboard alone, as somebody does who cannot use a mouse, and seeing where one is all the time."""

import re
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from tests.waiting import WITHIN

Role = Literal["button", "checkbox", "heading", "link", "textbox"]

TIMEOUT = WITHIN * 1000  # milliseconds
LONGEST_WAY = 120  # stops; no control is farther away, or nobody would go there

# What shows where one is may be drawn by a neighbour: around a field that is not itself seen, say.
LOOK = """target => {
  const element = document.activeElement;
  if (!element || element === document.body) return { lost: null, arrived: false };  // the page's end
  const told = element.outerHTML.slice(0, 120);
  const around = [element, element.parentElement, element.previousElementSibling, element.nextElementSibling,
    element.form, ...(element.labels ?? [])];
  // The parts of a day, and the button that opens the calendar, are outlined by the browser, out of our sight.
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
  const lost = !isOutlined ? `no outline: ${told}` : !isSeen ? `covered, or not on the screen: ${told}` : null;
  return { lost, arrived: element === target };
}"""


@dataclass(frozen=True)
class Control:
    """What a screen reader would call it: its role, and what its name begins with."""

    role: Role
    name: str
    is_password: bool = False  # these have no role
    is_pressed: bool | None = None  # of a button that stays down; None: whether or not

    def of(self, tab: Tab) -> Locator:
        name = re.compile(rf"^\s*({self.name})", re.IGNORECASE)
        found = (
            tab.get_by_label(name)
            if self.is_password
            else tab.get_by_role(self.role, name=name, pressed=self.is_pressed)
        )
        return found.locator("visible=true").first


@dataclass
class Keyboard:
    tab: Tab

    def go_to(self, control: Control) -> None:
        """Press Tab until one is there.

        Raises:
            AssertionError: the way does not lead there, or somewhere on it one cannot see where one is.
        """
        expect(control.of(self.tab)).to_be_visible(timeout=TIMEOUT)
        target = control.of(self.tab).element_handle()
        for _ in range(LONGEST_WAY):
            self.tab.keyboard.press("Tab")
            here = target.evaluate(LOOK)
            assert here["lost"] is None, here["lost"]
            if here["arrived"]:
                return
        raise AssertionError(f"Tab does not lead to {control}")

    def write(self, control: Control, text: str) -> None:
        """Go to a field and replace what it holds."""
        self.go_to(control)
        self.tab.keyboard.press("Control+A")
        self.tab.keyboard.type(text)

    def press(self, control: Control, key: Literal["Enter", "Space"] = "Enter") -> None:
        self.go_to(control)
        self.tab.keyboard.press(key)

    def sees(self, control: Control) -> None:
        """Waits until it is on the page."""
        expect(control.of(self.tab)).to_be_visible(timeout=TIMEOUT)

    def does_not_see(self, control: Control) -> None:
        expect(control.of(self.tab)).to_have_count(0, timeout=TIMEOUT)

    def is_at(self, path: str) -> None:
        """Waits until the address is this one; `path` is a regular expression."""
        expect(self.tab).to_have_url(re.compile(rf"^https?://[^/]+{path}$"), timeout=TIMEOUT)
