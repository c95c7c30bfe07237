"""What axe-core finds in a page: barriers for people who read, hear or steer it in another way."""

from functools import cache

from playwright.sync_api import Page as Tab

from tests.browser import tools

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOURS = ("color-contrast", "link-in-text-block")  # the rules of TAGS whose answer another theme may change

# Animations are brought to their end: half way, the colours of two themes are mixed.
RUN = """(async () => {
  for (const animation of document.getAnimations()) { try { animation.finish() } catch { animation.cancel() } }
  const { violations } = await axe.run(document, { runOnly: %s, resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(node => `${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
})()"""
ALL_RULES = f'{{ type: "tag", values: {list(TAGS)} }}'
RULES_OF_COLOUR = f'{{ type: "rule", values: {list(COLOURS)} }}'


@cache
def axe() -> str:
    return tools.axe()


def barriers(tab: Tab, *, only_colours: bool = False) -> list[str]:
    """Rule, element and what is wrong with it, of each barrier in the page as it is shown now.

    Through the debugger, since the page's policy refuses any script that is not the site's.
    """
    session = tab.context.new_cdp_session(tab)
    if not session.send("Runtime.evaluate", {"expression": "!!window.axe"})["result"]["value"]:
        session.send("Runtime.evaluate", {"expression": axe()})
    run = RUN % (RULES_OF_COLOUR if only_colours else ALL_RULES)
    answer = session.send("Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True})
    session.detach()
    assert "exceptionDetails" not in answer, answer
    found: list[str] = answer["result"]["value"]
    return found
