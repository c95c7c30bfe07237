"""Our text and our words against those of others, on real pages of both languages.

The test oracles are Chromium and UAX #29 (uniseg).

The difference between two counts is the words that one has more often than the other, both ways, to the words of the
other. It is stricter than a difference of totals, in which a word too many makes up for one that is missing.
"""

import html as escapes
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.wordcounts.analysis.text import document
from app.wordcounts.analysis.words import SCRIPT_BORDER, words_in
from tests.browser.tools import EXECUTABLE
from tests.wordcounts.test_text import SEEN

segments = pytest.importorskip("uniseg.wordbreak", reason="needs uniseg, which make check installs").words
PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))

# Runs when the page is loaded, and replaces the page by its text, which --dump-dom then prints.
SHOWN = """<script>
const text = document.createElement("pre");
text.textContent = JSON.stringify(document.body.innerText);
document.documentElement.replaceChildren(text);
</script>"""
SECONDS = 60  # for one page
# Likewise for a list of pages, each written into a frame.
SHOWN_EACH = """<body><script>
const shown = PAGES.map((page) => {
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.contentDocument.write(page);
  frame.contentDocument.close();
  return frame.contentDocument.body.innerText;
});
const text = document.createElement("pre");
text.textContent = JSON.stringify(shown);
document.documentElement.replaceChildren(text);
</script>"""
# Where a reader does not read what Chromium's text has: it joins what controls and custom elements part, lists all
# options, and has drawings, formulas and pronunciations in the line.
READ_OTHERWISE = {
    "an unknown element is a block",
    "buttons are lines",
    "also in the line",
    "of a drop-down list the chosen option is seen",
    "the first one that can be chosen, of those of which none is",
    "though it is hidden from the list",
    "drawings and media are not seen",
    "pronunciation is not in the line",
}


def shown_by_chromium(page: str, folder: Path) -> str:
    """Return the innerText of a page without its scripts."""
    page = re.sub(r"<script\b.*?</script\s*>", "", page, flags=re.DOTALL | re.IGNORECASE)
    return str(dumped(page + SHOWN, folder))


def dumped(page: str, folder: Path) -> Any:
    """Return what a page leaves in its <pre>."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [str(EXECUTABLE), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, timeout=SECONDS, check=True)
    found = re.search(r"<pre>(.*)</pre>", done.stdout.decode(), re.DOTALL)
    assert found, done.stderr.decode()
    return json.loads(escapes.unescape(found[1]))


def ours(text: str) -> Counter[str]:
    return Counter(word for chunk in text.split() for word in words_in(chunk))


def theirs(found: Iterable[str]) -> Counter[str]:
    """Count their words with our letters: where a word ends is in question, not how it is written."""
    return Counter(word.casefold().replace("’", "'") for word in found)


def difference(mine: Counter[str], other: Counter[str]) -> float:
    return ((mine - other).total() + (other - mine).total()) / other.total()


@pytest.mark.parametrize(("language", "limit"), [("en", 0.001), ("ko", 0.005)])
def test_words_are_those_of_unicode(language: str, limit: float) -> None:
    """UAX #29 leaves Hangul and Latin letters together, so here its words are parted by our own rule first."""
    text = "\n".join(document(page.read_text("utf-8")).text for page in PAGES if page.name.startswith(language))
    by_unicode = (word for line in text.split("\n") for word in segments(line) if any(map(str.isalnum, word)))
    by_rule = (part for word in by_unicode for part in SCRIPT_BORDER.split(word))
    assert difference(ours(text), theirs(by_rule)) < limit


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="needs chromium")
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_text_is_what_chromium_shows(page: Path, tmp_path: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert difference(ours(document(html).text), ours(shown_by_chromium(html, tmp_path))) < 0.01


@pytest.mark.browser
@pytest.mark.skipif(not EXECUTABLE, reason="needs chromium")
def test_what_the_elements_say_is_read_as_chromium_shows_it_and_where_not_on_purpose(tmp_path: Path) -> None:
    pages = json.dumps([html for html, _ in SEEN.values()]).replace("<", "\\u003c")
    shown = dumped(SHOWN_EACH.replace("PAGES", pages), tmp_path)
    differ = {what for (what, (_, text)), other in zip(SEEN.items(), shown, strict=True) if ours(text) != ours(other)}
    assert differ == READ_OTHERWISE
