"""Requests a second and memory (PSS) of our gunicorn worker against gunicorn's threaded one, in turns.

Run: .venv/bin/python -m bench.workers [--seconds 5] [--rounds 3] [--also gevent]
A page is answered without the database, on connections that are kept open: this is the server's own cost.
"""

import argparse
import statistics
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import psutil

from bench.service import PAGE, THROUGH_TLS, database, running

CLIENTS = 16


def rate(port: int, seconds: float) -> float:
    """Requests a second of CLIENTS, each on one connection."""
    answered: list[int] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        number = 0
        while time.monotonic() < end:
            connection.request("GET", PAGE, headers=THROUGH_TLS)
            connection.getresponse().read()
            number += 1
        connection.close()
        answered.append(number)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / seconds


def megabytes_a_worker(arbiter: int) -> float:
    """The mean proportional set size of the arbiter's children: shared pages count in parts."""
    sizes = [pss(child.pid) for child in psutil.Process(arbiter).children(recursive=True)]
    return statistics.mean(sizes) / 1024


def pss(pid: int) -> int:
    """KiB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(lines["Pss"].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="how long each round of each worker takes (5)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (3)")
    parser.add_argument("--also", help="another worker class of gunicorn, if its package is installed")
    options = parser.parse_args()
    workers = {"gthread": "--worker-class gthread", "ours": ""}
    if options.also:
        workers[options.also] = f"--worker-class {options.also}"
    rates: dict[str, list[float]] = {name: [] for name in workers}
    sizes: dict[str, list[float]] = {name: [] for name in workers}
    with database() as environment:
        for _ in range(options.rounds):
            for name, arguments in workers.items():
                with running(environment, arguments) as service:
                    rates[name].append(rate(service.port, options.seconds))
                    sizes[name].append(megabytes_a_worker(service.pid))
    print(f"{'worker':8} {'requests/s':>10} {'of gthread':>10} {'PSS MB':>8} {'of gthread':>10}")
    for name in workers:
        faster, larger = (statistics.median(of[name]) / statistics.median(of["gthread"]) for of in (rates, sizes))
        print(
            f"{name:8} {statistics.median(rates[name]):10.0f} {faster:10.2f}"
            f" {statistics.median(sizes[name]):8.1f} {larger:10.2f}"
        )


if __name__ == "__main__":
    main()
