"""Horizontal overflow: whether a page scrolls sideways, and which element causes it."""

from playwright.sync_api import Page as Tab

WIDEST = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return null;
  let widest = null, end = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const { right } = element.getBoundingClientRect();
    if (right >= end) [widest, end] = [element, right];  // the innermost of the widest ones
  }
  const start = widest?.outerHTML.slice(0, 120).replace(/\\s+/g, " ");
  return `${scrollWidth} pixels in a window of ${clientWidth}, widest to ${Math.round(end)}: ${start}`;
}"""


def overflow(tab: Tab) -> str | None:
    """The width of the page and its widest element, if the page is wider than the window."""
    found: str | None = tab.evaluate(WIDEST)
    return found
