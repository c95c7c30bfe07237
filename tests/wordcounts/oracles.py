"""Test oracles for text and words: Chromium, ICU (in Node.js) and UAX #29 (uniseg)."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

from uniseg.wordbreak import words as segments

from tests.browser.chromium import EXECUTABLE

# Runs when the page is loaded, and replaces the page by its text, which --dump-dom then prints.
SHOWN = """<script>
const text = document.createElement("pre");
text.textContent = JSON.stringify(document.body.innerText);
document.documentElement.replaceChildren(text);
</script>"""
# Not Chromium's ICU: its rules end a word at every full stop, unlike those of ICU and Unicode.
# Line by line, because each segment keeps a reference to its whole text.
SEGMENTED = """
const segmenter = new Intl.Segmenter(process.argv[1], {granularity: "word"});
const lines = require("fs").readFileSync(0, "utf8").split("\\n");
const segments = lines.flatMap(line => Array.from(segmenter.segment(line)));
console.log(JSON.stringify(segments.filter(one => one.isWordLike).map(one => one.segment)));
"""
SECONDS = 60  # for one page


def is_here(program: str) -> bool:
    return shutil.which(program) is not None


def shown_by_chromium(page: str, folder: Path) -> str:
    """The innerText of a page without its scripts.

    Args:
        folder: an empty one of the test's own.

    Raises:
        subprocess.TimeoutExpired: Chromium did not end within SECONDS.
    """
    page = re.sub(r"<script\b.*?</script\s*>", "", page, flags=re.DOTALL | re.IGNORECASE)
    file = folder / "page.html"
    file.write_text(page + SHOWN, encoding="utf-8")
    command = [str(EXECUTABLE), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    dumped = subprocess.run([*command, "--dump-dom", file.as_uri()], capture_output=True, timeout=SECONDS, check=True)
    found = re.search(r"<pre>(.*)</pre>", dumped.stdout.decode(), re.DOTALL)
    assert found, dumped.stderr.decode()
    return str(json.loads(html.unescape(found[1])))


def words_by_icu(text: str, locale: str) -> list[str]:
    """The words, unchanged.

    Args:
        locale: the language of the text, such as "ko".
    """
    command = ["node", "-e", SEGMENTED, locale]
    found = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS, check=True)
    return [str(word) for word in json.loads(found.stdout)]


def words_by_unicode(text: str) -> list[str]:
    """The words by UAX #29, unchanged."""
    return [word for line in text.split("\n") for word in segments(line) if any(map(str.isalnum, word))]
