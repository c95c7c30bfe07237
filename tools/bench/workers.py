"""Compare requests a second, CPU and memory of our gunicorn worker with gunicorn's threaded one, in turns.

A page is answered without the database, on connections that are kept open: this is the server's own cost.
Run: .venv/bin/python -m tools.bench.workers [--seconds 5] [--rounds 3]
"""

import argparse
import statistics
from contextlib import ExitStack

from tools.bench.figures import MS, cpu_seconds, markdown, megabytes_a_worker
from tools.bench.load import Request, closed_loop
from tools.bench.service import PAGE, THROUGH_TLS, database, running

CLIENTS = 16
WORKERS = 2
REQUEST = Request("GET", PAGE, THROUGH_TLS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="how long each round of each worker takes (5)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (3)")
    options = parser.parse_args()
    workers = {"gthread": "--worker-class gthread", "ours": ""}
    rates: dict[str, list[float]] = {name: [] for name in workers}
    costs: dict[str, list[float]] = {name: [] for name in workers}
    with database() as environment, ExitStack() as stack:
        own = {**environment, "WEB_CONCURRENCY": str(WORKERS)}
        services = {name: stack.enter_context(running(own, workers[name])) for name in workers}
        for _ in range(options.rounds):
            for name, service in services.items():
                before = cpu_seconds(service.pid)
                outcome = closed_loop(service.port, [REQUEST], 200, CLIENTS, options.seconds)
                answered = len(outcome.latencies)
                rates[name].append(answered / outcome.elapsed)
                costs[name].append(MS * (cpu_seconds(service.pid) - before) / answered)
        sizes = {name: megabytes_a_worker(service.pid, WORKERS) for name, service in services.items()}
    figures = {name: (statistics.median(rates[name]), statistics.median(costs[name]), sizes[name]) for name in workers}
    rows = [("worker", "requests/s", "CPU ms a request", "PSS MB a worker")]
    for name, row in figures.items():
        cells = (f"{value:.1f} (× {value / base:.2f})" for value, base in zip(row, figures["gthread"], strict=True))
        rows.append((name, *cells))  # type: ignore[arg-type]
    print("\n".join(markdown(rows)))


if __name__ == "__main__":
    main()
