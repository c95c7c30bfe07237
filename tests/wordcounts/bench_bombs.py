"""Measure the memory that fetching decompression bombs and endless answers takes.

Read from Linux's /proc. `getrusage` would start with the peak of the parent process.
Run: .venv/bin/python -m tests.wordcounts.bench_bombs
"""

import contextlib
import sys
from pathlib import Path

from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import fetch
from tests.wordcounts.hostile_answers import bombs
from tests.wordcounts.page_server import PageServer, page
from tools.bench.figures import peak_megabytes


def main() -> None:
    answers = {f"/{number}": bomb for number, bomb in enumerate(bombs().items())}
    with PageServer({"/": page(b"a"), **{path: answer for path, (_, (_, answer)) in answers.items()}}) as server:
        fetch(server.url(), allowed_servers=server.allowed)  # imports everything
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak: packing the bombs took memory too
        before = peak_megabytes()
        for path, (name, _) in answers.items():
            with contextlib.suppress(FetchFailed):
                fetch(server.url(path), allowed_servers=server.allowed)
                raise SystemExit(f"{name} was taken for a page.")
            sys.stdout.write(f"{name}: {peak_megabytes() - before:.0f} MB\n")


if __name__ == "__main__":
    main()
