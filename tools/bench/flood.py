"""Measure how much slower a reader's notes are while clients guess passwords as fast as they can (denial of service).

The guessers work in processes of their own, so that they do not slow the reader's clock. Exit code 1 above MOST.
Run: .venv/bin/python -m tools.bench.flood [--guessers 20] [--seconds 20] [--quick]
"""

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier, Event

from tools.bench.client import Client
from tools.bench.load import p95, read_pages
from tools.bench.site import site

MOST = 2.0  # times the p95 without guessers
PROCESSES = 4
WRONG = "not that one"

Found = Counter[int]


def guess(port: int, guessers: int, started: Barrier, stop: Event, answers: "multiprocessing.Queue[Found]") -> None:
    """Guess with so many clients, each from an address of its own, at a known and an unknown account in turn."""

    def guess_on(client: Client) -> Found:
        found: Found = Counter()
        client.token()
        started.wait()
        while not stop.is_set():
            name = ("reader", "nobody")[found.total() % 2]
            found[client.submit("/sign-in", email=f"{name}@example.com", password=WRONG).status] += 1
        return found

    with ThreadPoolExecutor(guessers) as threads:
        answers.put(sum(threads.map(guess_on, [Client(port) for _ in range(guessers)]), Counter()))


@contextmanager
def guessing(port: int, guessers: int, found: Found) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    started, stop, answers = context.Barrier(guessers + 1), context.Event(), context.Queue()
    arguments = (port, guessers // PROCESSES, started, stop, answers)
    processes = [context.Process(target=guess, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    started.wait(timeout=60)
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            found.update(answers.get(timeout=60))
            process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guessers", type=int, default=20, help="clients that guess, a multiple of 4 (20)")
    parser.add_argument("--seconds", type=float, default=20, help="how long each is measured (20)")
    parser.add_argument("--quick", action="store_true", help="3 seconds")
    options = parser.parse_args()
    seconds = 3 if options.quick else options.seconds
    guesses: Found = Counter()
    with site() as flooded:
        reader = flooded.client(flooded.sign_up("reader"))
        read_pages(reader, 1)  # what is imported on first use
        before = read_pages(reader, seconds)
        with guessing(flooded.port, options.guessers, guesses):
            during = read_pages(reader, seconds)
    failed = sum(answer.status != 200 for answer in (*before, *during))
    ratio = p95(during) / p95(before)
    print(
        f"p95 of pages: {1000 * p95(before):.0f} ms;"
        f" while {options.guessers} clients guess {1000 * p95(during):.0f} ms:"
        f" × {ratio:.2f}; {failed} failed; {guesses.total()} guesses, answered {dict(guesses)}"
    )
    sys.exit(1 if failed or ratio > MOST else 0)


if __name__ == "__main__":
    main()
