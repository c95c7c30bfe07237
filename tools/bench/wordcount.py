"""Time and memory from HTML to word counts, for pages of 1 MB and 10 MB: ours against the tutorial's way.

The tutorial ("Flask by Example") takes BeautifulSoup's text, tokenizes it with NLTK's regular expressions, counts and
then drops the stop words. It counts no phrases; our time includes them. Each reading runs in a process of its own, so
the peak memory is that of one page. The two sides take turns, so a machine that slows down slows both.
Run: .venv/bin/python -m tools.bench.wordcount [--quick]
"""

import gc
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

from app.wordcounts.analysis.text import document
from app.wordcounts.analysis.words import STOP_WORDS, count

FIXTURES = Path(__file__).parents[2] / "tests/wordcounts/pages"
SIZES = {"1 MB": 1_000_000, "10 MB": 10_000_000}  # bytes
QUICK = {"50 kB": 50_000}
TURNS = 3  # of each side with each page
LONG_WORD = 1_300_000  # characters


def ours() -> Callable[[str], None]:
    def read(html: str) -> None:
        count(document(html).text)

    return read


def tutorial() -> Callable[[str], None]:
    from bs4 import BeautifulSoup  # here, so that our side does not pay for its memory
    from nltk.tokenize import NLTKWordTokenizer

    tokenizer = NLTKWordTokenizer()
    has_letters = re.compile(r"[^\W\d_]")  # the tutorial's [A-Za-z], or it would leave the Korean words out

    def read(html: str) -> None:
        tokens = tokenizer.tokenize(BeautifulSoup(html, "html.parser").get_text())
        words = [token for token in tokens if has_letters.search(token)]
        counted = Counter(words)
        Counter(word for word in words if word.lower() not in STOP_WORDS)
        sorted(counted.items(), key=itemgetter(1), reverse=True)

    return read


SIDES = {"ours": ours, "tutorial": tutorial}


def page(size: int) -> str:
    """Real pages in both languages, repeated and cut at `size` bytes."""
    pages = "".join(file.read_text(encoding="utf-8") for file in sorted(FIXTURES.glob("*.html")))
    repeated = pages * (size // len(pages.encode()) + 1)
    return repeated.encode()[:size].decode(errors="ignore")


def measure(side: str, file: Path) -> tuple[float, float]:
    """Seconds and peak MB of one reading, in a process of its own."""
    command = [sys.executable, "-m", "tools.bench.wordcount", side, str(file)]
    seconds, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(peak)


def read(side: str, file: Path) -> None:
    """What that process does. The clock starts when everything is imported and the page is read, as in a worker."""
    html = file.read_text(encoding="utf-8")
    read_page = SIDES[side]()
    read_page("<p>some words")
    gc.freeze()  # as the sandbox does, on both sides: the imported modules are not garbage
    start = time.perf_counter()
    read_page(html)
    seconds = time.perf_counter() - start
    print(seconds, peak_memory())


def peak_memory() -> float:
    """The peak memory of this process in MB, from Linux's /proc. ru_maxrss would include the parent's peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def compare(name: str, file: Path, turns: int) -> None:
    """Print one row: the medians of seconds and peak memory of each side."""
    measured = [(measure("ours", file), measure("tutorial", file)) for _ in range(turns)]
    our_seconds, our_peak = (statistics.median(turn[0][figure] for turn in measured) for figure in (0, 1))
    seconds, peak = (statistics.median(turn[1][figure] for turn in measured) for figure in (0, 1))
    faster, smaller = seconds / our_seconds, peak / our_peak
    print(f"{name:8}{our_seconds:9.2f}{seconds:11.2f}{faster:9.1f} x{our_peak:9.0f}{peak:11.0f}{smaller:9.1f} x")


def main(arguments: list[str]) -> None:
    if len(arguments) == 2:
        read(arguments[0], Path(arguments[1]))
        return
    quick = arguments == ["--quick"]
    print(f"{'':8}{'seconds':>20}{'':11}{'peak MB':>20}")
    print(f"{'page':8}{'ours':>9}{'tutorial':>11}{'ratio':>11}{'ours':>9}{'tutorial':>11}{'ratio':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for name, size in (QUICK if quick else SIZES).items():
            file = Path(folder) / "page.html"
            file.write_text(page(size), encoding="utf-8")
            compare(name, file, 1 if quick else TURNS)
        file.write_text("x" * LONG_WORD, encoding="utf-8")
        seconds, peak = measure("ours", file)
    print(f"one word of {LONG_WORD:,} characters: {seconds:.2f} s, {peak:.0f} MB")
    if not quick:
        print("memory that fetching takes, after each bomb:", flush=True)
        subprocess.run([sys.executable, "-m", "tools.bench.bombs"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
