"""Whether a page can be scrolled sideways, and because of what."""

from playwright.sync_api import Page as Tab

WIDEST = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return null;
  let widest = null, end = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const { right } = element.getBoundingClientRect();
    if (right >= end) [widest, end] = [element, right];  // the innermost of those that are as wide
  }
  const start = widest?.outerHTML.slice(0, 120).replace(/\\s+/g, " ");
  return `${scrollWidth} pixels in a window of ${clientWidth}, widest to ${Math.round(end)}: ${start}`;
}"""


def overflow(tab: Tab) -> str | None:
    """How wide the page is and its widest element, when it is wider than the window."""
    found: str | None = tab.evaluate(WIDEST)
    return found
