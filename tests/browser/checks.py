"""Find what is wrong with a page: violations of accessibility, and what makes it scroll sideways.

Also open what a page holds closed: details, popovers, dialogs.
"""

import json
from collections.abc import Iterator

from playwright.sync_api import Page as Tab

from tests.browser import tools

# Animations are finished first: half way, the colours of two themes are mixed.
RUN = """(async (runOnly, part) => {
  for (const animation of document.getAnimations()) { try { animation.finish() } catch { animation.cancel() } }
  const { violations } = await axe.run(part, { runOnly, resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
})"""
EVERYTHING = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")  # tags of rules
# Rules that depend on how a page is laid out and coloured. All others read its elements, the same in every shape.
COLOURS = ("color-contrast", "link-in-text-block")
LOOKS = (*COLOURS, "target-size", "scrollable-region-focusable")


def axe_violations(tab: Tab, rules: tuple[str, ...] = EVERYTHING, part: str = "html") -> list[str]:
    """Return the violations in the page as it is now, each with its rule, its element and what is wrong.

    axe-core runs through the debugger, because the content security policy forbids foreign scripts.

    Args:
        rules: names of rules, or tags of them.
        part: a selector of what is read.
    """
    session = tab.context.new_cdp_session(tab)
    if not session.send("Runtime.evaluate", {"expression": "!!window.axe"})["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": tools.axe()})
        tab.add_init_script(tools.axe())  # the next pages of this tab have it already: to send it takes longer
    run = f"{RUN}({json.dumps(rules)}, {json.dumps(part)})"
    answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = answer["result"]["value"]
    return found


WIDEST = """part => {
  const { scrollWidth, clientWidth } = document.querySelector(part);
  if (scrollWidth <= clientWidth) return null;
  let widest = null, end = 0;
  for (const element of document.querySelector(part).querySelectorAll("*")) {
    const { right } = element.getBoundingClientRect();
    if (right >= end) [widest, end] = [element, right];  // the innermost of the widest ones
  }
  const start = widest?.outerHTML.slice(0, 120).replace(/\\s+/g, " ");
  return `${scrollWidth} pixels in a window of ${clientWidth}, widest to ${Math.round(end)}: ${start}`;
}"""


def overflow(tab: Tab, part: str = "html") -> str | None:
    """Return the width and the widest element of a page, or of a part that scrolls, that is wider than the window."""
    found: str | None = tab.evaluate(WIDEST, part)
    return found


OPEN_DETAILS = "for (const details of document.querySelectorAll('details')) details.open = true"
# Each gets an id, so that it can be named; and with it comes its HTML but for numbers, which tells it from others.
CLOSED = """() => [...document.querySelectorAll("dialog:not([open]), [popover]")].map((part, index) => {
  const alike = part.outerHTML.replace(/\\d+/g, "");
  part.id ||= `opened-${index}`;
  return [part.id, alike];
})"""
TOGGLE = "part => part.showModal ? (part.open ? part.close() : part.showModal()) : part.togglePopover()"


def open_details(tab: Tab) -> None:
    tab.evaluate(OPEN_DETAILS)


def open_one_by_one(tab: Tab, seen: set[str]) -> Iterator[str]:
    """Open each dialog and popover alone that none of `seen` is like, and yield its selector while it is open.

    The list of keyboard shortcuts is among them, which is fetched when it is first opened.
    """
    opener = tab.locator("#open-shortcuts")
    if opener.count():
        opener.evaluate("button => button.click()")
        tab.locator("dialog[open]").wait_for()
        tab.keyboard.press("Escape")
    for name, alike in tab.evaluate(CLOSED):
        if alike in seen:
            continue
        seen.add(alike)
        part = tab.locator(f"#{name}")
        part.evaluate(TOGGLE)
        yield f"#{name}"
        part.evaluate(TOGGLE)
