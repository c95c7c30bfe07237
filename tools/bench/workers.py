"""Requests a second, CPU time a request and memory of our gunicorn worker against gunicorn's threaded one, in turns.

Run: .venv/bin/python -m tools.bench.workers [--seconds 5] [--rounds 3] [--also gevent]
A page is answered without the database, on connections that are kept open: this is the server's own cost.
"""

import argparse
import statistics
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psutil

from tools.bench.service import PAGE, THROUGH_TLS, database, running

CLIENTS = 16


def requests(port: int, seconds: float) -> int:
    """How many requests of CLIENTS are answered, each client on one connection."""
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
    return sum(answered)


def cpu_seconds(arbiter: int) -> float:
    """Of the arbiter's children, all threads."""
    times = [child.cpu_times() for child in psutil.Process(arbiter).children(recursive=True)]
    return sum(time.user + time.system for time in times)


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
    costs: dict[str, list[float]] = {name: [] for name in workers}
    with database() as environment, ExitStack() as stack:
        services = {name: stack.enter_context(running(environment, workers[name])) for name in workers}
        for _ in range(options.rounds):
            for name, service in services.items():
                before = cpu_seconds(service.pid)
                answered = requests(service.port, options.seconds)
                rates[name].append(answered / options.seconds)
                costs[name].append(1000 * (cpu_seconds(service.pid) - before) / answered)
        sizes = {name: megabytes_a_worker(service.pid) for name, service in services.items()}
    print(f"{'worker':8} {'requests/s':>16} {'CPU ms a request':>16} {'PSS MB a worker':>16}   (of gthread)")
    figures = {name: (statistics.median(rates[name]), statistics.median(costs[name]), sizes[name]) for name in workers}
    for name, row in figures.items():
        columns = [f"{value:8.1f} ({value / base:5.2f})" for value, base in zip(row, figures["gthread"], strict=True)]
        print(f"{name:8}", *columns)


if __name__ == "__main__":
    main()
