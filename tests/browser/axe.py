"""Accessibility violations that axe-core finds in a page."""

from functools import cache

from playwright.sync_api import Page as Tab

from tests.browser import tools

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOURS = ("color-contrast", "link-in-text-block")  # the rules of TAGS whose result depends on the theme

# Animations are finished first: half way, the colours of two themes are mixed.
RUN = """(async () => {
  for (const animation of document.getAnimations()) { try { animation.finish() } catch { animation.cancel() } }
  const { violations } = await axe.run(document, { runOnly: %s, resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
})()"""
ALL_RULES = f'{{ type: "tag", values: {list(TAGS)} }}'
RULES_OF_COLOUR = f'{{ type: "rule", values: {list(COLOURS)} }}'


@cache
def axe_source() -> str:
    return tools.axe()


def axe_violations(tab: Tab, *, only_colours: bool = False) -> list[str]:
    """The violations in the page as it is now, each with its rule, its element and what is wrong.

    axe-core runs through the debugger, because the content security policy forbids foreign scripts.
    """
    session = tab.context.new_cdp_session(tab)
    if not session.send("Runtime.evaluate", {"expression": "!!window.axe"})["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": axe_source()})
    run = RUN % (RULES_OF_COLOUR if only_colours else ALL_RULES)
    answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = answer["result"]["value"]
    return found
