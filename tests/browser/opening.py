"""Open what a page holds closed: details, popovers, dialogs."""

from collections.abc import Iterator

from playwright.sync_api import Page as Tab

OPEN_DETAILS = """() => {
  const closed = document.querySelectorAll("details:not([open])");
  for (const details of closed) details.open = true;
  return closed.length;
}"""
# Each gets an id, so that it can be named.
CLOSED = """() => [...document.querySelectorAll("dialog:not([open]), [popover]")].map((part, index) => {
  part.id ||= `opened-${index}`;
  return part.id;
})"""
TOGGLE = "part => part.showModal ? (part.open ? part.close() : part.showModal()) : part.togglePopover()"


def open_details(tab: Tab) -> bool:
    """Open all details at once, and tell whether there were any."""
    return bool(tab.evaluate(OPEN_DETAILS))


def open_one_by_one(tab: Tab) -> Iterator[str]:
    """Open each dialog and popover alone, and yield its selector while it is open.

    The list of keyboard shortcuts is among them, which is fetched when it is first opened.
    """
    opener = tab.locator("#open-shortcuts")
    if opener.count():
        opener.evaluate("button => button.click()")
        tab.locator("dialog[open]").wait_for()
        tab.keyboard.press("Escape")
    for name in tab.evaluate(CLOSED):
        part = tab.locator(f"#{name}")
        part.evaluate(TOGGLE)
        yield f"#{name}"
        part.evaluate(TOGGLE)
