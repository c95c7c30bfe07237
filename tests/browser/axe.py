"""Accessibility violations that axe-core finds in a page."""

from functools import cache

from playwright.sync_api import Page as Tab

from tests.browser import tools

# Animations are finished first: half way, the colours of two themes are mixed.
RUN = """(async () => {
  for (const animation of document.getAnimations()) { try { animation.finish() } catch { animation.cancel() } }
  const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
})()"""


@cache
def axe_source() -> str:
    return tools.axe()


def axe_violations(tab: Tab) -> list[str]:
    """The violations in the page as it is now, each with its rule, its element and what is wrong.

    axe-core runs through the debugger, because the content security policy forbids foreign scripts.
    """
    session = tab.context.new_cdp_session(tab)
    if not session.send("Runtime.evaluate", {"expression": "!!window.axe"})["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": axe_source()})
    answer = session.send("Runtime.evaluate", {"expression": RUN, "awaitPromise": True, "returnByValue": True})
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = answer["result"]["value"]
    return found
