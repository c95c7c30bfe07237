"""Accessibility violations that axe-core finds in a page."""

import json
from functools import cache

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
LOOKS = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")


@cache
def axe_source() -> str:
    return tools.axe()


def axe_violations(tab: Tab, rules: tuple[str, ...] = EVERYTHING, part: str = "html") -> list[str]:
    """Return the violations in the page as it is now, each with its rule, its element and what is wrong.

    axe-core runs through the debugger, because the content security policy forbids foreign scripts.

    Args:
        rules: names of rules, or tags of them.
        part: a selector of what is read.
    """
    session = tab.context.new_cdp_session(tab)
    if not session.send("Runtime.evaluate", {"expression": "!!window.axe"})["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": axe_source()})
        tab.add_init_script(axe_source())  # the next pages of this tab have it already: to send it takes longer
    run = f"{RUN}({json.dumps(rules)}, {json.dumps(part)})"
    answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = answer["result"]["value"]
    return found
