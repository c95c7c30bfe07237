"""Horizontal overflow: whether a page scrolls sideways, and which element causes it."""

from playwright.sync_api import Page as Tab

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
