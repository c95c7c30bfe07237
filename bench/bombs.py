"""What compressed bombs, and answers that never end, make a process grow by that fetches them.

Not by `getrusage`, by which a process starts with the peak of the one that it was forked from.
Run: .venv/bin/python -m bench.bombs
"""

import contextlib
from pathlib import Path

from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import fetch
from bench.wordcount import peak_memory
from tests.wordcounts.hostile_answers import bombs
from tests.wordcounts.page_server import PageServer, page


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    answers = {f"/{number}": bomb for number, bomb in enumerate(bombs().items())}
    with PageServer({"/": page(b"a"), **{path: answer for path, (_, (_, answer)) in answers.items()}}) as server:
        fetch(server.url(), allowed_servers=server.allowed)  # so that all is imported
        forget_peak()  # of packing the bombs
        before = peak_memory()
        for path, (name, _) in answers.items():
            with contextlib.suppress(FetchFailed):
                fetch(server.url(path), allowed_servers=server.allowed)
                raise SystemExit(f"{name} was taken for a page.")
            print(f"{name}: {peak_memory() - before:.0f} MB")


if __name__ == "__main__":
    main()
